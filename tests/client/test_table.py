"""Whatever people hold becomes the same columns, or is refused by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from arro3.core import Table

from gyroscope.client.table import read_table
from gyroscope.errors import InputError

AGES, PLANS = [41.5, None, 30.0], ["basic", None, "plus"]
POLARS = pl.DataFrame({"age": AGES, "plan": PLANS, "visits": [1, 2, 3], "is_new": [True, False, True]})
PANDAS = pd.DataFrame({"age": AGES, "plan": PLANS, "visits": [1, 2, 3], "is_new": [True, False, True]})
RECORDS = POLARS.to_dicts()


@pytest.mark.parametrize(
    "rows",
    [
        POLARS,
        PANDAS,
        Table.from_arrow(POLARS),
        RECORDS,
        POLARS.to_dict(as_series=False),
        POLARS.to_dict(),
        {name: PANDAS[name] for name in PANDAS},
        {**POLARS.to_dict(as_series=False), "age": np.array([41.5, np.nan, 30.0])},
        PANDAS.convert_dtypes(dtype_backend="numpy_nullable"),
        PANDAS.astype({"plan": "category"}),
        POLARS.with_columns(pl.col("plan").cast(pl.Categorical)),
    ],
    ids=[
        "polars", "pandas", "arrow", "records", "lists", "series of polars", "series of pandas", "arrays",
        "nullable", "category of pandas", "category of polars",
    ],
)  # fmt: skip
def test_every_form_gives_the_same_columns(rows):
    table = read_table(rows)
    plain = {name: column if isinstance(column, list) else column.tolist() for name, column in table.items()}
    plain["age"] = [None if age is None or age != age else age for age in plain["age"]]
    assert plain == {"age": AGES, "plan": PLANS, "visits": [1, 2, 3], "is_new": [True, False, True]}
    assert {type(value) for value in plain["is_new"]} == {bool}


@pytest.mark.parametrize(
    "whole",
    [
        {"n": [1, None]},
        [{"n": 1}, {}],
        pd.DataFrame({"n": pd.array([1, None], dtype="Int64")}),
        pl.DataFrame({"n": [1, None]}),
    ],
)
def test_whole_numbers_with_gaps_stay_whole(whole):
    assert read_table(whole)["n"] == [1, None]


def test_one_record_is_one_row():
    assert read_table({"age": 41, "plan": "basic"})["plan"] == ["basic"]
    assert read_table({"age": np.float32(41)})["age"] == [41.0]


def test_arrays_keep_their_width():
    assert read_table({"a": np.zeros(2, np.float32)})["a"].dtype == np.float32
    assert read_table(pl.DataFrame({"a": pl.Series([1, 2], dtype=pl.UInt8)}))["a"].dtype == np.uint8
    assert read_table(np.zeros(2, dtype=[("a", "f4"), ("b", "i8")]))["b"].dtype == np.int64
    assert read_table([[1, 2], [3, 4]]).shape == (2, 2)
    assert read_table(np.zeros((3, 2), np.float32)).dtype == np.float32


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"a": [1, 2], "b": [1]}, "a: 2, b: 1"),
        ({}, "one length"),
        ([], "matrix of numbers"),
        ([["a", 1]], "matrix of numbers"),
        ([[1, 2], [3]], "matrix of numbers"),
        (np.zeros(3), "matrix of numbers"),
        ("rows.csv", "a str is not a table"),
        (7, "an? int is not a table"),
        ({"a": [1, "x"]}, "int and str cannot be sent"),
        ({"a": [object()]}, "object cannot be sent"),
        ({"a": np.array(["2026-01-01"], dtype="M8[s]")}, "datetime cannot be sent"),
        (pl.DataFrame({"a": [[1, 2]]}), "list cannot be sent"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_name(rows, said):
    with pytest.raises(InputError, match=said):
        read_table(rows)
