"""What counts as a column: arrays, or texts as Arrow lays them out, read as floats or as tallies of strings.

Fitting and counting call this. A missing value is NaN, NaT, None or a masked entry; it never raises for a value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gyroscope.errors import GyroscopeError
from gyroscope.stats.arrays import Floats, Ints
from gyroscope.stats.texts import Texts

Column = npt.NDArray[Any] | Texts

_NUMBERS = "biufMm"


def row_count(columns: Mapping[str, Column]) -> int:
    """The common length of the columns, 0 without columns.

    Raises
    ------
    GyroscopeError
        When two columns differ in length or one is not flat.

    Examples
    --------
    >>> row_count({"x": np.zeros(3), "y": np.zeros(3)})
    3
    """
    shapes = {name: values.shape for name, values in columns.items()}
    for name, shape in shapes.items():
        if len(shape) != 1 or shape != next(iter(shapes.values())):
            raise GyroscopeError(
                f"column {name!r} has shape {shape}, others {next(iter(shapes.values()))}",
                where=f"columns[{name!r}]",
                fix="pass flat arrays of one length",
            )
    return next(iter(shapes.values()))[0] if shapes else 0


def is_numeric(values: Column) -> bool:
    """Whether a column is counted on numeric bins: bool, integer, float, date or duration.

    Examples
    --------
    >>> is_numeric(np.array([True])), is_numeric(np.array(["a", None], dtype=object))
    (True, False)
    """
    return not isinstance(values, Texts) and values.dtype.kind in _NUMBERS


def as_floats(values: Column) -> Floats:
    """A column as float64, shape (n,), NaN where missing; dates become microseconds since 1970, durations microseconds.

    Text that is no number is missing as well: a numeric column that turned into text has no numbers in it.

    Examples
    --------
    >>> as_floats(np.array(["1970-01-01T00:00:01", "NaT"], dtype="datetime64[s]")).tolist()
    [1000000.0, nan]
    >>> as_floats(np.array([1, None, "x"], dtype=object)).tolist()
    [1.0, nan, nan]
    """
    if isinstance(values, Texts):
        values = np.array(values.tolist(), dtype=object)
    if type(values) is not np.ndarray and isinstance(values, np.ma.MaskedArray):  # np.ma is imported when asked for
        return np.where(np.ma.getmaskarray(values), np.nan, as_floats(values.data))
    if values.dtype == np.float64:
        return values
    if values.dtype.kind in "mM":
        micros = values.astype(f"{values.dtype.kind}8[us]")
        return np.where(np.isnat(micros), np.nan, micros.astype(np.int64))
    if values.dtype.kind in "biuf":
        with np.errstate(over="ignore"):  # a longdouble beyond float64 becomes inf, and is counted as such
            return values.astype(np.float64, copy=False)
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError):
        return np.array([_number(value) for value in values.tolist()], np.float64)


def as_texts(values: Column) -> Texts:
    """A column as texts, shape (n,): anything that is not a string is its `str()`.

    Examples
    --------
    >>> as_texts(np.array(["a", None, float("nan"), 3], dtype=object)).tolist()
    ['a', None, None, '3']
    """
    return values if isinstance(values, Texts) else Texts.of(listed_texts(values))


def listed_texts(values: npt.NDArray[Any]) -> list[str | None]:
    """As `as_texts`, as Python's own texts.

    >>> listed_texts(np.array([True, 1, 1.0, None], dtype=object))
    ['True', '1', '1.0', None]
    """
    listed: list[Any] = values.tolist()
    return [
        value if type(value) is str else None if value is None or value != value else str(value) for value in listed
    ]


def taken(values: Column, rows: Ints) -> Column:
    """Some rows of a column, with their own bytes and no others.

    Examples
    --------
    >>> taken(Texts.of(["JFK", "LGA"]), np.array([1])).data.tobytes()
    b'LGA'
    """
    return values[rows].compact() if isinstance(values, Texts) else values[rows]


def tally_strings(values: Column) -> tuple[dict[str, int], int]:
    """How often each string occurs, and how many entries are missing.

    Anything that is not a string counts under its `str()`.

    Parameters
    ----------
    values : array, shape (n,)

    Returns
    -------
    (counts, missing) : dict of str to int, int

    Examples
    --------
    >>> tally_strings(np.array(["a", None, "a", float("nan"), 3], dtype=object))
    ({'a': 2, '3': 1}, 2)
    """
    if isinstance(values, Texts):
        return values.tally()
    # tolist() makes None of masked entries, Counter counts in C: the loop runs over different values, not over rows.
    counts: dict[str, int] = {}
    missing = 0
    for value, count in _counted(values.tolist()).items():
        if value is None or value != value:
            missing += count
        else:
            text = value if type(value) is str else str(value)
            counts[text] = counts.get(text, 0) + count
    return counts, missing


def _counted(values: list[Any]) -> Counter[Any]:
    try:
        return Counter(values)
    except TypeError:  # lists and their like have no hash
        return Counter(
            value if value is None or isinstance(value, str | float | int) else str(value) for value in values
        )


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return float("nan")
