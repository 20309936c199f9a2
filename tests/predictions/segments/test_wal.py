"""What is encoded comes back exactly; what does not fit, or may not be kept, is refused."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from google_crc32c import value as crc32c
from tests.predictions.house import Entry, House

from gyroscope.errors import StoreError
from gyroscope.predictions.segments.entries import entries_in
from gyroscope.predictions.segments.scan import scan
from gyroscope.predictions.segments.wal import (
    HEADER,
    HEADER_BYTES,
    MISSING,
    PREFIX,
    SEAL,
    SEGMENT_HEAD,
    UNSEEN,
    Layout,
    LogEntry,
    encode,
    pack,
    pack_plain,
    readdress,
    seal,
    segment_head,
)
from gyroscope.records import Feature, Signature


@pytest.fixture
def layout(house: House) -> Layout:
    return Layout(house.versions["0a1b2c3d4e5f"].signature)


def there_and_back(entry: LogEntry, layout: Layout) -> LogEntry:
    data = segment_head(9, layout.schema_id) + encode(entry, layout, 9) + seal(9, 1)
    found = scan(data, segment=9, sealed=True)
    assert found.damages == []
    return entries_in(found, layout)[0]


def test_an_entry_comes_back_as_it_went_in(entry: Entry, layout: Layout) -> None:
    before = entry(7, rows=3, client_id="mine", entity_key="N123")
    before.matrix[0, 1] = np.nan  # a missing carrier
    before.matrix[1, 0] = np.nan  # a missing distance
    before.unseen = [(2, 1, "Ærø Air")]
    after = there_and_back(before, layout)
    assert (after.request_id, after.client_id, after.entity_key) == ("r-000007", "mine", "N123")
    assert after.unseen == [(2, 1, "Ærø Air")]
    assert after.matrix is not None
    assert after.matrix[:, 1].tolist() == [MISSING, 1, UNSEEN]
    np.testing.assert_array_equal(after.matrix[:, [0, 2, 3]], before.matrix[:, [0, 2, 3]])
    np.testing.assert_array_equal(after.outputs, before.outputs)
    assert (after.event_time, after.arrival_time) == (before.event_time, before.arrival_time)
    assert (after.latency_ns, after.status) == (1_500_000, 200)


@pytest.mark.parametrize("request_id", ["a", "r-0000007", "x" * 128])
def test_a_plain_row_is_the_entry_of_the_same(request_id: str) -> None:
    layout = Layout(Signature("regression", (Feature("a"), Feature("b"))))
    numbers, outputs = np.array([[0.1, -3.0]]), np.array([0.7])
    entry = LogEntry(request_id, 1_700, 1_700, 99, 200, numbers, outputs)
    row = numbers.tobytes() + outputs.tobytes() + request_id.encode(), len(request_id), 1_700, 99
    assert pack_plain(row, layout, 3, 5) == pack(entry, layout, 3, 5)


def test_one_row_is_encoded_as_the_first_of_many(entry: Entry, layout: Layout) -> None:
    many, one = entry(1, rows=2), entry(1)
    for some in (many, one):
        some.matrix[0, 1] = np.nan
        some.unseen = [(0, 1, "ZZ")]
    first, alone = (there_and_back(some, layout) for some in (many, one))
    np.testing.assert_array_equal(first.matrix[:1], alone.matrix)
    assert alone.matrix[0, 1] == UNSEEN


def test_an_error_has_a_record_without_arrays(entry: Entry, layout: Layout) -> None:
    before = entry(1, status=504)
    before.error = "x" * 10_000
    after = there_and_back(before, layout)
    assert (after.matrix, after.outputs, after.status) == (None, None, 504)
    assert 1_000 < len(after.error) < 5_000


def test_numpy_alone_can_decode_a_record(entry: Entry, layout: Layout) -> None:
    data = encode(entry(2), layout)
    fields = HEADER.unpack_from(data, PREFIX.size)
    rows, numeric, category, outputs = fields[7], fields[12], fields[13], fields[14]
    block = np.frombuffer(data, dtype="<f8", count=rows * numeric, offset=HEADER_BYTES).reshape(rows, numeric)
    answer = np.frombuffer(data, dtype="<f8", count=rows * outputs, offset=HEADER_BYTES + block.nbytes)
    codes = np.frombuffer(data, "<i4", count=rows * category, offset=HEADER_BYTES + block.nbytes + answer.nbytes)
    assert (block.tolist(), answer.tolist(), codes.tolist()) == ([[1.5, 2.0, 0.0]], [0.25], [2])
    assert (HEADER_BYTES, len(data) % 8) == (96, 0)


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
        {"unseen": [(1, 1, "no such row")]},
        {"weight": 0},
        {"variant": "green"},
    ],
    ids=lambda spoil: ",".join(spoil),
)
def test_what_does_not_fit_is_refused(entry: Entry, layout: Layout, spoil: dict[str, object]) -> None:
    wrong = entry(1)
    for name, value in spoil.items():
        setattr(wrong, name, value)
    with pytest.raises(StoreError, match="cannot be written down"):
        encode(wrong, layout)


def test_an_id_that_is_no_text_is_kept_readable(entry: Entry) -> None:
    layout = Layout(Signature("binary", (Feature("a"),)))
    some = entry(1)
    some.request_id, some.matrix = "half \ud83d pair", np.array([[1.0]])
    assert there_and_back(some, layout).request_id == "half \\ud83d pair"


def test_a_numeric_signature_needs_no_category_block(entry: Entry) -> None:
    layout = Layout(Signature("multiclass", (Feature("a"), Feature("b")), classes=("x", "y", "z")))
    some = entry(1)
    some.matrix, some.outputs = np.array([[1.0, np.nan]]), np.array([[0.1, 0.2, 0.7]])
    after = there_and_back(some, layout)
    np.testing.assert_array_equal(after.matrix, some.matrix)
    np.testing.assert_array_equal(after.outputs, some.outputs)


def test_variant_weight_and_origin_travel(entry: Entry, layout: Layout) -> None:
    after = there_and_back(entry(1, variant="shadow", weight=8, ingested=True), layout)
    assert (after.variant, after.weight, after.ingested) == ("shadow", 8, True)


def test_a_record_can_be_given_another_place(entry: Entry, layout: Layout) -> None:
    data = encode(entry(1), layout, 3, 41)
    assert readdress(data, 9, 2) == encode(entry(1), layout, 9, 2)
    assert readdress(data, 3, 41) == data


PRIVATE = Signature(
    "binary",
    (
        Feature("age", role="pii"),
        Feature("mail", "string", ("a", "b"), role="pii"),
        Feature("plan", "string", ("x", "y")),
        Feature("income", role="drop"),
        Feature("account", "int64", role="hash"),
        Feature("visits"),
    ),
)


def test_what_is_dropped_or_hashed_is_in_no_block(entry: Entry) -> None:
    layout = Layout(PRIVATE)
    assert [feature.name for feature in layout.logged] == ["mail", "plan", "account", "visits"]
    assert [feature.dtype for feature in layout.logged] == ["string", "string", "string", "float64"]
    assert (layout.logged_at, layout.hashed) == ((1, 2, 4, 5), {1, 4})
    some = entry(1, rows=2)
    some.matrix = np.array([[51.0, 0, 1, 9e9, 77, 3], [52.0, 1, np.nan, 9e9, 78, 4]])
    some.unseen = [(0, 1, "00ff00ff00ff00ff"), (1, 2, "new plan")]
    for kept in (some, _first_row(some)):
        after = there_and_back(kept, layout)
        assert after.matrix[:, 5].tolist() == [3, 4][: len(kept.matrix)]
        assert after.matrix[:, 2].tolist() == [1, UNSEEN][: len(kept.matrix)]
        assert np.isnan(after.matrix[:, [0, 1, 3, 4]]).all()
        assert after.unseen == kept.unseen
        for private in (51.0, 9e9, 77.0):
            assert np.float64(private).tobytes() not in encode(kept, layout)


def _first_row(entry: LogEntry) -> LogEntry:
    return msgspec.structs.replace(
        entry, matrix=entry.matrix[:1], outputs=entry.outputs[:1], unseen=[text for text in entry.unseen if not text[0]]
    )


@pytest.mark.parametrize("text", [(0, 1, "ann@example.com"), (0, 3, "00ff00ff00ff00ff"), (0, 0, "51")])
def test_a_text_that_the_log_may_not_hold_is_refused(entry: Entry, text: tuple[int, int, str]) -> None:
    some = entry(1)
    some.matrix, some.unseen = np.array([[51.0, 0, 1, 9e9, 77, 3]]), [text]
    with pytest.raises(StoreError, match="column"):
        encode(some, Layout(PRIVATE))


def test_a_role_changes_the_schema() -> None:
    plain = Signature("binary", (Feature("age"),))
    assert Layout(plain).schema_id != Layout(Signature("binary", (Feature("age", role="drop"),))).schema_id


def test_head_and_seal_check_themselves() -> None:
    head, tail = segment_head(7, 9, 5, 300), seal(7, 300)
    assert (len(head), len(tail)) == (64, 32)
    assert SEGMENT_HEAD.unpack(head) == (b"\xa9GYSEG2\n", 2, 0, 0, 7, 9, 5, 300, crc32c(head[:60]))
    assert SEAL.unpack(tail) == (b"\xa9GYEND2\n", 7, 300, 0, crc32c(tail[:28]))
