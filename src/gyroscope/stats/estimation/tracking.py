"""Estimates of windows in a row, corrected by the labels of those before.

Monitoring draws a `Track` as estimated against realised. It never uses a label before its time, and never alarms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from gyroscope.records import NotEnoughData
from gyroscope.stats.arrays import Floats
from gyroscope.stats.estimation.estimator import Estimator, shrunk, t_quantile, within_range
from gyroscope.stats.estimation.scores import Scores
from gyroscope.stats.performance.metrics import metrics
from gyroscope.stats.performance.outcomes import Outcomes

HALF_LIFE = 14.0
"""Windows after which a residual counts half in the level: two weeks of days. With one week the level's own noise made
recall on the flights worse than without labels (row E1)."""

_STEP = 0.02
_ALPHA = 0.05
_LEAST_ALPHA = 1e-4  # below it the interval is everything a metric can be


class Track(msgspec.Struct, frozen=True, eq=False):
    """Estimates of T windows with 95 % intervals, and what labels said; NaN where not known, each of shape (T,)."""

    estimate: Floats
    low: Floats
    high: Floats
    realised: Floats

    @property
    def coverage(self) -> float | NotEnoughData:
        """The share of the realised values that their interval covers."""
        known = np.isfinite(self.realised) & np.isfinite(self.estimate)
        if not known.any():
            return NotEnoughData("no window has an estimate and labels")
        inside = (self.low <= self.realised) & (self.realised <= self.high)
        return float(inside[known].mean())


def track(
    estimator: Estimator,
    windows: Sequence[Scores],
    outcomes: Sequence[Outcomes | NotEnoughData],
    metric: str = "brier",
    delay: int = 1,
) -> Track:
    """Estimate each window from its scores and from the labels of windows before it.

    Parameters
    ----------
    estimator : Estimator
    windows : sequence of Scores, length T
        All rows of each window, oldest first.
    outcomes : sequence of Outcomes or NotEnoughData, length T
        The labelled rows of mature windows.
    metric : str
    delay : int
        Windows after which labels are there, at least 1: window t is estimated from residuals up to t - delay.

    Returns
    -------
    Track

    Notes
    -----
    The level of recent residuals (half-life fourteen windows, shrunk by what chance makes of it) is added to the
    estimate. The interval is as wide as that of `Estimator.estimate`, for one minus a level a that is corrected after
    every window, a + 0.02 (0.05 - missed): its coverage is 95 % in the long run whatever happens (Gibbs & Candes 2021,
    arXiv:2106.00170).

    Examples
    --------
    >>> from gyroscope.stats.estimation import fit_estimator
    >>> from gyroscope.stats.performance import tally
    >>> rng = np.random.default_rng(0)
    >>> def day(p, bias):
    ...     return tally("binary", p, rng.random(p.size) < p + bias)
    >>> estimator = fit_estimator([day(rng.random(400), 0.0) for _ in range(20)])
    >>> later = [day(0.2 * rng.random(400), 0.1) for _ in range(40)]
    >>> found = track(estimator, [Scores.from_outcomes(one) for one in later], later, "positives")
    >>> found.estimate[[0, -1]].round(1).tolist()
    [0.1, 0.2]
    """
    spread = estimator.spread(metric)
    plain = np.array([_plain(estimator, scores, metric) for scores in windows])
    realised = np.array([_realised(one, metric) for one in outcomes])
    if isinstance(spread, NotEnoughData) or not windows:
        nothing = np.full(len(windows), np.nan)
        return Track(nothing, nothing, nothing, realised)
    levels = _levels(realised - plain, float(np.nanvar(estimator.residuals[metric], ddof=1)), max(delay, 1))
    estimate = np.array([within_range(metric, value) for value in plain + levels])
    sd, freedom = spread
    half = _half_widths(realised - estimate, sd, freedom, max(delay, 1))
    low, high = ([within_range(metric, value) for value in ends] for ends in (estimate - half, estimate + half))
    return Track(estimate, np.array(low), np.array(high), realised)


def _plain(estimator: Estimator, scores: Scores, metric: str) -> float:
    value = estimator.expected(scores, (metric,))[metric]
    return math.nan if isinstance(value, NotEnoughData) else value


def _realised(outcomes: Outcomes | NotEnoughData, metric: str) -> float:
    if isinstance(outcomes, NotEnoughData):
        return math.nan
    value = metrics(outcomes)[metric]
    return math.nan if isinstance(value, NotEnoughData) else value.value


def _levels(residuals: Floats, variance: float, delay: int) -> Floats:
    """Before each window, the exponentially weighted mean of the residuals known by then, from 0 on, shrunk.

    `variance` is that of one residual while nothing has changed.
    """
    gain = 1 - 0.5 ** (1 / HALF_LIFE)
    by_chance = variance * gain / (2 - gain)
    levels, level = np.zeros(residuals.size), 0.0
    for at in range(delay, residuals.size):
        off = residuals[at - delay] - level
        level += gain * off if math.isfinite(off) else 0.0
        levels[at] = shrunk(level, by_chance)
    return levels


def _half_widths(errors: Floats, sd: float, freedom: int, delay: int) -> Floats:
    alpha, half = _ALPHA, np.empty(errors.size)
    for at in range(errors.size):
        before = at - delay
        if before >= 0 and math.isfinite(errors[before]):
            alpha += _STEP * (_ALPHA - (abs(errors[before]) > half[before]))
        half[at] = math.inf if alpha <= _LEAST_ALPHA else sd * t_quantile(min(alpha, 1.0), freedom)
    return half
