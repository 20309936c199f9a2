"""How much rows of one window have in common, and how many independent rows they are worth.

Monitoring calls this on the windows of the reference. A day of 900 rows at an intraclass correlation of 0.1 says as
much as 10 independent rows; treating it as 900 makes normal days look alarming.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from gyroscope.records import NotEnoughData
from gyroscope.stats.arrays import Floats

_SQUARABLE = 1e150


class Variance(msgspec.Struct, frozen=True):
    """Mean of the windows, variance between them, and intraclass correlation tau2 / (tau2 + s2).

    Examples
    --------
    >>> Variance(mean=0.1, tau2=0.01, icc=0.1).icc
    0.1
    """

    mean: float
    tau2: float
    icc: float


def intraclass(values: Floats, sizes: Floats, s2: float) -> Variance | NotEnoughData:
    """Variance between windows beyond what their finite rows explain.

    Parameters
    ----------
    values : float array, shape (D,)
        One mean per window. NaN and infinite ones are left out.
    sizes : array, shape (D,)
        Rows behind each; windows of no rows are left out.
    s2 : float
        Variance of one row within its window, above 0, in the unit of the values squared.

    Returns
    -------
    Variance or NotEnoughData
        `NotEnoughData` for fewer than two windows, an s2 that is not above 0, or values beyond 1e150.

    Notes
    -----
    The moment estimate of DerSimonian & Laird 1986, Control. Clin. Trials 7, 177: with w = size / s2, weighted mean m
    and Q = sum w (y - m)^2, tau2 = max(0, (Q - (D - 1)) / (sum w - sum w^2 / sum w)); m is then weighted by
    1 / (s2 / size + tau2).

    Examples
    --------
    >>> intraclass(np.array([0.0, 2.0]), np.array([100, 100]), 1.0)
    Variance(mean=1.0, tau2=1.99, icc=0.6655518394648829)
    """
    y, n = np.asarray(values, np.float64), np.asarray(sizes, np.float64)
    usable = np.isfinite(y) & (n > 0)
    y, n = y[usable], n[usable]
    if y.size < 2:
        return NotEnoughData(f"{y.size} windows with a value; a variance between windows needs 2")
    if not (math.isfinite(s2) and s2 > 0):
        return NotEnoughData(f"the variance within windows is {s2:g}; it must be above 0")
    if float(np.abs(y).max()) > _SQUARABLE:
        return NotEnoughData(f"values beyond {_SQUARABLE:g} cannot be squared")
    w = n / n.sum()
    m = float((w * y).sum())
    excess = float((w * (y - m) ** 2).sum()) - (y.size - 1) * s2 / float(n.sum())
    tau2 = max(0.0, excess / (1 - float((w * w).sum())))
    weights = 1 / (s2 / n + tau2) if tau2 else w
    return Variance(float((weights * y).sum() / weights.sum()), tau2, tau2 / (tau2 + s2))


def effective_rows(n: float, icc: float) -> float:
    """How many independent rows n rows of one window are worth.

    Parameters
    ----------
    n : float
        Rows.
    icc : float
        Intraclass correlation, 0 to 1.

    Returns
    -------
    float
        n / (1 + (n - 1) icc); 0 for no rows.

    Notes
    -----
    The design effect of Kish 1965, Survey Sampling, section 5.4.

    Examples
    --------
    >>> effective_rows(900, 0.0), round(effective_rows(900, 0.1), 1)
    (900.0, 9.9)
    """
    return float(n / (1 + (n - 1) * icc)) if n > 0 else 0.0
