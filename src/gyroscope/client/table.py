"""What people hold, as columns by name: dicts, lists of records, numpy, pandas, Polars, Arrow.

`bodies.py` encodes what comes out of here. Nothing is cut or rounded: a value that cannot be sent is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gyroscope.errors import InputError

Column = NDArray[Any] | list[Any]
"""An array of numbers or bools, where NaN is missing, or a list of plain values of one kind, where None is too."""

_SENT = "biuf"
_PLAIN = {bool, int, float, str, type(None)}


def read_table(rows: Any) -> dict[str, Column] | NDArray[Any]:
    """Columns by name, or the matrix whose columns have no names.

    >>> read_table([{"age": 41, "plan": "basic"}, {"age": None, "plan": "plus"}])
    {'age': [41, None], 'plan': ['basic', 'plus']}

    Raises `InputError` for what is no table.
    """
    if isinstance(rows, Mapping):
        found = _of_mapping(rows)
    elif isinstance(rows, np.ndarray):
        if rows.dtype.names is None:
            return _matrix(rows)
        found = {name: _column(rows[name], name) for name in rows.dtype.names}
    elif isinstance(rows, Sequence) and not isinstance(rows, str | bytes):
        if not (rows and isinstance(rows[0], Mapping)):
            return _matrix(rows)
        names = dict.fromkeys(name for record in rows for name in record)
        found = {str(name): _column([record.get(name) for record in rows], str(name)) for name in names}
    else:
        found = _of_frame(rows)
    if len({len(column) for column in found.values()}) != 1:
        lengths = ", ".join(f"{name}: {len(column)}" for name, column in list(found.items())[:5])
        raise InputError(f"columns of one length are needed, not {lengths or 'none'}", where="rows")
    return found


def _of_mapping(rows: Mapping[Any, Any]) -> dict[str, Column]:
    """Columns, or one record."""
    is_record = not any(_is_column(values) for values in rows.values())
    return {str(name): _column([values] if is_record else values, str(name)) for name, values in rows.items()}


def _is_column(values: Any) -> bool:
    return not isinstance(values, str | bytes) and hasattr(values, "__len__")


def _of_frame(frame: Any) -> dict[str, Column]:
    if _is_pandas(frame) and hasattr(frame, "columns"):
        return {str(name): _column(frame.iloc[:, place], str(name)) for place, name in enumerate(frame.columns)}
    if not hasattr(frame, "__arrow_c_stream__"):
        raise InputError(
            f"a {type(frame).__name__} is not a table",
            where="rows",
            fix="pass a dict of columns, a list of records, an array, or a frame of pandas, Polars or Arrow",
        )
    from arro3.core import Table

    table = Table.from_arrow(frame)
    return {name: _column(column, name) for name, column in zip(table.column_names, table.columns, strict=True)}


def _column(values: Any, name: str) -> Column:
    if isinstance(values, list):
        return _plain(values, name)
    if isinstance(values, np.ndarray):
        is_sent = values.dtype.kind in _SENT and values.ndim == 1
        return values if is_sent else _plain(values.tolist(), name)
    if _is_pandas(values):
        return _of_series(values, name)
    if hasattr(values, "__arrow_c_stream__") or hasattr(values, "__arrow_c_array__"):
        return _of_arrow(values, name)
    return _plain(list(values), name)


def _of_series(values: Any, name: str) -> Column:
    kind = getattr(values.dtype, "kind", "O")
    if kind == "f":
        return np.asarray(values.to_numpy(dtype=getattr(values.dtype, "numpy_dtype", values.dtype), na_value=np.nan))
    if kind in _SENT and not values.hasnans:
        return np.asarray(values.to_numpy(dtype=getattr(values.dtype, "numpy_dtype", values.dtype)))
    cells = zip(values.tolist(), values.isna().tolist(), strict=True)
    return _plain([None if is_missing else value for value, is_missing in cells], name)


def _of_arrow(values: Any, name: str) -> Column:
    from arro3.core import ChunkedArray, DataType

    column: Any = ChunkedArray.from_arrow(values)
    if DataType.is_numeric(column.type) and not column.null_count:
        return np.asarray(column.to_numpy())
    return _plain([value.as_py() for value in column], name)


def _plain(values: list[Any], name: str) -> list[Any]:
    """The values, when they are of one kind that can be sent."""
    kinds = set(map(type, values))
    if not kinds <= _PLAIN:
        values = [value.item() if isinstance(value, np.generic) else value for value in values]
        kinds = set(map(type, values))
    kinds.discard(type(None))
    if kinds <= _PLAIN and (len(kinds) < 2 or kinds == {int, float}):
        return values
    held = " and ".join(sorted(kind.__name__ for kind in kinds - _PLAIN or kinds))
    raise InputError(f"values of {held} cannot be sent", where=name, fix="send numbers, bools or texts")


def _matrix(rows: Any) -> NDArray[Any]:
    try:
        matrix = np.asarray(rows)
    except ValueError:
        matrix = np.empty(0)
    if matrix.ndim != 2 or matrix.dtype.kind not in _SENT:
        raise InputError(
            "without names of columns, rows must be a matrix of numbers",
            where="rows",
            fix="pass a dict of columns or a list of records",
        )
    return matrix


def _is_pandas(thing: Any) -> bool:
    return type(thing).__module__.partition(".")[0] == "pandas"
