"""Laws of the record: what goes in comes out; one damaged byte costs its own record, and is always noticed."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gyroscope.predictions.wal import VARIANTS, Layout, LogEntry, decode, encode, scan
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


@given(st.lists(entries(), max_size=5))
def test_what_goes_in_comes_out(every: list[LogEntry]) -> None:
    found = scan(b"".join(encode(entry, LAYOUT, 3) for entry in every), sealed=True, segment=3)
    assert found.damages == []
    assert len(found.records) == len(every)
    assert all(same(decode(record, LAYOUT), entry) for record, entry in zip(found.records, every, strict=True))


@settings(max_examples=300)
@given(st.lists(entries(), min_size=1, max_size=4), st.data())
def test_one_damaged_byte_costs_one_record(every: list[LogEntry], data: st.DataObject) -> None:
    parts = [encode(entry, LAYOUT, 3) for entry in every]
    segment = bytearray(b"".join(parts))
    at = data.draw(st.integers(0, len(segment) - 1))
    segment[at] ^= data.draw(st.integers(1, 255))
    hit = next(i for i in range(len(parts)) if at < sum(map(len, parts[: i + 1])))
    begins = sum(map(len, parts[:hit]))
    found = scan(bytes(segment), sealed=True, segment=3)
    assert len(found.records) == len(parts) - 1
    assert [(d.offset, d.length) for d in found.damages] == [(begins, len(parts[hit]))]
    assert found.damages[0].data == bytes(segment[begins : begins + len(parts[hit])])
    kept = [entry for index, entry in enumerate(every) if index != hit]
    assert all(same(decode(record, LAYOUT), entry) for record, entry in zip(found.records, kept, strict=True))


@given(st.lists(entries(), min_size=1, max_size=4), st.data())
def test_a_cut_loses_the_torn_record_only(every: list[LogEntry], data: st.DataObject) -> None:
    parts = [encode(entry, LAYOUT, 3) for entry in every]
    segment = b"".join(parts)
    cut = data.draw(st.integers(0, len(segment)))
    whole = sum(1 for i in range(len(parts)) if sum(map(len, parts[: i + 1])) <= cut)
    end = sum(map(len, parts[:whole]))
    found = scan(segment[:cut], sealed=True, segment=3)
    assert len(found.records) == whole
    assert [(d.offset, d.length) for d in found.damages] == ([(end, cut - end)] if cut > end else [])
