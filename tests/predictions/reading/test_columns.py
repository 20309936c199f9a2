"""Columns as arrays, whatever lies in them and also where there are no rows."""

from __future__ import annotations

import numpy as np
import pytest
from arro3.core import Array, ChunkedArray, DataType, Table

from gyroscope.predictions.reading.columns import as_array, times_of


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1.5, 2.0], DataType.float64(), [1.5, 2.0]),
        ([1, None], DataType.int64(), [1.0, np.nan]),
        ([None, None], DataType.float32(), [np.nan, np.nan]),
        ([True, None, False], DataType.bool(), [1.0, np.nan, 0.0]),
    ],
)
def test_numbers_and_truth_values_are_floats(values: list[object], kind: DataType, expected: list[float]) -> None:
    found = as_array(ChunkedArray([Array(values, type=kind)]))
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, expected)


def test_texts_are_objects_also_where_all_are_missing() -> None:
    for values in (["a", None], [None, None]):
        found = as_array(ChunkedArray([Array(values, type=DataType.utf8())]))
        assert (found.dtype, found.tolist()) == (np.dtype(object), values)


def test_where_there_are_no_rows_there_is_an_empty_array() -> None:
    empty = ChunkedArray([], type=DataType.timestamp("us", tz="UTC"))
    assert times_of(Table.from_arrays([empty], names=["event_time"])).tolist() == []
    assert as_array(ChunkedArray([], type=DataType.float64())).tolist() == []


def test_times_are_microseconds_also_far_from_now() -> None:
    far = 253_402_300_799_999_999
    moments = Array(np.array([far])).cast(DataType.timestamp("us", tz="UTC"))
    assert times_of(Table.from_arrays([moments], names=["event_time"])).tolist() == [far]
