"""Rows to compare two models on: read from a CSV or Parquet file, and packed to travel between processes.

Conversion calls this. It holds at most some thousand rows and never writes a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from gyroscope.errors import ModelError

SAMPLE_ROWS = 10_000
"""Enough to meet every leaf of a usual forest; comparing them takes about a second."""

Packed = dict[str, list[float | int | bool | str | None]]

READERS = {".csv": "read_csv", ".parquet": "read_parquet"}


def read_sample(path: Path) -> dict[str, NDArray[Any]]:
    """Up to 10,000 rows of a file, spread over all of it and the same ones each time.

    Raises `ModelError` when the file is missing, unreadable, empty, or neither CSV nor Parquet.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ModelError(f"{path.name} is neither CSV nor Parquet", where=str(path), fix="give a .csv or .parquet file")
    query = f"SELECT * FROM {reader}(?) USING SAMPLE reservoir({SAMPLE_ROWS} ROWS) REPEATABLE (1)"  # noqa: S608
    try:
        with duckdb.connect() as database:
            columns: dict[str, NDArray[Any]] = database.execute(query, [str(path)]).fetchnumpy()
    except duckdb.Error as error:
        raise ModelError(
            f"the data cannot be read: {str(error).splitlines()[0]}",
            where=str(path),
            fix="check the path and the format",
        ) from error
    if not columns or not len(next(iter(columns.values()))):
        raise ModelError("the data has no rows", where=str(path), fix="give rows like those of training")
    return columns


def pack(columns: Mapping[str, NDArray[Any]]) -> Packed:
    """Plain values, None for missing; columns that are neither number, bool nor text (dates) stay behind."""
    packed: Packed = {}
    for name, column in columns.items():
        if np.asarray(column).dtype.kind in "fiubOUT":
            values = np.ma.asarray(column).tolist()
            packed[name] = [None if value is None or value != value else value for value in values]
    return packed


def unpack(packed: Packed) -> dict[str, NDArray[Any]]:
    """Columns again: float64 with NaN where numbers are missing, int64 and bool where none is, objects for texts.

    >>> unpack({"age": [1, None], "city": ["Rome", None]})["age"]
    array([ 1., nan])
    """
    return {name: _column(values) for name, values in packed.items()}


def _column(values: list[float | int | bool | str | None]) -> NDArray[Any]:
    if any(isinstance(value, str) for value in values):
        return np.array(values, dtype=object)
    if None in values:
        return np.array([np.nan if value is None else value for value in values], np.float64)
    return np.array(values)
