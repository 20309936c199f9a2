"""What the first labels of a window say about all of its rows: bounds, maturity, and whether they are representative.

Monitoring calls this for windows whose labels are still coming. Pure; it raises no alarm.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from gyroscope.records import NotEnoughData
from gyroscope.stats.arrays import Floats
from gyroscope.stats.intervals import Z_95, Estimate
from gyroscope.stats.performance.arrivals import Arrivals

MOST_WEIGHT = 5.0
"""A label stands for five rows at most: beyond it a few of them would decide everything."""

MATURE_COVERAGE = 0.95
LEAST_COVERAGE = 0.5
LAG_SHARE = 0.95

_LEAST_LABELS = 30
_LEAST_PAST = 200
_SHRINKAGE = 20  # a group counts as if it had 20 labels more, which came as the others did
_LIMIT_SE = 2.0


class EarlyLabels(msgspec.Struct, frozen=True):
    """The share of wrong predictions among the labels that are there, as they are and weighted.

    Attributes
    ----------
    plain, weighted : Estimate
        With 95 % intervals for this window only; `weighted.n` is the effective number of labels.
    difference, se : float
        `weighted` less `plain`, and the standard error that it is held against.
    before, before_se : float
        In earlier windows, the share of wrong predictions among all labels less that among those of this age: it also
        sees rows whose label never comes so early, which no weight brings back. And its standard error.

    Examples
    --------
    >>> plain, weighted = Estimate(0.1, 0.08, 0.12, 900), Estimate(0.2, 0.15, 0.25, 500)
    >>> EarlyLabels(plain, weighted, 0.1, 0.02, 0.0, 0.01).is_representative
    False
    """

    plain: Estimate
    weighted: Estimate
    difference: float
    se: float
    before: float
    before_se: float

    @property
    def is_representative(self) -> bool:
        """Whether both differences are within two standard errors."""
        is_weighted_alike = abs(self.difference) <= _LIMIT_SE * self.se
        return is_weighted_alike and abs(self.before) <= _LIMIT_SE * math.hypot(self.se, self.before_se)


def loss_bounds(labelled_loss: float, labelled: float, rows: float) -> tuple[float, float] | NotEnoughData:
    """Between which values the mean loss of all rows must lie, whatever the missing labels say.

    Parameters
    ----------
    labelled_loss : float
        Sum of the losses of the labelled rows, each in [0, 1].
    labelled, rows : float
        Labelled rows and all rows.

    Returns
    -------
    (low, high) or NotEnoughData

    Notes
    -----
    Manski 1989, J. Human Resources 24, 343: every missing loss is 0, or every one is 1. Nothing is assumed.

    Examples
    --------
    >>> loss_bounds(10, 80, 100)
    (0.1, 0.3)
    """
    if rows <= 0:
        return NotEnoughData("no rows")
    return labelled_loss / rows, min((labelled_loss + max(rows - labelled, 0.0)) / rows, 1.0)


def is_mature(coverage: float, age_s: float, usual_lag_s: float | NotEnoughData) -> bool:
    """Whether a window's labels are there, as far as they will be.

    Parameters
    ----------
    coverage : float
        Labelled rows over all rows.
    age_s : float
        Seconds since the window ended.
    usual_lag_s : float or NotEnoughData
        The lag within which 95 % of the labels of the last 30 days came.

    Returns
    -------
    bool
        With 95 % of the labels, or as old as labels usually are late; never with less than half of them.

    Notes
    -----
    The maturity of a reporting triangle: once in, a window is not judged anew for every label that trickles in.

    Examples
    --------
    >>> is_mature(0.97, 0.0, 3600.0), is_mature(0.8, 7200.0, 3600.0), is_mature(0.4, 7200.0, 3600.0)
    (True, True, False)
    """
    is_old = not isinstance(usual_lag_s, NotEnoughData) and age_s >= usual_lag_s
    return coverage >= LEAST_COVERAGE and (coverage >= MATURE_COVERAGE or is_old)


def early_labels(now: Arrivals, past: Arrivals, ages_s: Floats, *, support: float = 1.0) -> EarlyLabels | NotEnoughData:
    """Hold the labels that are there against what such labels turned out to be before.

    Parameters
    ----------
    now : Arrivals
        The labels of the window so far.
    past : Arrivals
        Those of earlier windows that are mature.
    ages_s : float64 array
        Seconds since the predictions of the window, spread over it: how much time labels have had.
    support : float
        Rows behind one that is counted: 1 / k where a sampled log keeps one row in k.

    Returns
    -------
    EarlyLabels or NotEnoughData
        `NotEnoughData` below 30 labels now or 200 before.

    Notes
    -----
    The share pi of labels that were there by this age is taken from earlier windows, by bin of the score and by whether
    the prediction was wrong; each label counts 1 / pi times, five times at most (Horvitz & Thompson 1952, J. Am. Stat.
    Assoc. 47, 663; weights as in Hajek 1971). Small groups are shrunk to the whole. `se` is that of the plain share
    together with that of the estimated pi (delta method): a difference below it does not matter, or is not known.

    Examples
    --------
    >>> from gyroscope.stats.performance import count_arrivals
    >>> rng = np.random.default_rng(0)
    >>> labels = (rng.random(2_000) < 0.3).astype(float)
    >>> lags = rng.exponential(np.where(labels == 1, 36_000, 3_600))  # positives are labelled later
    >>> past = count_arrivals("binary", np.full(2_000, 0.2), labels, lags)
    >>> early = lags < 7_200
    >>> now = count_arrivals("binary", np.full(early.sum(), 0.2), labels[early], lags[early])
    >>> found = early_labels(now, past, np.array([7_200.0]))
    >>> round(found.plain.value, 2), round(found.weighted.value, 2), found.is_representative
    (0.08, 0.27, False)
    """
    if now.n * support < _LEAST_LABELS or past.n * support < _LEAST_PAST:
        return NotEnoughData(
            f"{now.n * support:g} labels now and {past.n * support:g} of mature windows before; "
            f"{_LEAST_LABELS} and {_LEAST_PAST} are needed"
        )
    groups = now.groups
    wrong = (groups & 1).astype(np.float64)
    counts = now.by_group(groups) * support
    pi, pi_variance = _came_in_time(past, groups, ages_s, support)
    weights = np.minimum(1 / np.maximum(pi, 1e-9), MOST_WEIGHT)
    plain, weighted = np.average(wrong, weights=counts), np.average(wrong, weights=counts * weights)
    shares = counts * weights / (counts * weights).sum()
    # What is capped does not move with pi.
    log_variance = np.where(pi > 1 / MOST_WEIGHT, pi_variance / np.maximum(pi, 1e-9) ** 2, 0.0)
    from_pi = float((shares**2 * (wrong - weighted) ** 2 * log_variance).sum())
    from_rows = float((shares**2 / counts * (wrong - weighted) ** 2).sum())
    n = float(counts.sum())
    plain_variance = float(plain * (1 - plain)) / n
    before, before_variance = _moved_before(past, ages_s, support)
    effective = float((counts * weights).sum() ** 2 / (counts * weights**2).sum())
    return EarlyLabels(
        plain=_estimate(float(plain), plain_variance, n),
        weighted=_estimate(float(weighted), from_rows + from_pi, effective),
        difference=float(weighted - plain),
        se=math.sqrt(plain_variance + from_pi),
        before=before,
        before_se=math.sqrt(before_variance),
    )


def _moved_before(past: Arrivals, ages_s: Floats, support: float) -> tuple[float, float]:
    """How much the share of wrong predictions grew from the labels of these ages to all labels, and its variance."""
    every = past.groups
    wrong = (every & 1).astype(np.float64)
    early, whole = past.by_group(every, ages_s) * support, past.by_group(every) * support
    if early.sum() < _LEAST_LABELS:
        return 0.0, 0.0
    share = float(np.average(wrong, weights=early))
    return float(np.average(wrong, weights=whole)) - share, share * (1 - share) / float(early.sum())


def _came_in_time(past: Arrivals, groups: np.ndarray, ages_s: Floats, support: float) -> tuple[Floats, Floats]:
    """Per group the share of labels that came within the ages, and its variance."""
    every = past.groups
    whole = float(past.by_group(every, ages_s).sum()) / past.n
    known, total = past.by_group(groups, ages_s) * support, past.by_group(groups) * support
    pi = (known + _SHRINKAGE * whole) / (total + _SHRINKAGE)
    return pi, pi * (1 - pi) / (total + _SHRINKAGE)


def _estimate(value: float, variance: float, n: float) -> Estimate:
    half = Z_95 * math.sqrt(variance)
    return Estimate(value, max(value - half, 0.0), min(value + half, 1.0), round(n))
