"""Columns of rows that were read, as arrays: what trainers, their references and the losses of a challenger work with.

A column without a missing value is taken as it lies there; a list of its values takes some twenty times as long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from arro3.core import ChunkedArray, DataType, Table
from numpy.typing import NDArray


def as_array(column: ChunkedArray) -> NDArray[Any]:
    """Shape (n,): numbers and truth values as float64, NaN where one is missing; anything else as objects or None.

    >>> from arro3.core import Array
    >>> as_array(ChunkedArray([Array([1, None], type=DataType.int32())])).tolist()
    [1.0, nan]
    >>> as_array(ChunkedArray([Array(["a", None], type=DataType.utf8())])).tolist()
    ['a', None]
    """
    if DataType.is_numeric(column.type):
        is_whole = len(column) and not column.null_count
        return np.array(column.to_numpy() if is_whole else column.to_pylist(), np.float64)
    return np.array(column.to_pylist(), np.float64 if DataType.is_boolean(column.type) else object)


def times_of(table: Table, name: str = "event_time") -> NDArray[np.int64]:
    """The times in a column, shape (n,), microseconds since 1970; none may be missing."""
    column = table.column(name).cast(DataType.int64())
    return np.asarray(column.to_numpy()) if len(column) else np.empty(0, np.int64)
