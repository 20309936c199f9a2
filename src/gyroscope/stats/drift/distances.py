"""The distances between two distributions that people ask for by name, always defined.

`drift` calls these. None of them has an interval: they are shown beside their mean under no drift.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gyroscope.stats.arrays import Floats, Ints


class NullMeans(NamedTuple):
    """About what each distance shows when nothing has changed."""

    psi: float
    js: float
    hellinger: float


def total_variation(p: Floats, q: Floats, noise: float) -> float:
    """Half the sum of |p - q|, corrected for sampling noise.

    Parameters
    ----------
    p, q : float64 arrays, shape (K,)
        Shares.
    noise : float
        1 / N + 1 / n of the effective rows.

    Returns
    -------
    float
        sqrt(max(0, TV^2 - E0[TV]^2)), 0 to 1. Plain subtraction would show 0.03 for a true 0.10 at 200 rows, 20 cells.

    Examples
    --------
    >>> total_variation(np.array([0.5, 0.5]), np.array([0.25, 0.75]), 0.0)
    0.25
    """
    tv = 0.5 * float(np.abs(p - q).sum())
    pooled = (p + q) / 2
    null = 0.5 * float(np.sqrt(2 / math.pi * pooled * (1 - pooled) * noise).sum())
    return math.sqrt(max(tv * tv - null * null, 0.0))


def psi(reference: Ints, current: Ints) -> float:
    """Population stability index, sum (q - p) log(q / p), with half a row added to each cell that either side uses.

    Parameters
    ----------
    reference, current : int64 arrays, shape (K,)
        Counts.

    Returns
    -------
    float
        At least 0; finite also where a cell is empty on one side.

    Examples
    --------
    >>> psi(np.array([50, 50, 0]), np.array([50, 50, 0]))
    0.0
    >>> round(psi(np.array([5000, 5000]), np.array([4000, 6000])), 3)
    0.041
    """
    used = (reference + current) > 0
    p, q = reference[used] + 0.5, current[used] + 0.5
    p, q = p / p.sum(), q / q.sum()
    return float(((q - p) * np.log(q / p)).sum())


def jensen_shannon(p: Floats, q: Floats) -> float:
    """Jensen-Shannon distance: the root of the divergence to base 2.

    Parameters
    ----------
    p, q : float64 arrays, shape (K,)
        Shares.

    Returns
    -------
    float
        0 to 1.

    Notes
    -----
    Endres & Schindelin 2003, IEEE Trans. Inf. Theory 49, 1858: the root of the divergence is a metric.

    Examples
    --------
    >>> jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    1.0
    """
    middle = (p + q) / 2
    return math.sqrt(max((_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2, 0.0))


def hellinger(p: Floats, q: Floats) -> float:
    """Hellinger distance, sqrt(1 - sum sqrt(p q)).

    Parameters
    ----------
    p, q : float64 arrays, shape (K,)
        Shares.

    Returns
    -------
    float
        0 to 1.

    Examples
    --------
    >>> hellinger(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    1.0
    """
    return math.sqrt(0.5 * float(((np.sqrt(p) - np.sqrt(q)) ** 2).sum()))


def kolmogorov(reference: Ints, current: Ints) -> float | None:
    """Greatest difference of the distribution functions at the bin edges, among finite values.

    Parameters
    ----------
    reference, current : int64 arrays, shape (K,)
        Counts in the order of the values.

    Returns
    -------
    float or None
        0 to 1; a lower bound of the two-sample Kolmogorov-Smirnov statistic. None when a side has no finite value.

    Examples
    --------
    >>> kolmogorov(np.array([5, 5, 0]), np.array([0, 5, 5]))
    0.5
    """
    if not reference.sum() or not current.sum():
        return None
    gap = np.cumsum(reference) / reference.sum() - np.cumsum(current) / current.sum()
    return float(np.abs(gap).max())


def null_means(p: Floats, q: Floats, noise: float) -> NullMeans:
    """What sampling noise alone makes of the distances.

    Parameters
    ----------
    p, q : float64 arrays, shape (K,)
        Shares.
    noise : float
        1 / N + 1 / n of the effective rows.

    Returns
    -------
    NullMeans
        Each distance is locally a multiple of chi-square with K - 1 degrees of freedom, K the cells in use: its mean
        for PSI, the root of it for the other two.

    Notes
    -----
    Second-order expansion of f-divergences around p = q (Csiszar & Shields 2004, section 4).

    Examples
    --------
    >>> round(null_means(np.array([0.5, 0.5]), np.array([0.5, 0.5]), 0.01).psi, 3)
    0.01
    """
    degrees = max(int(((p + q) > 0).sum()) - 1, 0)
    chi = degrees * noise
    return NullMeans(psi=chi, js=min(math.sqrt(chi / (8 * math.log(2))), 1.0), hellinger=min(math.sqrt(chi / 8), 1.0))


def _relative_entropy(p: Floats, middle: Floats) -> float:
    used = p > 0
    return float((p[used] * np.log2(p[used] / middle[used])).sum())
