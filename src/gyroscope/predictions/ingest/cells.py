"""Columns of values that came from anywhere, as numbers or texts; what fits no type is a fault of its row alone.

`given.py` asks. Columns of one plain type take the short way through numpy, all others value by value.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from gyroscope.records import Feature

FLOAT32_MOST = 3.4028234663852886e38
WHOLE = 2.0**53
NUMBERS = (int, float, Decimal, np.integer, np.floating, np.bool_)
PLAIN = {int, float, type(None)}


class Faults:
    """The first fault of each row."""

    def __init__(self, rows: int) -> None:
        self.none = np.ones(rows, dtype=bool)
        self._reasons: dict[int, str] = {}

    def add(self, row: int, reason: str) -> None:
        """Refuse one row."""
        if self.none[row]:
            self.none[row] = False
            self._reasons[row] = reason

    def where(self, rows: NDArray[np.bool_], reason: str) -> None:
        """Refuse all rows that are true."""
        if rows.any():
            for row in np.flatnonzero(rows).tolist():
                self.add(row, reason)

    def listed(self) -> list[tuple[int, str]]:
        """(row, reason), by row."""
        return sorted(self._reasons.items())


def numbers(values: Sequence[Any] | NDArray[Any], feature: Feature, faults: Faults) -> NDArray[np.float64]:
    """A column as float64, NaN where missing; true and false are 1 and 0.

    >>> faults = Faults(3)
    >>> numbers([1, None, "x"], Feature("age"), faults), faults.listed()
    (array([ 1., nan, nan]), [(2, "'age' must be a number, not 'x'")])
    """
    column = _plainly(values, PLAIN | {bool} if feature.dtype == "bool" else PLAIN)
    if column is None:
        column = np.array([_number(value, row, feature, faults) for row, value in enumerate(values)], dtype=np.float64)
    faults.where(np.isinf(column), f"{feature.name!r} is not finite")
    _check_kind(column, feature, faults)
    return column


def texts(
    values: Sequence[Any] | NDArray[Any] | None,
    name: str,
    faults: Faults,
    *,
    may_miss: bool = False,
    longest: int = 256,
) -> list[Any]:
    """A column as texts; what is missing is None where it may be, else an empty text."""
    found: list[Any] = []
    for row, value in enumerate(values if values is not None else ()):
        if isinstance(value, str) and len(value) <= longest:
            found.append(value)
            continue
        found.append(None if may_miss else "")
        if isinstance(value, str):
            faults.add(row, f"{name} has over {longest} characters")
        elif not _is_missing(value):
            faults.add(row, f"{name} must be a text, not {_shown(value)}")
    return found


def names(values: Sequence[Any]) -> list[Any]:
    """Ids out of a table: whole numbers and UUIDs as texts, all else as it is.

    >>> names([7, "a", None, 1.5])
    ['7', 'a', None, 1.5]
    """
    if set(map(type, values)) <= {str}:
        return list(values)
    return [str(value) if _is_name(value) else value for value in values]


def _is_name(value: Any) -> bool:
    return isinstance(value, int | np.integer | UUID) and not isinstance(value, bool)


def _plainly(values: Sequence[Any] | NDArray[Any], plain: set[type]) -> NDArray[np.float64] | None:
    """The column in one step; None when a value needs a look of its own."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "iufb":
        return values.astype(np.float64)
    if not set(map(type, values)) <= plain:
        return None
    try:
        return np.array(values, dtype=np.float64)
    except OverflowError:
        return None


def _number(value: Any, row: int, feature: Feature, faults: Faults) -> float:
    is_number = isinstance(value, NUMBERS) and (feature.dtype == "bool" or not isinstance(value, bool | np.bool_))
    if is_number:
        try:
            return float(value)
        except OverflowError:
            return float("inf")
    if not _is_missing(value):
        faults.add(row, f"{feature.name!r} must be a number, not {_shown(value)}")
    return float("nan")


def _check_kind(column: NDArray[np.float64], feature: Feature, faults: Faults) -> None:
    """Comparisons with NaN are false, so a missing value passes all of these."""
    if feature.dtype == "float32":
        faults.where(np.abs(column) > FLOAT32_MOST, f"{feature.name!r} is out of range for float32")
    elif feature.dtype == "int64":
        broken = (np.abs(column) > WHOLE) | (np.trunc(column) != column) & ~np.isnan(column)
        faults.where(broken, f"{feature.name!r} must be a whole number within 2^53")
    elif feature.dtype == "bool":
        faults.where(~np.isnan(column) & (column != 0) & (column != 1), f"{feature.name!r} must be true or false")


def _is_missing(value: Any) -> bool:
    """None, and the various not-a-numbers and not-a-times, none of which equals itself."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or _is_nan(value)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float | np.floating | np.datetime64) and bool(value != value)


def _shown(value: Any) -> str:
    return repr(value)[:40]
