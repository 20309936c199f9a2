"""Exact sums of floats, kept as integers, so that they merge bit for bit in any order.

Every finite float64 is a multiple of 2**-1074, so a sum of them is an integer in that unit. Python's integers
hold it without rounding: about 140 bytes for ordinary values. Profiles and outcomes call this.
"""

from __future__ import annotations

import math

import numpy as np

from gyroscope.stats.arrays import Floats, Ints

UNIT_BITS = 1074
"""A sum of S stands for S * 2**-1074: the least positive float64."""

_CHUNK = 1 << 16  # fewer at once are no faster
_SPARE_BITS = 5
_MOST_BITS = 1022 - _SPARE_BITS  # beyond it the number that cuts would be no float
_LEAST_EXPONENT = -1022
_FEW = 32  # fewer rests are summed faster one by one
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
    Error-free extraction (Rump, Ogita & Oishi 2008, SIAM J. Sci. Comput. 31, 189; Demmel & Nguyen 2013, ARITH 21): the
    leading bits of all values are cut off at one place, so that their float sum is exact, then those of the rest. What
    two cuts leave is summed per exponent, as in a small superaccumulator (Neal 2015, arXiv:1505.05571).

    Examples
    --------
    >>> [as_float(total) for total in exact_sums(np.array([[1e308, 1.0, -1e308], [0.1, 0.2, 0.3]]))]
    [1.0, 0.6]
    """
    return [exact_sum(row) for row in rows]


def exact_sum(values: Floats, ends: tuple[float, float] | None = None, least: float | None = None) -> int:
    """The sum of a flat array of finite values, shape (n,), in units of 2**-1074.

    Whoever knows between which `ends` all of them are, and that none is smaller than `least`, saves looking for it.

    Examples
    --------
    >>> as_float(exact_sum(np.array([0.5, 0.25])))
    0.75
    """
    flat = np.ascontiguousarray(values)
    if not flat.size:
        return 0
    low, high = ends or (float(flat.min()), float(flat.max()))
    if least is None:
        least = low if low > 0 else float(np.abs(flat).min())
    greatest = max(high, -low)
    return sum(_sum_chunk(flat[start : start + _CHUNK], greatest, least) for start in range(0, flat.size, _CHUNK))


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


def _sum_chunk(values: Floats, greatest: float, least: float) -> int:
    """The sum of values whose sizes are between these."""
    bits, last = math.frexp(greatest)[1], max(math.frexp(least)[1] - 53, -UNIT_BITS)
    if bits > _MOST_BITS:
        return _sum_rest(values)
    total, rest = 0, values
    cut, left = np.empty_like(values), np.empty_like(values)
    for _ in range(2):
        top = max(bits + _SPARE_BITS + 1, _LEAST_EXPONENT)
        place, sigma = top - 52, 1.5 * 2.0**top
        np.add(rest, sigma, out=cut)
        total += _steps_beyond(sigma, cut) << (place + UNIT_BITS)
        if least and place <= last:  # no value has a bit below the place: nothing is left
            return total
        cut -= sigma
        rest = np.subtract(rest, cut, out=left)
        bits = place - 1
    return total + _sum_rest(rest[rest != 0])


def _steps_beyond(sigma: float, cut: Floats) -> int:
    """How many steps of a last bit these floats are beyond sigma together: their bits count them, as integers do.

    The sum of the bits runs over, that of the steps does not: 2**16 steps of less than 2**47 fit into 64 bits.
    """
    over = int(cut.view(np.int64).sum()) - cut.size * int(np.float64(sigma).view(np.int64))
    return (over + (1 << 63)) % (1 << 64) - (1 << 63)


def _sum_rest(values: Floats) -> int:
    if values.size > _FEW:
        return _sum_by_exponent(values)
    ratios = (value.as_integer_ratio() for value in values.tolist())
    return sum(number << (UNIT_BITS + 1 - divisor.bit_length()) for number, divisor in ratios)


def _sum_by_exponent(values: Floats) -> int:
    bits = values.view(np.int64)
    exponent = (bits >> 52) & 0x7FF
    mantissa = (bits & _MANTISSA) | ((exponent > 0).astype(np.int64) << 52)
    mantissa = np.where(bits < 0, -mantissa, mantissa)
    shift = np.maximum(exponent, 1) - 1
    # Zeros add nothing; at their own exponent they would make the table a thousand cells wide.
    least = int(shift.min(initial=int(shift.max()), where=mantissa != 0))
    cell = np.maximum(shift - least, 0)
    high, low = _summed(cell, mantissa >> _LOW_BITS), _summed(cell, mantissa & ((1 << _LOW_BITS) - 1))
    places = np.flatnonzero((high != 0) | (low != 0)).tolist()
    return sum(((int(high[step]) << _LOW_BITS) + int(low[step])) << (step + least) for step in places)


def _summed(cell: Ints, part: Ints) -> Floats:
    # 2**27 times 2**16 rows stays below 2**53: the float sums inside bincount are exact.
    return np.bincount(cell, weights=part).astype(np.float64, copy=False)
