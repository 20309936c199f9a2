"""Evidence that the mean of window differences is above a margin, at every look, with their variance unknown.

The paired gate and the margin of the canary call these. Windows are the unit: rows of a day agree with each other,
and a test on rows calls a good week a better model.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import log_ndtr, stdtr

from gyroscope.stats.arrays import Floats

PRIORS = (0.1, 0.5, 2.0)
"""Variances of the normal prior on the mean in standard deviations, averaged."""

_STEPS = 60


def log_e_above(differences: Floats, margin: float = 0.0) -> Floats:
    """Log of the evidence, after each window, that the mean is above the margin.

    Parameters
    ----------
    differences : float64 array, shape (T,)
        One per window, finite.
    margin : float

    Returns
    -------
    float64 array, shape (T,)
        0 after the first window: one alone says nothing about its own noise.

    Notes
    -----
    The one-sample t test martingale with the right-Haar prior on the variance and a normal prior on the standardised
    mean, averaged over three of its variances, one-sided (Perez-Ortiz, Lardy, de Heide & Grunwald 2024,
    arXiv 2208.07610; Wang & Ramdas 2023, arXiv 2310.03722). Valid at every look while windows are exchangeable.

    Examples
    --------
    >>> log_e_above(np.array([1.0, 1.2, 0.8, 1.1, 0.9])).round(1).tolist()
    [0.0, 1.0, 1.8, 2.9, 4.1]
    """
    x = np.asarray(differences, np.float64) - margin
    k, mean, rss = _running(x / _scale(x))
    return _log_mixture(k, mean, rss, is_one_sided=True)


def interval(differences: Floats, alpha: float = 0.05) -> tuple[Floats, Floats]:
    """The mean of window differences after each window: an interval that holds at every look together.

    Parameters
    ----------
    differences : float64 array, shape (T,)
        Finite.
    alpha : float
        Chance, over all looks together, that it misses; two-sided.

    Returns
    -------
    (low, high) : float64 arrays, shape (T,)
        Infinite after one window.

    Notes
    -----
    All means that the two-sided evidence does not refute: it is below 1 / alpha for them (Ville 1939). Found by
    bisection, as the evidence grows with the distance.

    Examples
    --------
    >>> low, high = interval(np.array([1.0, 1.2, 0.8, 1.1, 0.9, 1.0, 1.1, 0.9]))
    >>> round(float(low[-1]), 2), round(float(high[-1]), 2)
    (0.78, 1.22)
    """
    x = np.asarray(differences, np.float64)
    scale = _scale(x)
    k, mean, rss = _running(x / scale)
    limit = math.log(1 / alpha)
    inner, outer = np.zeros_like(mean), np.sqrt(rss / k) * 1e6 + 1e-300
    is_bounded = _log_mixture(k, outer, rss, is_one_sided=False) > limit
    for _ in range(_STEPS):
        # Halving on the logarithm's scale: the half width may be a millionth of where the search begins.
        middle = np.where(inner > 0, np.sqrt(inner * outer), outer * 1e-8)
        is_out = _log_mixture(k, middle, rss, is_one_sided=False) > limit
        inner, outer = np.where(is_out, inner, middle), np.where(is_out, middle, outer)
    half = np.where(is_bounded, outer, np.inf)
    return scale * (mean - half), scale * (mean + half)


def _scale(x: Floats) -> float:
    """What brings the values to within 1, so that no square overflows."""
    return float(np.abs(x).max(initial=0.0)) or 1.0


def _running(x: Floats) -> tuple[Floats, Floats, Floats]:
    """Windows so far, their mean, and the sum of squares around it."""
    k = np.arange(1.0, x.size + 1)
    center = x[0] if x.size else 0.0  # squares of what differs from the first: no cancellation
    total, square = np.cumsum(x - center), np.cumsum((x - center) ** 2)
    return k, center + total / k, np.maximum(square - total**2 / k, 0.0)


def _log_mixture(k: Floats, mean: Floats, rss: Floats, *, is_one_sided: bool) -> Floats:
    hb2 = k * mean**2
    is_usable = (k > 1) & (rss + hb2 > 0)
    rss = np.where(is_usable, np.maximum(rss, 1e-300), 1.0)
    parts = []
    for g in PRIORS:
        q = 1 + g * k
        growth = np.log((rss + hb2) / (rss + hb2 / q))
        part = 0.5 * (k * growth - np.log(q))
        if is_one_sided:
            part = part + math.log(2) + _log_student(k, np.sign(mean) * np.sqrt(k * np.expm1(growth)))
        parts.append(part)
    mixed = np.logaddexp.reduce(parts, axis=0) - math.log(len(PRIORS))
    return np.where(is_usable, mixed, 0.0)


def _log_student(degrees: Floats, t: Floats) -> Floats:
    """log P(T <= t); where the probability underflows, that of a normal, which is smaller still."""
    share = stdtr(degrees, t)
    is_far = share < 1e-280
    return np.asarray(np.where(is_far, log_ndtr(t), np.log(np.where(is_far, 1.0, share))), np.float64)
