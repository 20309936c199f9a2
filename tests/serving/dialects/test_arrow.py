"""Rows in and answers out as Arrow streams, by the signature."""

from __future__ import annotations

import io

import numpy as np
import polars as pl
import pytest

from gyroscope.errors import InputError
from gyroscope.records import Feature, Signature

HEADERS = {b"content-type": b"application/vnd.apache.arrow.stream"}
GOOD = {"is_late": [True, False], "carrier": ["UA", "ZZ"], "hour": [7, None], "distance": [500.5, 2.0]}


def stream(**columns) -> bytes:
    out = io.BytesIO()
    pl.DataFrame(columns).write_ipc_stream(out)
    return out.getvalue()


def test_columns_in_any_order(mixed, v2):
    question = v2(mixed).dialect(HEADERS).read(stream(**GOOD))
    np.testing.assert_array_equal(question.rows.matrix, [[500.5, 7, 2, 1], [2, np.nan, np.nan, 0]])
    assert question.rows.unseen == ((1, 2, "ZZ"),)
    assert question.rows.matrix.flags.c_contiguous


def test_answers_in_arrow(mixed, v2):
    dialect = v2(mixed).dialect(HEADERS)
    body, headers = dialect.answer(dialect.read(stream(**GOOD)), np.array([0.25, 0.75]), "r")
    assert dict(headers) == HEADERS
    assert pl.read_ipc_stream(io.BytesIO(body)).to_dict(as_series=False) == {"probability": [0.25, 0.75]}


def test_many_classes_are_columns(v2):
    many = Signature("multiclass", (Feature("a"),), classes=("x", "y"))
    dialect = v2(many).dialect(HEADERS)
    body, _ = dialect.answer(dialect.read(stream(a=[1.0])), np.array([[0.25, 0.75]]), "r")
    assert pl.read_ipc_stream(io.BytesIO(body)).to_dict(as_series=False) == {"x": [0.25], "y": [0.75]}


REFUSED = {
    "no rows": ({name: values[:0] for name, values in GOOD.items()} | {"hour": pl.Series([], dtype=pl.Int64)}, 422, ""),
    "missing column": (
        {name: GOOD[name] for name in ("hour", "carrier", "is_late")},
        422,
        "schema: missing 'distance'",
    ),
    "unknown column": (GOOD | {"more": [1, 2]}, 422, "schema.fields[4]: no feature is called 'more'"),
    "float for a whole number": (GOOD | {"hour": [7.0, 1.0]}, 422, "hour: 'hour' is int64"),
    "text for a number": (GOOD | {"distance": ["1", "2"]}, 422, "distance: 'distance' is float64"),
    "null where it may not be": (GOOD | {"distance": [1.0, None]}, 422, "distance[1]: 'distance' may not be null"),
    "infinity": (GOOD | {"distance": [1.0, np.inf]}, 422, "distance[1]: 'distance' must be finite"),
    "beyond 2^53": (GOOD | {"hour": [7, 2**53 + 1]}, 422, "hour[1]: 9007199254740993 is not within"),
    "too many rows": ({name: values * 5_001 for name, values in GOOD.items()}, 413, "batches: "),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_with_the_column_of_the_fault(name, mixed, v2):
    columns, status, said = REFUSED[name]
    with pytest.raises(InputError) as refusal:
        v2(mixed).dialect(HEADERS).read(stream(**columns))
    assert said in f"{refusal.value.where}: {refusal.value.what}"
    assert refusal.value.status == status


def test_a_missing_text_that_may_not_be(v2):
    strict = Signature("regression", (Feature("plan", "string", ("a",), nullable=False),))
    with pytest.raises(InputError, match="may not be null") as refusal:
        v2(strict).dialect(HEADERS).read(stream(plan=["a", None]))
    assert refusal.value.where == "plan[1]"
