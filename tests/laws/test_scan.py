"""Laws of segments: what one byte or one cut does is noticed, costs one record at most, and all others come back."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gyroscope.predictions.segments.scan import Scan, scan
from gyroscope.predictions.segments.wal import (
    CHUNK_BYTES,
    SEAL,
    SEGMENT_HEAD,
    Layout,
    LogEntry,
    encode,
    seal,
    segment_head,
)
from gyroscope.records import Feature, Signature

LAYOUT = Layout(Signature("binary", (Feature("x"),)))
NUMBER = 77
HEAD = SEGMENT_HEAD.size

# Texts that look like pieces of the format, so that a reader which searches too much finds something.
TEXTS = st.one_of(st.text(max_size=20), st.sampled_from(["\xa9GY2", "\xa9GYEND2\n", "\0" * 8, "\xa9GYSEG2\n"]))
RECORDS = st.lists(
    st.builds(
        LogEntry,
        request_id=TEXTS,
        event_time=st.integers(0, 10**15),
        arrival_time=st.integers(0, 10**15),
        latency_ns=st.integers(0, 10**9),
        status=st.sampled_from([200, 500]),
        entity_key=TEXTS,
        error=TEXTS,
    ),
    min_size=1,
    max_size=30,
)


def encoded(entries: list[LogEntry]) -> list[bytes]:
    return [encode(entry, LAYOUT, NUMBER, number) for number, entry in enumerate(entries)]


def segment(records: list[bytes], is_sealed: bool) -> bytes:
    data = segment_head(NUMBER, LAYOUT.schema_id) + b"".join(records)
    return data + seal(NUMBER, len(records)) if is_sealed else data.ljust(CHUNK_BYTES, b"\0")


def look(data: bytes) -> Scan:
    return scan(data, segment=NUMBER, sealed=True)


def came_back(found: Scan) -> list[bytes]:
    lengths = found.headers["length"].tolist()
    return [found.data[at : at + length] for at, length in zip(found.offsets.tolist(), lengths, strict=True)]


@given(RECORDS, st.booleans())
def test_what_was_written_comes_back(entries: list[LogEntry], is_sealed: bool) -> None:
    records = encoded(entries)
    found = look(segment(records, is_sealed))
    assert (came_back(found), found.damages) == (records, [])


@settings(max_examples=300, deadline=None)
@given(RECORDS, st.booleans(), st.data())
def test_one_damaged_byte_is_noticed_and_costs_one_record(
    entries: list[LogEntry], is_sealed: bool, data: st.DataObject
) -> None:
    records = encoded(entries)
    broken = bytearray(segment(records, is_sealed))
    ends = [HEAD + sum(map(len, records[: number + 1])) for number in range(len(records))]
    at = data.draw(st.one_of(st.integers(0, ends[-1] + SEAL.size - 1), st.integers(0, len(broken) - 1)))
    broken[at] ^= data.draw(st.integers(1, 255))
    found = look(bytes(broken))
    hit = next((number for number, end in enumerate(ends) if HEAD <= at < end), None)
    assert found.damages
    assert came_back(found) == [record for number, record in enumerate(records) if number != hit]


@settings(max_examples=300, deadline=None)
@given(RECORDS, st.booleans(), st.data())
def test_a_cut_is_noticed_and_costs_the_torn_record(
    entries: list[LogEntry], is_sealed: bool, data: st.DataObject
) -> None:
    records = encoded(entries)
    whole = segment(records, is_sealed)
    cut = data.draw(st.one_of(st.integers(0, HEAD + sum(map(len, records))), st.integers(0, len(whole) - 1)))
    found = look(whole[:cut])
    kept = sum(HEAD + sum(map(len, records[: number + 1])) <= cut for number in range(len(records)))
    assert found.damages
    assert came_back(found) == records[:kept]


@settings(max_examples=200, deadline=None)
@given(RECORDS, st.data())
def test_a_missing_record_is_noticed(entries: list[LogEntry], data: st.DataObject) -> None:
    records = encoded(entries)
    gone = data.draw(st.integers(0, len(records) - 1))
    kept = records[:gone] + records[gone + 1 :]
    found = look(segment_head(NUMBER, LAYOUT.schema_id) + b"".join(kept) + seal(NUMBER, len(records)))
    assert came_back(found) == kept
    assert [damage.reason for damage in found.damages] == ["missing records"]


@settings(max_examples=200, deadline=None)
@given(RECORDS, st.lists(st.integers(0, 400), max_size=12))
def test_a_growing_segment_gives_each_record_once(entries: list[LogEntry], steps: list[int]) -> None:
    """However it is written and looked at; nothing that is still on its way is damage."""
    records = encoded(entries)
    whole = segment(records, True)
    written, at, sequence = HEAD, 0, 0
    seen: list[bytes] = []
    for step in [*steps, len(whole)]:
        written = min(written + step, len(whole))
        is_done = written == len(whole)
        data = whole[at:written] if is_done else whole[at:written].ljust(CHUNK_BYTES - at, b"\0")
        found = scan(data, segment=NUMBER, sealed=is_done, start=at, sequence=sequence)
        seen += came_back(found)
        at, sequence = found.end, found.sequence
        assert found.damages == []
        if is_done:
            break
    assert seen == records
