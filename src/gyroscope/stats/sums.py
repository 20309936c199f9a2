"""Exact sums of floats, kept as integers, so that they merge bit for bit in any order.

Every finite float64 is a multiple of 2**-1074, so a sum of them is an integer in that unit. Python's integers
hold it without rounding: about 140 bytes for ordinary values. Profiles and outcomes call this.
"""

from __future__ import annotations

import numpy as np

from gyroscope.stats.arrays import Floats, Ints

UNIT_BITS = 1074
"""A sum of S stands for S * 2**-1074: the least positive float64."""

_CHUNK = 1 << 16
_LOW_BITS = 27
_MANTISSA = (1 << 52) - 1


def exact_sums(rows: Floats) -> list[int]:
    """The sum of each row, without any rounding.

    Parameters
    ----------
    rows : float64 array, shape (k, n)
        Finite values.

    Returns
    -------
    list of int, length k
        In units of 2**-1074; adding two such sums is exact. `as_float` turns one into a float.

    Notes
    -----
    Mantissas are summed per exponent in two halves, each below 2**53, as in a small superaccumulator
    (Neal 2015, arXiv:1505.05571).

    Examples
    --------
    >>> [as_float(total) for total in exact_sums(np.array([[1e308, 1.0, -1e308], [0.1, 0.2, 0.3]]))]
    [1.0, 0.6]
    """
    totals = [0] * rows.shape[0]
    for start in range(0, rows.shape[1], _CHUNK):
        _add_chunk(totals, np.ascontiguousarray(rows[:, start : start + _CHUNK]))
    return totals


def exact_sum(values: Floats) -> int:
    """The sum of a flat array of finite values, shape (n,), in units of 2**-1074.

    Examples
    --------
    >>> as_float(exact_sum(np.array([0.5, 0.25])))
    0.75
    """
    return exact_sums(values[np.newaxis])[0]


def as_float(total: int, count: int = 1) -> float:
    """A sum, or the mean over `count`, rounded once.

    Parameters
    ----------
    total : int
        In units of 2**-1074.
    count : int
        At least 1.

    Returns
    -------
    float
        Correctly rounded; `inf` with the sign of the sum when it is beyond the range of a float.

    Examples
    --------
    >>> as_float(exact_sum(np.array([1.0, 2.0])), 2)
    1.5
    """
    try:
        return total / (count << UNIT_BITS)
    except OverflowError:
        return float("inf") if total > 0 else float("-inf")


def variance_of(total: int, squares: int, n: int) -> float:
    """The variance (divisor n) of n values from their exact sum and the exact sum of their squares.

    Parameters
    ----------
    total, squares : int
        In units of 2**-1074.
    n : int
        At least 1.

    Returns
    -------
    float
        At least 0. The difference is taken between integers; what remains is the rounding of the squares themselves,
        about 1e-16 times mean**2.

    Examples
    --------
    >>> values = np.array([1.0, 3.0])
    >>> variance_of(exact_sum(values), exact_sum(values**2), 2)
    1.0
    """
    try:
        return max(((n * squares << UNIT_BITS) - total * total) / (n * n << 2 * UNIT_BITS), 0.0)
    except OverflowError:
        return float("inf")


def _add_chunk(totals: list[int], rows: Floats) -> None:
    bits = rows.view(np.int64)
    exponent = (bits >> 52) & 0x7FF
    mantissa = (bits & _MANTISSA) | ((exponent > 0).astype(np.int64) << 52)
    mantissa = np.where(bits < 0, -mantissa, mantissa)
    shift = np.maximum(exponent, 1) - 1
    most = int(shift.max(initial=0))
    # Zeros add nothing; at their own exponent they would make the table a thousand cells wide.
    least = int(shift.min(initial=most, where=mantissa != 0))
    width = most - least + 1
    cell = (np.maximum(shift - least, 0) + np.arange(rows.shape[0])[:, np.newaxis] * width).ravel()
    high, low = _summed(cell, mantissa.ravel() >> _LOW_BITS), _summed(cell, mantissa.ravel() & ((1 << _LOW_BITS) - 1))
    for place in np.flatnonzero((high != 0) | (low != 0)).tolist():
        row, step = divmod(place, width)
        totals[row] += ((int(high[place]) << _LOW_BITS) + int(low[place])) << (step + least)


def _summed(cell: Ints, part: Ints) -> Floats:
    # 2**27 times 2**16 rows stays below 2**53: the float sums inside bincount are exact.
    return np.bincount(cell, weights=part).astype(np.float64, copy=False)
