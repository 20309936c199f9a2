"""Metrics of a regression from exact sums of powers of errors and labels.

`metrics` calls `regression_metrics`. It never sees a row.
"""

from __future__ import annotations

import math
from fractions import Fraction

from gyroscope.records import NotEnoughData
from gyroscope.stats.intervals import Z_95, Estimate, mean_estimate
from gyroscope.stats.performance.outcomes import Outcomes
from gyroscope.stats.sums import UNIT_BITS

_LEVEL_TO_SPREAD = 1_000  # beyond it the fourth moment of the labels, and with it the interval, is rounding noise

_NAMES = ("mae", "rmse", "bias", "r2")


def regression_metrics(outcomes: Outcomes) -> dict[str, Estimate | NotEnoughData]:
    """Mean absolute error, root mean squared error, bias (mean of output - label) and R2.

    Parameters
    ----------
    outcomes : Outcomes
        Of task "regression".

    Returns
    -------
    dict of str to Estimate or NotEnoughData
        In the unit of the label; R2 has none. Two rows are needed, and none beyond 1e75. R2 is not known where the
        labels' mean is more than 1,000 of their standard deviations.

    Notes
    -----
    MAE, bias: normal interval. RMSE: normal interval of log(mean squared error) with variance (kurtosis - 1) / n.
    R2 = 1 - A / B: delta method, influence -e^2 / B + A (y - mean)^2 / B^2 (van der Vaart 1998, chapter 3).

    Examples
    --------
    >>> import numpy as np
    >>> from gyroscope.stats.performance import tally
    >>> known = regression_metrics(tally("regression", np.array([1.0, 2.0, 5.0]), np.array([1.0, 2.0, 3.0])))
    >>> round(known["mae"].value, 4), round(known["bias"].value, 4), known["r2"].value
    (0.6667, 0.6667, -1.0)
    """
    n = outcomes.n * outcomes.support
    if n < 2 or outcomes.huge:
        return dict.fromkeys(_NAMES, _why_not(outcomes))
    mean = {name: Fraction(total, outcomes.n << UNIT_BITS) for name, total in outcomes.sums.items()}
    return {
        "mae": _mean(mean["abs_e"], mean["e2"], n),
        "rmse": _rmse(mean["e2"], mean["e4"], n),
        "bias": _mean(mean["e"], mean["e2"], n),
        "r2": _r2(mean, n),
    }


def _why_not(outcomes: Outcomes) -> NotEnoughData:
    if outcomes.huge:
        return NotEnoughData(f"{outcomes.huge} rows have an output or a label beyond 1e75")
    return NotEnoughData("1 labelled row; an interval needs 2" if outcomes.n else "no labelled row")


def _mean(first: Fraction, second: Fraction, n: float) -> Estimate:
    return mean_estimate(float(first), float(second - first * first), n)


def _rmse(e2: Fraction, e4: Fraction, n: float) -> Estimate:
    if not e2:
        return Estimate(0.0, 0.0, 0.0, round(n))
    value = math.sqrt(e2)
    # e2 is the square of the value: its logarithm moves twice as far as that of the value, hence the half.
    half = Z_95 * math.sqrt(max(float(e4 / (e2 * e2)) - 1, 0.0) / n) / 2
    return Estimate(value, value * math.exp(-half), value * math.exp(min(half, 700.0)), round(n))


def _r2(mean: dict[str, Fraction], n: float) -> Estimate | NotEnoughData:
    a, m = mean["e2"], mean["y"]
    b = mean["y2"] - m * m
    if b <= 0 or m * m > _LEVEL_TO_SPREAD**2 * b:
        return NotEnoughData("the labels hardly differ from each other; R2 compares with their spread")
    cross = mean["e2y2"] - 2 * m * mean["e2y"] + m * m * a
    fourth = mean["y4"] - 4 * m * mean["y3"] + 6 * m * m * mean["y2"] - 3 * m**4
    variance = mean["e4"] / b**2 - 2 * a * cross / b**3 + a * a * fourth / b**4
    try:
        return mean_estimate(float(1 - a / b), float(variance), n)
    except OverflowError:
        return NotEnoughData("the labels' spread is too small to divide by")
