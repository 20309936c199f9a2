"""A series of hours: counts, shares or means, in the form in which they are held against the same hour of other weeks.

Monitoring makes these from its cells, people from arrays. A bin that is not complete, or has nothing in it to take a
share or a mean of, is NaN: it is neither scored nor learned from. A complete bin without traffic is a count of 0.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from gyroscope.stats.arrays import Floats, Ints

SLOTS = 168
"""Hours of a week."""

Kind = Literal["count", "share", "mean"]


class Series(msgspec.Struct, frozen=True, eq=False):
    """Hourly bins in the order of time.

    Attributes
    ----------
    kind : "count", "share" or "mean"
    slots : int64 array, shape (T,)
        Hour of the week of each bin by the calendar of the people behind it, 0 (Monday 0:00) to 167. The hour that a
        clock change leaves out is not there, the one it repeats is there twice.
    y : float64 array, shape (T,)
        Counts; shares as 2 asin sqrt((x + 3/8) / (n + 3/4)); means as they are. NaN: no such bin.
    within : float64 array, shape (T,)
        The variance of y that its own rows explain, in the unit of y squared; not used for counts.

    Examples
    --------
    >>> counts(np.array([4, 0]), np.array([0, 1])).y.tolist()
    [4.0, 0.0]
    """

    kind: Kind
    slots: Ints
    y: Floats
    within: Floats


def counts(y: Floats | Ints, slots: Ints) -> Series:
    """A series of counts: requests, positives, errors.

    Parameters
    ----------
    y : array, shape (T,)
        NaN where a bin is not complete.
    slots : int array, shape (T,)
        Hour of the week, see `hours_of_week`.

    Examples
    --------
    >>> counts(np.array([4.0, np.nan]), np.array([0, 1])).kind
    'count'
    """
    return Series("count", np.asarray(slots, np.int64), np.asarray(y, np.float64), np.zeros(len(y)))


def shares(hits: Floats | Ints, n: Floats | Ints, slots: Ints) -> Series:
    """A series of shares: errors among requests, positives among predictions, latencies over a limit, missing values.

    Parameters
    ----------
    hits, n : arrays, shape (T,)
        0 <= hits <= n; n = 0 or NaN leaves the bin out.
    slots : int array, shape (T,)

    Notes
    -----
    Anscombe 1948, Biometrika 35, 246: 2 asin sqrt((x + 3/8) / (n + 3/4)) has variance 1 / (n + 1/2) at every share.

    Examples
    --------
    >>> found = shares(np.array([5, 0]), np.array([10, 0]), np.array([0, 1]))
    >>> found.y.round(4).tolist(), found.within.round(4).tolist()
    ([1.5708, nan], [0.0952, nan])
    """
    x, rows = np.asarray(hits, np.float64), np.asarray(n, np.float64)
    rows = np.where((rows > 0) & (x >= 0) & (x <= rows), rows, np.nan)
    y = 2 * np.arcsin(np.sqrt((x + 0.375) / (rows + 0.75)))
    return Series("share", np.asarray(slots, np.int64), y, 1 / (rows + 0.5))


def means(y: Floats, variance: Floats, n: Floats | Ints, slots: Ints) -> Series:
    """A series of means: scores, entropies, seconds.

    Parameters
    ----------
    y, variance, n : arrays, shape (T,)
        Mean and variance (divisor n - 1) of the rows of each bin, and how many they are; under 2 leaves the bin out.
    slots : int array, shape (T,)

    Examples
    --------
    >>> means(np.array([0.3, 0.4]), np.array([0.2, 0.2]), np.array([100, 1]), np.array([0, 1])).within.tolist()
    [0.002, nan]
    """
    rows = np.asarray(n, np.float64)
    usable = (rows >= 2) & np.isfinite(y) & (np.asarray(variance) >= 0)
    within = np.where(usable, variance, np.nan) / np.where(usable, rows, 1.0)
    return Series("mean", np.asarray(slots, np.int64), np.where(usable, y, np.nan), within)


def hours_of_week(first: int, length: int) -> Ints:
    """The slots of consecutive hours without a change of clocks.

    Parameters
    ----------
    first : int
        Hour of the week of the first, 0 is Monday 0:00.
    length : int

    Returns
    -------
    int64 array, shape (length,)

    Examples
    --------
    >>> hours_of_week(166, 4).tolist()
    [166, 167, 0, 1]
    """
    return (first + np.arange(length, dtype=np.int64)) % SLOTS
