"""How far sums of scores may go before people are told: normal tails, or the series' own where they are heavier.

`seasonal` calls these once a day of its walk. They never look forward.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri

from gyroscope.stats.arrays import Floats

SPANS = (1, 2, 4)
"""Hours that are added up: one spike, and what goes on for two or four hours."""

LEAST_HISTORY = 168
CORRELATED = 0.3
_BODY = 0.95
_MOST_DECAY = 1.5


def scan(z: Floats, rho: float) -> Floats:
    """Sums of the last k scores over sqrt(k), k = 1, 2, 4.

    Parameters
    ----------
    z : float64 array, shape (T,)
        NaN: no score; a sum over it is none either.
    rho : float
        Correlation of scores one hour apart. Above 0.3 the single score is taken beyond what the one before
        announced, two are divided by their true standard deviation, and four are not added up.

    Returns
    -------
    float64 array, shape (3, T)

    Examples
    --------
    >>> scan(np.array([3.0, 4.0]), 0.0).round(2).tolist()
    [[3.0, 4.0], [nan, 4.95], [nan, nan]]
    """
    if rho <= CORRELATED:
        return np.stack([_sums(z, span) / math.sqrt(span) for span in SPANS])
    before = np.concatenate(([np.nan], z[:-1]))[: z.size]
    fresh = (z - rho * np.where(np.isfinite(before), before, 0.0)) / math.sqrt(1 - rho * rho)
    return np.stack([fresh, _sums(z, 2) / math.sqrt(2 + 2 * rho), np.full_like(z, np.nan)])


def correlation(z: Floats) -> float:
    """Correlation of scores one hour apart, 0 to 0.9; scores beyond 4 count as 4.

    Parameters
    ----------
    z : float64 array, shape (T,)

    Examples
    --------
    >>> correlation(np.array([1.0, -1.0] * 50))
    0.0
    """
    a, b = np.clip(z[:-1], -4, 4), np.clip(z[1:], -4, 4)
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < LEAST_HISTORY:
        return 0.0
    power = math.sqrt(float((a[both] ** 2).sum() * (b[both] ** 2).sum()))
    return min(max(float((a[both] * b[both]).sum()) / power, 0.0), 0.9) if power else 0.0


def thresholds(history: Floats, p: float) -> Floats:
    """The threshold of each span: a bin beyond it has about the probability p.

    Parameters
    ----------
    history : float64 array, shape (3, T)
        The scans of the last weeks.
    p : float
        0 to 0.05.

    Returns
    -------
    float64 array, shape (3,)
        max(normal quantile, q + beta log(0.05 / p)): q the 95 % point of the sizes seen, beta how fast they fall off
        beyond it.

    Notes
    -----
    Exceedances over a high point are about exponential (Pickands 1975, Ann. Stat. 3, 119). The caller
    leaves out what went beyond a threshold before: a spike that was found must not hide the next one.

    Examples
    --------
    >>> thresholds(np.full((3, 0), np.nan), 1e-4).round(2).tolist()
    [3.89, 3.89, 3.89]
    """
    normal = -float(ndtri(p / 2))
    return np.array([max(normal, _tail(np.abs(sizes[np.isfinite(sizes)]), p)) for sizes in history])


def _tail(sizes: Floats, p: float) -> float:
    if sizes.size < LEAST_HISTORY:
        return 0.0
    body = float(np.quantile(sizes, _BODY))
    beyond = sizes[sizes > body] - body
    if not beyond.size:
        return body
    # For exponential tails the two agree. A day of outage is 24 scores of 20: their mean would hide the next 8 weeks.
    decay = min(float(beyond.mean()), _MOST_DECAY * float(np.median(beyond)) / math.log(2))
    return body + decay * math.log((1 - _BODY) / p)


def _sums(z: Floats, span: int) -> Floats:
    """Of each place, the sum of the last `span` scores; NaN near the start."""
    padded = np.concatenate((np.full(span - 1, np.nan), z))
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, span).sum(axis=1), np.float64)
