"""Every type that Arrow has arrives as numbers, as text, or with a word for what it holds."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from arro3.core import Array, DataType, Table

from gyroscope.sources.arrow_columns import Unreadable, columns_of
from gyroscope.sources.arrow_stream import batches
from gyroscope.stats.texts import Texts

KINDS = (pl.Int8, pl.UInt8, pl.Int16, pl.UInt16, pl.Int32, pl.UInt32, pl.Int64, pl.UInt64, pl.Float32, pl.Float64)
LONG = "a text that no view has room for"


def read(table):
    (batch,) = batches(table, "data")
    return columns_of(batch)


def listed(table):
    return {name: values.tolist() for name, values in read(table).items()}


def test_numbers_keep_their_value_and_gaps_are_nan():
    frame = pl.DataFrame({f"{kind}": pl.Series([1, None, 100], dtype=kind) for kind in KINDS})
    for name, values in read(frame).items():
        assert np.array_equal(values, [1.0, np.nan, 100.0], equal_nan=True), name


def test_dates_are_microseconds_since_1970():
    frame = pl.DataFrame(
        {
            "date": [date(1970, 1, 2), None],
            "moment": pl.Series([datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), None]).dt.cast_time_unit("ns"),
            "time": [time(0, 0, 1), None],
            "span": pl.Series([timedelta(seconds=-1), None]).dt.cast_time_unit("ms"),
            "flag": [True, None],
            "money": pl.Series([Decimal("-12345678901234567890.50"), None], dtype=pl.Decimal(38, 2)),
        }
    )
    found = {name: values[0] for name, values in listed(frame).items()}
    assert found == {
        "date": 86_400e6, "moment": 1e6, "time": 1e6, "span": -1e6, "flag": 1.0, "money": -12345678901234567890.5,
    }  # fmt: skip
    assert all(np.isnan(values[1]) for values in read(frame).values())


def test_text_of_any_length_and_layout():
    texts = ["", None, "short", LONG, "ä", LONG + LONG]
    frame = pl.DataFrame({"view": texts, "category": pl.Series(texts, dtype=pl.Categorical)})
    plain = Table.from_arrow(frame.select("view")).column("view").combine_chunks()
    table = Table.from_pydict({"small": plain.cast(DataType.utf8()), "large": plain.cast(DataType.large_utf8())})
    assert listed(frame) == {"view": texts, "category": texts}
    assert listed(table) == {"small": texts, "large": texts}


def test_slices_start_where_they_say():
    frame = pl.DataFrame(
        {"n": np.arange(30.0), "t": [str(row) for row in range(30)], "b": [row % 3 == 0 for row in range(30)]}
    )
    part = frame.with_columns(g=pl.when(pl.col("b")).then(None).otherwise(pl.col("n")))[11:14]
    found = listed(part)
    assert (found["n"], found["t"], found["b"]) == ([11.0, 12.0, 13.0], ["11", "12", "13"], [False, True, False])
    assert np.array_equal(found["g"], [11.0, np.nan, 13.0], equal_nan=True)


def test_a_dictionary_of_nothing_is_all_missing():
    frame = pl.DataFrame(
        {"c": pl.Series([None, None], dtype=pl.Categorical), "t": pl.Series([None, None], dtype=pl.String)}
    )
    assert listed(frame) == {"c": [None, None], "t": [None, None]}


@pytest.mark.parametrize(
    ("values", "holds"), [([[1], [2]], "lists"), ([{"a": 1}, {"a": 2}], "records"), ([b"a", b"b"], "bytes")]
)
def test_what_is_neither_is_named(values, holds):
    assert read(pl.DataFrame({"x": values})) == {"x": Unreadable(holds)}


def test_no_rows_still_have_columns():
    frame = pl.DataFrame(schema={"n": pl.Float64, "t": pl.String, "b": pl.Boolean, "d": pl.Date, "c": pl.Categorical})
    found = read(frame)
    assert {name: values.shape for name, values in found.items()} == dict.fromkeys(frame.columns, (0,))
    assert isinstance(found["t"], Texts) and isinstance(found["c"], Texts)


def test_arrays_outlive_the_batch_they_look_at():
    found = read(Table.from_pydict({"x": Array([1.0, 2.0, 3.0], type=DataType.float64())}))["x"]
    assert found.tolist() == [1.0, 2.0, 3.0]
