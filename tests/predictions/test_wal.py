"""Records survive encoding exactly, and damage costs one record."""

from __future__ import annotations

import numpy as np
import pytest
from google_crc32c import value as crc32c

from gyroscope.errors import StoreError
from gyroscope.predictions.wal import HEADER, HEADER_BYTES, MISSING, PREFIX, UNSEEN, Layout, decode, encode, scan
from gyroscope.records import Feature, Signature


@pytest.fixture
def layout(house) -> Layout:  # type: ignore[no-untyped-def]
    return Layout(house.versions["0a1b2c3d4e5f"].signature)


def test_an_entry_comes_back_as_it_went_in(entry, layout):  # type: ignore[no-untyped-def]
    before = entry(7, rows=3, client_id="mine", entity_key="N123")
    before.matrix[0, 1] = np.nan  # a missing carrier
    before.matrix[1, 0] = np.nan  # a missing distance
    before.unseen = [(2, 1, "Ærø Air")]
    found = scan(encode(before, layout, 9), sealed=True, segment=9)
    after = decode(found.records[0], layout)
    assert (found.damages, after.request_id, after.client_id, after.entity_key) == ([], "r-000007", "mine", "N123")
    assert after.unseen == [(2, 1, "Ærø Air")]
    assert after.matrix is not None
    assert after.matrix[:, 1].tolist() == [MISSING, 1, UNSEEN]
    np.testing.assert_array_equal(after.matrix[:, [0, 2, 3]], before.matrix[:, [0, 2, 3]])
    np.testing.assert_array_equal(after.outputs, before.outputs)
    assert (after.event_time, after.arrival_time) == (before.event_time, before.arrival_time)
    assert (after.latency_ns, after.status) == (1_500_000, 200)


def test_one_row_is_encoded_as_the_first_of_many(entry, layout):  # type: ignore[no-untyped-def]
    many, one = entry(1, rows=2), entry(1)
    for some in (many, one):
        some.matrix[0, 1] = np.nan
        some.unseen = [(0, 1, "ZZ")]
    first, alone = (scan(encode(some, layout), sealed=True).records[0] for some in (many, one))
    assert (first.numeric[: len(alone.numeric)], first.category[:4]) == (alone.numeric, alone.category)


def test_an_error_has_a_record_without_arrays(entry, layout):  # type: ignore[no-untyped-def]
    before = entry(1, status=504)
    before.error = "x" * 10_000
    after = decode(scan(encode(before, layout), sealed=True).records[0], layout)
    assert (after.matrix, after.outputs, after.status) == (None, None, 504)
    assert 1_000 < len(after.error) < 5_000


def test_numpy_alone_can_decode_a_record(entry, layout):  # type: ignore[no-untyped-def]
    data = encode(entry(2), layout)
    fields = HEADER.unpack_from(data, PREFIX.size)
    rows, numeric, category = fields[7], fields[10], fields[11]
    block = np.frombuffer(data, dtype="<f8", count=rows * numeric, offset=HEADER_BYTES).reshape(rows, numeric)
    codes = np.frombuffer(data, dtype="<i4", count=rows * category, offset=HEADER_BYTES + block.nbytes)
    assert block.tolist() == [[1.5, 2.0, 0.0]]
    assert codes.tolist() == [2]


@pytest.mark.parametrize(
    "spoil",
    [
        {"event_time": 10**18},
        {"request_id": "x" * 70_000},
        {"matrix": np.zeros((1, 3))},
        {"matrix": np.zeros((0, 4))},
        {"matrix": np.array([[0.0, 3.0, 0.0, 0.0]])},
        {"matrix": np.array([[0.0, np.inf, 0.0, 0.0]])},
        {"matrix": np.array([[0.0, 0.0, 0.0, 0.0], [0.0, -3.0, 0.0, 0.0]]), "outputs": np.zeros((2, 1))},
        {"outputs": np.zeros((1, 2))},
        {"unseen": [(0, 0, "no category column")]},
    ],
    ids=lambda spoil: ",".join(spoil),
)
def test_what_does_not_fit_is_refused(entry, layout, spoil):  # type: ignore[no-untyped-def]
    wrong = entry(1)
    for name, value in spoil.items():
        setattr(wrong, name, value)
    with pytest.raises(StoreError, match="cannot be written down"):
        encode(wrong, layout)


def test_a_numeric_signature_needs_no_category_block(entry):  # type: ignore[no-untyped-def]
    layout = Layout(Signature("multiclass", (Feature("a"), Feature("b")), classes=("x", "y", "z")))
    some = entry(1)
    some.matrix, some.outputs = np.array([[1.0, np.nan]]), np.array([[0.1, 0.2, 0.7]])
    after = decode(scan(encode(some, layout), sealed=True).records[0], layout)
    np.testing.assert_array_equal(after.matrix, some.matrix)
    np.testing.assert_array_equal(after.outputs, some.outputs)


def test_a_record_of_another_schema_is_not_decoded(entry, layout):  # type: ignore[no-untyped-def]
    record = scan(encode(entry(1), layout), sealed=True).records[0]
    with pytest.raises(StoreError, match="another schema"):
        decode(record, Layout(Signature("binary", (Feature("other"),))))


def test_a_torn_tail_waits_while_live_and_is_damage_when_sealed(entry, layout):  # type: ignore[no-untyped-def]
    whole = encode(entry(1), layout)
    for cut in range(1, len(whole)):
        live = scan(whole + whole[:cut], sealed=False)
        assert (len(live.records), live.damages, live.end) == (1, [], len(whole))
        sealed = scan(whole + whole[:cut], sealed=True)
        assert [(d.offset, d.length, d.reason) for d in sealed.damages] == [(len(whole), cut, "torn tail")]
        assert (len(sealed.records), sealed.end) == (1, len(whole) + cut)


def test_a_record_inside_a_string_is_not_found(entry, layout):  # type: ignore[no-untyped-def]
    """Whoever sends the bytes of a record as text gets no row, not even when that text's own record is damaged."""
    hostile = entry(1)
    hostile.error = "x"
    forged = encode(entry(2), layout, 5)
    data = bytearray(encode(hostile, layout, 5))
    body = bytes(data[HEADER_BYTES:]) + forged
    header = list(HEADER.unpack_from(data, PREFIX.size))
    header[0], header[1] = crc32c(body) ^ 1, HEADER_BYTES + len(body)  # an intact header over a damaged body
    packed = HEADER.pack(*header)
    data = bytearray(PREFIX.pack(bytes(data[:4]), crc32c(packed)) + packed + body) + encode(entry(3), layout, 5)
    found = scan(bytes(data), sealed=True, segment=5)
    assert [record.request_id for record in found.records] == ["r-000003"]
    assert [damage.reason for damage in found.damages] == ["checksum"]


def test_records_of_another_segment_are_damage(entry, layout):  # type: ignore[no-untyped-def]
    found = scan(encode(entry(1), layout, 4), sealed=True, segment=5)
    assert (found.records, len(found.damages)) == ([], 1)
