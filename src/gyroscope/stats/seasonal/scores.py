"""How surprising a bin is: a normal score of what came against what was expected, and the noise it is measured in.

`seasonal` calls these for a day at a time. They never see the calendar.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betainc, ndtri

from gyroscope.stats.arrays import Floats

BASE_ERROR = 1.05
"""What is expected is itself an average of some ten noisy values: a fifth more variance."""

_FLOOR = 0.3  # expected counts below this are taken as this, else one request at night is a miracle
_NORMAL = 1e7  # counts beyond are normal to four digits, and the beta function takes seconds for them
_FAR = 38.0  # beyond it probabilities underflow


def count_scores(y: Floats, expected: Floats, dispersion: float) -> Floats:
    """Normal scores of counts.

    Parameters
    ----------
    y, expected : float64 arrays, shape (T,)
        NaN gives NaN.
    dispersion : float
        Variance over mean, above 1.

    Returns
    -------
    float64 array, shape (T,)
        Within +-38.

    Notes
    -----
    The mid-probability (Lancaster 1961, J. Am. Stat. Assoc. 56, 223) of the negative binomial with that mean and
    variance, whose distribution function is a regularised incomplete beta function.

    Examples
    --------
    >>> count_scores(np.array([100.0, 140.0]), np.array([100.0, 100.0]), 1.2).round(1).tolist()
    [0.0, 3.4]
    """
    mean = np.clip(expected, _FLOOR, None)
    is_usable = np.isfinite(y) & np.isfinite(mean)
    if (mean[is_usable] > _NORMAL).any():
        return np.where(is_usable, np.clip((y - mean) / np.sqrt(dispersion * mean), -_FAR, _FAR), np.nan)
    size, p = mean / (dispersion - 1), 1 / dispersion
    k = np.where(np.isfinite(y), y, 0.0)
    at_most = (betainc(size, k + 1, p) + np.where(k > 0, betainc(size, np.maximum(k, 1), p), 0.0)) / 2
    at_least = (betainc(k + 1, size, 1 - p) + np.where(k > 0, betainc(np.maximum(k, 1), size, 1 - p), 1.0)) / 2
    # Each score from the smaller tail: 1 - 1e-20 is no number.
    z = np.where(at_most < at_least, _quantile(at_most), -_quantile(at_least))
    return np.where(is_usable, z, np.nan)


def dispersion_of(y: Floats, expected: Floats, *, is_robust: bool = True) -> float:
    """Variance over mean of counts around what was expected, at least 1; with the error of the base.

    Parameters
    ----------
    y, expected : float64 arrays, shape (T,)
        The last weeks; NaN is left out.
    is_robust : bool
        The median of |y - m| / sqrt(m), times 1.4826, squared: half of the hours may be anything. Otherwise the mean of
        (y - m)^2 / m: where only the hour of the day is known, what weekends differ by is noise.

    Returns
    -------
    float

    Examples
    --------
    >>> dispersion_of(np.array([90.0, 100.0, 110.0]), np.full(3, 100.0)) > 2
    True
    """
    mean = np.maximum(expected, _FLOOR)
    sizes = np.abs((y - mean) / np.sqrt(mean))
    sizes = sizes[np.isfinite(sizes)]
    if not sizes.size:
        return BASE_ERROR
    variance = (1.4826 * float(np.median(sizes))) ** 2 if is_robust else float((sizes * sizes).mean())
    return BASE_ERROR * max(1.0, variance)


def between_hours(y: Floats, expected: Floats, within: Floats, *, is_robust: bool = True) -> float:
    """Variance of shares or means around what was expected, beyond what their rows explain.

    Parameters
    ----------
    y, expected, within : float64 arrays, shape (T,)
        The last weeks; NaN is left out.
    is_robust : bool
        Residuals are cut at three robust standard deviations.

    Returns
    -------
    float
        At least 0, in the unit of y squared.

    Notes
    -----
    DerSimonian & Laird 1986, Control. Clin. Trials 7, 177, around a known mean.

    Examples
    --------
    >>> round(between_hours(np.array([1.0, -1.0] * 10), np.zeros(20), np.full(20, 0.25)), 2)
    0.75
    """
    residuals = y - expected
    usable = np.isfinite(residuals) & np.isfinite(within)
    if not usable.any():
        return 0.0
    residuals, within = residuals[usable], within[usable]
    reach = 3 * 1.4826 * float(np.median(np.abs(residuals))) if is_robust else np.inf
    weights = 1 / np.maximum(within, 1e-300)
    weights /= weights.max()
    excess = np.minimum(np.abs(residuals), reach) ** 2 - within
    return max(0.0, float((weights * excess).sum() / weights.sum()))


def _quantile(p: Floats) -> Floats:
    return np.asarray(np.maximum(ndtri(p), -_FAR), np.float64)
