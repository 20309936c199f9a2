"""A number with its 95 % interval, and the intervals of shares and means.

Performance, monitoring and reports call this. An interval here is about the rows of this window only: it
treats them as independent and knows nothing about the difference between windows.
"""

from __future__ import annotations

import math

import msgspec

from gyroscope.records import NotEnoughData

Z_95 = 1.959963984540054
"""The normal distribution leaves 2.5 % beyond it on each side."""


class Estimate(msgspec.Struct, frozen=True):
    """A value, its 95 % interval for this window only, and the number of rows that support it.

    Examples
    --------
    >>> Estimate(0.5, 0.1, 0.9, 4).n
    4
    """

    value: float
    low: float
    high: float
    n: int


def share_estimate(hits: int, n: int, what: str = "rows", *, support: float = 1.0) -> Estimate | NotEnoughData:
    """The share hits / n with the score interval.

    Parameters
    ----------
    hits, n : int
        0 <= hits <= n.
    what : str
        What is counted, for the reason when there is nothing.
    support : float
        Rows behind one that is counted, above 0: 1 / k where each stands for k.

    Returns
    -------
    Estimate or NotEnoughData
        `NotEnoughData` when n is 0. The interval never leaves [0, 1] and is never empty. `n` is the effective one.

    Notes
    -----
    Wilson 1927, J. Am. Stat. Assoc. 22, 209.

    Examples
    --------
    >>> estimate = share_estimate(9, 10)
    >>> estimate.value, round(estimate.low, 4), round(estimate.high, 4)
    (0.9, 0.5958, 0.9821)
    >>> share_estimate(0, 0, "labelled rows")
    NotEnoughData(reason='no labelled rows')
    """
    if n == 0:
        return NotEnoughData(f"no {what}")
    low, high = wilson(hits / n, n * support)
    return Estimate(hits / n, low, high, round(n * support))


def wilson(share: float, n: float) -> tuple[float, float]:
    """The score interval of a share seen in n (possibly effective, fractional) rows.

    Parameters
    ----------
    share : float
        0 to 1.
    n : float
        Above 0.

    Returns
    -------
    (low, high) : floats in [0, 1]

    Notes
    -----
    Wilson 1927, J. Am. Stat. Assoc. 22, 209.

    Examples
    --------
    >>> low, high = wilson(1.0, 10)
    >>> round(low, 3), high
    (0.722, 1.0)
    """
    spread = Z_95 * Z_95 / n
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * share * (1 - share) + spread * spread / 4) / (1 + spread)
    # At 0 and 1 the interval touches the end exactly; rounding would leave it 1e-17 short.
    low = 0.0 if share == 0 else max(middle - half, 0.0)
    high = 1.0 if share == 1 else min(middle + half, 1.0)
    return low, high


def mean_estimate(mean: float, variance: float, n: float) -> Estimate:
    """A mean of n independent values with its normal interval, mean +- 1.96 sqrt(variance / n).

    Parameters
    ----------
    mean, variance : float
        Of the values; the variance in their unit squared.
    n : float
        At least 2; fractional where rows are weighted.

    Returns
    -------
    Estimate

    Notes
    -----
    The central limit theorem; good from about 30 rows on.

    Examples
    --------
    >>> estimate = mean_estimate(10.0, 4.0, 100)
    >>> round(estimate.low, 2), round(estimate.high, 2)
    (9.61, 10.39)
    """
    half = Z_95 * math.sqrt(max(variance, 0.0) / n)
    return Estimate(mean, mean - half, mean + half, round(n))


def bounded_mean_estimate(mean: float, variance: float, n: float) -> Estimate:
    """A mean of n independent values in [0, 1], with an interval that stays in [0, 1] and is never empty.

    Parameters
    ----------
    mean, variance : float
        Of the values; the variance with divisor n.
    n : float
        At least 1; fractional where rows are weighted.

    Returns
    -------
    Estimate
        Normal interval, cut to [0, 1]. Where all values are alike (or there is one) the score interval, which is
        wide enough for any values in [0, 1] with this mean.

    Notes
    -----
    Wilson 1927: among values in [0, 1] with mean m, the variance is at most m (1 - m), that of a share.

    Examples
    --------
    >>> round(bounded_mean_estimate(0.5, 0.01, 100).high, 4)
    0.5196
    >>> bounded_mean_estimate(0.0, 0.0, 4).high > 0.4
    True
    """
    if n < 2 or variance <= 0:
        return Estimate(mean, *wilson(mean, n), round(n))
    normal = mean_estimate(mean, variance, n)
    return Estimate(mean, max(normal.low, 0.0), min(normal.high, 1.0), normal.n)
