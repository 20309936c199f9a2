"""Whatever happens to a segment is noticed, costs one record at most, and all others are returned."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from google_crc32c import value as crc32c
from tests.predictions.house import Entry, House

from gyroscope.errors import StoreError
from gyroscope.predictions.segments.entries import entries_in
from gyroscope.predictions.segments.scan import HEADERS, Scan, scan
from gyroscope.predictions.segments.wal import (
    CHUNK_BYTES,
    HEADER,
    HEADER_BYTES,
    PREFIX,
    SEAL,
    SEGMENT_HEAD,
    Layout,
    encode,
    seal,
    segment_head,
)
from gyroscope.records import Feature, Signature

NUMBER = 0x1234
HEAD = SEGMENT_HEAD.size
MakeSegment = Callable[[list[bytes], Layout], bytes]  # records to the bytes of a segment


@pytest.fixture
def layout(house: House) -> Layout:
    return Layout(house.versions["0a1b2c3d4e5f"].signature)


@pytest.fixture
def records(entry: Entry, layout: Layout) -> list[bytes]:
    """Runs of one length and a few of others."""
    entries = [entry(number, entity_key="x" * (40 if number in (12, 13, 20) else 0)) for number in range(24)]
    return [encode(some, layout, NUMBER, number) for number, some in enumerate(entries)]


def sealed(records: list[bytes], layout: Layout) -> bytes:
    return segment_head(NUMBER, layout.schema_id) + b"".join(records) + seal(NUMBER, len(records))


def killed(records: list[bytes], layout: Layout) -> bytes:
    data = segment_head(NUMBER, layout.schema_id) + b"".join(records)
    return data.ljust(CHUNK_BYTES, b"\0")


def look(data: bytes) -> Scan:
    return scan(data, segment=NUMBER, sealed=True)


def numbers(found: Scan) -> list[int]:
    return found.headers["sequence"].tolist()


def said(found: Scan) -> list[tuple[int, int, str]]:
    return [(damage.offset, damage.length, damage.reason) for damage in found.damages]


def test_numpy_sees_the_header_as_it_was_packed() -> None:
    fields = tuple(range(1, 24))
    packed = PREFIX.pack(b"abcd", 77) + HEADER.pack(*fields)
    assert HEADERS.itemsize == HEADER_BYTES == len(packed)
    assert np.frombuffer(packed, HEADERS)[0].tolist()[1:] == (77, *fields)


@pytest.mark.parametrize("make", [sealed, killed])
def test_a_whole_segment_has_no_damage(records: list[bytes], layout: Layout, make: MakeSegment) -> None:
    data = make(records, layout)
    found = look(data)
    assert (numbers(found), found.damages, found.end) == (list(range(24)), [], len(data))
    assert found.head is not None
    assert (found.head.segment, found.head.schema_id, found.sequence) == (NUMBER, layout.schema_id, 24)
    assert [data[at : at + 4] for at in found.offsets] == [b"\xa9GY2"] * 24


def test_a_live_segment_is_read_as_it_grows(records: list[bytes], layout: Layout) -> None:
    """However the writes are cut, each record is returned once, as soon as all of it is there."""
    whole = killed(records, layout)
    at = sequence = 0
    seen = []
    for written in range(0, HEAD + sum(map(len, records)) + 60, 60):
        data = whole[:written].ljust(CHUNK_BYTES, b"\0") if written >= HEAD else b""
        found = scan(data[at:], segment=NUMBER, sealed=False, start=at, sequence=sequence)
        seen += numbers(found)
        at, sequence = found.end, found.sequence
        assert found.damages == []
    assert seen == list(range(24))


@pytest.mark.parametrize("make", [sealed, killed])
def test_every_flipped_byte_is_noticed_and_costs_one_record(
    records: list[bytes], layout: Layout, make: MakeSegment
) -> None:
    data = make(_renumbered(records[:6] + records[12:15]), layout)
    ends = HEAD + np.cumsum([len(r) for r in records[:6] + records[12:15]])
    behind = int(ends[-1]) + SEAL.size
    places = range(behind)
    if make is killed:
        places = [*range(0, behind, 5), *random.Random(1).sample(range(behind, len(data)), 50)]
    for place in places:
        broken = bytearray(data)
        broken[place] ^= 1 + place % 255
        found = look(bytes(broken))
        lost = set(range(9)) - set(numbers(found))
        hit = {int(np.searchsorted(ends, place, side="right"))} if HEAD <= place < ends[-1] else set()
        assert found.damages, place
        assert lost == hit, place
        assert found.end == len(data)


def test_every_truncation_is_noticed_and_costs_the_torn_record(records: list[bytes], layout: Layout) -> None:
    for make in (sealed, killed):
        data = make(records, layout)
        ends = (HEAD + np.cumsum([len(r) for r in records])).tolist()
        behind = ends[-1] + SEAL.size + 1
        for cut in [*range(min(behind, len(data))), *range(behind, len(data), 99_991)]:
            found = look(data[:cut])
            assert numbers(found) == list(range(sum(end <= cut for end in ends))), cut
            assert found.damages, cut


def test_a_record_that_was_cut_out_is_missed(records: list[bytes], layout: Layout) -> None:
    found = look(sealed(records[:5] + records[6:], layout))
    at = HEAD + 5 * len(records[0])
    assert said(found) == [(at, 0, "missing records"), (found.end - SEAL.size, 0, "missing records")]
    assert numbers(found) == [number for number in range(24) if number != 5]
    last = look(segment_head(NUMBER, layout.schema_id) + b"".join(records[:-1]) + seal(NUMBER, 24))
    assert [reason for _, _, reason in said(last)] == ["missing records"]


def test_a_damaged_body_costs_its_record_whatever_is_in_it(entry: Entry, layout: Layout) -> None:
    """Whoever sends the bytes of a record as text gets no row, not even when that text's own record is damaged."""
    hostile = entry(1, entity_key="x")
    forged = encode(entry(2), layout, NUMBER, 1)
    data = encode(hostile, layout, NUMBER)
    body = data[HEADER_BYTES:] + forged
    header = list(HEADER.unpack_from(data, PREFIX.size))
    header[0], header[1] = crc32c(body) ^ 1, HEADER_BYTES + len(body)
    packed = HEADER.pack(*header)
    broken = PREFIX.pack(data[:4], crc32c(packed)) + packed + body
    found = look(sealed([broken, encode(entry(3), layout, NUMBER, 1)], layout))
    assert [some.request_id for some in entries_in(found, layout)] == ["r-000003"]
    assert said(found) == [(HEAD, len(broken), "checksum")]


def test_records_of_another_segment_are_damage(entry: Entry, layout: Layout) -> None:
    found = look(sealed([encode(entry(1), layout, NUMBER + 1)], layout))
    assert (len(found.headers), found.damages[0].offset) == (0, HEAD)


def test_a_segment_that_was_written_twice_over_says_so(records: list[bytes], layout: Layout) -> None:
    found = look(sealed([*records, *records[:2]], layout))
    assert said(found)[0][2] == "records out of order"
    behind = look(sealed(records, layout) + b"more")
    assert said(behind) == [(behind.end - 4, 4, "bytes behind the seal")]


def test_a_seal_before_the_cut_is_whole(records: list[bytes], layout: Layout) -> None:
    """The writer was killed, or is being watched, between sealing the segment and cutting it to its size."""
    data = sealed(records, layout).ljust(CHUNK_BYTES, b"\0")
    for is_sealed in (True, False):
        found = scan(data, segment=NUMBER, sealed=is_sealed)
        assert (said(found), numbers(found)) == ([], list(range(24)))
    spoiled = look(data[:-1] + b"x")
    assert [reason for _, _, reason in said(spoiled)] == ["bytes behind the seal"]


def test_a_half_written_record_of_a_killed_writer_is_a_torn_tail(records: list[bytes], layout: Layout) -> None:
    """The eight bytes of its prefix are written last: they are still zero."""
    data = segment_head(NUMBER, layout.schema_id) + b"".join(records[:3]) + bytes(8) + records[3][8:50]
    found = look(data.ljust(CHUNK_BYTES, b"\0"))
    assert numbers(found) == [0, 1, 2]
    assert [damage.reason for damage in found.damages] == ["torn tail"]
    assert scan(data.ljust(CHUNK_BYTES, b"\0"), segment=NUMBER, sealed=False).damages == []


def test_damage_in_a_live_segment_is_told_once_something_follows(records: list[bytes], layout: Layout) -> None:
    broken = bytearray(killed(records[:3], layout))
    at = HEAD + len(records[0]) + HEADER_BYTES + 3
    broken[at] ^= 1
    early = scan(bytes(broken[: HEAD + 2 * len(records[0])]) + bytes(500), segment=NUMBER, sealed=False)
    assert (numbers(early), early.damages) == ([0], [])
    later = scan(bytes(broken), segment=NUMBER, sealed=False)
    assert (numbers(later), len(later.damages)) == ([0, 2], 1)


def test_an_entry_comes_back_as_it_went_in(entry: Entry, layout: Layout) -> None:
    before = entry(7, rows=3, client_id="mine", entity_key="N123", variant="canary", weight=5, ingested=True)
    before.matrix[0, 1] = np.nan
    before.unseen = [(2, 1, "Ærø Air")]
    after = entries_in(look(sealed([encode(before, layout, NUMBER)], layout)), layout)[0]
    np.testing.assert_array_equal(after.matrix[:, [0, 2, 3]], before.matrix[:, [0, 2, 3]])
    np.testing.assert_array_equal(after.outputs, before.outputs)
    assert after.matrix[:, 1].tolist() == [-1, 1, -2]
    plain = [name for name in after.__struct_fields__ if name not in ("matrix", "outputs")]
    assert all(getattr(after, name) == getattr(before, name) for name in plain)


def test_a_record_of_another_schema_is_not_decoded(records: list[bytes], layout: Layout) -> None:
    other = Layout(Signature("binary", (Feature("other"),)))
    with pytest.raises(StoreError, match="another schema"):
        entries_in(look(sealed(records, layout)), other)


def _renumbered(records: list[bytes]) -> list[bytes]:
    made = []
    for number, record in enumerate(records):
        fields = list(HEADER.unpack_from(record, PREFIX.size))
        fields[9] = number
        header = HEADER.pack(*fields)
        made.append(PREFIX.pack(record[:4], crc32c(header)) + header + record[HEADER_BYTES:])
    return made
