"""Laws of the record: what goes in comes out; one damaged byte costs its own record, and is always noticed."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gyroscope.predictions.segments.entries import entries_in
from gyroscope.predictions.segments.scan import Scan, scan
from gyroscope.predictions.segments.wal import VARIANTS, Layout, LogEntry, encode, seal, segment_head
from gyroscope.records import Feature, Signature

LAYOUT = Layout(
    Signature(
        "multiclass",
        (Feature("x"), Feature("c", dtype="string", categories=("a", "b")), Feature("n", dtype="int64")),
        classes=("p", "q"),
    )
)
TEXT = st.text(max_size=12)


@st.composite
def entries(draw: st.DrawFn) -> LogEntry:
    rows = draw(st.integers(1, 4))
    failed = draw(st.booleans())
    matrix = draw(arrays(np.float64, (rows, 3), elements=st.floats(allow_infinity=True, allow_nan=True)))
    matrix[:, 1] = draw(arrays(np.float64, (rows,), elements=st.sampled_from([-1.0, 0.0, 1.0])))
    unseen = [] if failed else [(draw(st.integers(0, rows - 1)), 1, draw(TEXT))] * draw(st.integers(0, 1))
    for row, column, _ in unseen:
        matrix[row, column] = -2
    return LogEntry(
        request_id=draw(TEXT),
        event_time=draw(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999)),
        arrival_time=draw(st.integers(-(2**63), 2**63 - 1)),
        latency_ns=draw(st.integers(0, 2**63 - 1)),
        status=draw(st.integers(0, 65_535)),
        matrix=None if failed else matrix,
        outputs=None if failed else draw(arrays(np.float64, (rows, 2))),
        unseen=unseen,
        client_id=draw(TEXT),
        entity_key=draw(TEXT),
        error=draw(TEXT),
        variant=draw(st.sampled_from(VARIANTS)),
        weight=draw(st.integers(1, 2**32 - 1)),
        ingested=draw(st.booleans()),
    )


def same(one: LogEntry, other: LogEntry) -> bool:
    arrays_equal = all(
        (a is None and b is None) or np.array_equal(a, b, equal_nan=True)
        for a, b in ((one.matrix, other.matrix), (one.outputs, other.outputs))
    )
    plain = all(
        getattr(one, name) == getattr(other, name)
        for name in LogEntry.__struct_fields__
        if name not in ("matrix", "outputs")
    )
    return arrays_equal and plain


def segment_of(every: list[LogEntry]) -> tuple[bytes, list[tuple[int, int]]]:
    """The whole segment, and where in it each part begins and how long it is: head, records, seal."""
    records = [encode(entry, LAYOUT, 3, number) for number, entry in enumerate(every)]
    parts = [segment_head(3, LAYOUT.schema_id), *records, seal(3, len(every))]
    places, at = [], 0
    for part in parts:
        places.append((at, len(part)))
        at += len(part)
    return b"".join(parts), places


def read(data: bytes) -> Scan:
    return scan(data, segment=3, sealed=True)


def is_all(found: Scan, wanted: list[LogEntry]) -> bool:
    entries = entries_in(found, LAYOUT)
    return len(entries) == len(wanted) and all(map(same, entries, wanted))


@given(st.lists(entries(), max_size=5))
def test_what_goes_in_comes_out(every: list[LogEntry]) -> None:
    found = read(segment_of(every)[0])
    assert found.damages == []
    assert is_all(found, every)


@settings(max_examples=300)
@given(st.lists(entries(), min_size=1, max_size=4), st.data())
def test_one_damaged_byte_is_noticed_and_costs_one_record(every: list[LogEntry], data: st.DataObject) -> None:
    whole, places = segment_of(every)
    at = data.draw(st.integers(0, len(whole) - 1))
    broken = bytearray(whole)
    broken[at] ^= data.draw(st.integers(1, 255))
    hit = next(part for part, (begins, length) in enumerate(places) if at < begins + length)
    found = read(bytes(broken))
    begins, length = places[hit]
    damage = found.damages[0]
    assert (damage.offset, damage.length) == (begins, length)
    assert damage.data == bytes(broken[begins : begins + length])
    assert is_all(found, [entry for number, entry in enumerate(every, 1) if number != hit])


@given(st.lists(entries(), min_size=1, max_size=4), st.data())
def test_a_cut_is_noticed_and_costs_the_torn_record(every: list[LogEntry], data: st.DataObject) -> None:
    whole, places = segment_of(every)
    cut = data.draw(st.integers(0, len(whole) - 1))
    left = sum(begins + length <= cut for begins, length in places[1:-1])
    found = read(whole[:cut])
    assert found.damages
    assert is_all(found, every[:left])
