"""Each metric on the scale where windows of it can be compared: its value there and what its rows explain of it.

`streams.py` asks for one window's point; figures go back with `natural`. Nothing here compares two windows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gyroscope.records import Task
from gyroscope.stats.arrays import Floats
from gyroscope.stats.buckets import bucket_middles
from gyroscope.stats.performance.average_precision import average_precision
from gyroscope.stats.performance.binary import auc_with_variance
from gyroscope.stats.performance.cells import confusion_of, counts_by_score
from gyroscope.stats.performance.outcomes import Outcomes
from gyroscope.stats.performance.ranking import hits_at_k
from gyroscope.stats.sums import as_float, variance_of

LEAST_ROWS = 30
LEAST_OF_CLASS = 20


class Point(NamedTuple):
    """A window's value on the metric's scale, the variance of one row's part in it, and the rows behind it.

    `support` is what must reach the metric's least: rows, or rows of the rarer class.
    """

    y: float
    s2: float
    rows: float
    support: float


class Scale(NamedTuple):
    """How a metric becomes a stream; `side` is +1 where more of it is harm. `is_pooled`: all windows share `s2`."""

    side: int
    least: int
    is_pooled: bool
    measure: Callable[[Outcomes, float], Point]
    natural: Callable[[Floats], Floats]


NO_POINT = Point(0.0, 0.0, 0.0, 0.0)


def arcsine_point(hits: float, of: float) -> Point:
    """A share on the scale where its variance is 1 / rows whatever it is.

    Parameters
    ----------
    hits, of : float
        Rows; 0 <= hits <= of.

    Notes
    -----
    2 asin sqrt((x + 3/8) / (n + 3/4)): Anscombe 1948, Biometrika 35, 246.

    Examples
    --------
    >>> round(arcsine_point(50, 100).y / np.pi, 6), arcsine_point(50, 100).s2
    (0.5, 1.0)
    """
    return Point(2 * math.asin(math.sqrt((hits + 0.375) / (of + 0.75))), 1.0, of, of)


def _share(choose: Callable[[Outcomes], tuple[int, int]]) -> Callable[[Outcomes, float], Point]:
    def measure(outcomes: Outcomes, _cap: float) -> Point:
        hits, of = choose(outcomes)
        return arcsine_point(hits * outcomes.support, of * outcomes.support)

    return measure


def _mean(name: str, squares: str = "") -> Callable[[Outcomes, float], Point]:
    def measure(outcomes: Outcomes, _cap: float) -> Point:
        if not outcomes.n or outcomes.huge:
            return NO_POINT
        total, second = outcomes.sums[name], outcomes.sums[squares or f"{name}_squares"]
        rows = outcomes.n * outcomes.support
        return Point(as_float(total, outcomes.n), variance_of(total, second, outcomes.n), rows, rows)

    return measure


def hits_of(outcomes: Outcomes) -> int:
    """Rows of a classifier whose class was predicted.

    Examples
    --------
    >>> from gyroscope.stats.performance import tally
    >>> hits_of(tally("multiclass", np.eye(3), np.array([0, 1, 1])))
    2
    """
    if outcomes.task == "binary":
        tp, _, _, tn = confusion_of(outcomes)
        return tp + tn
    label, said = np.divmod(outcomes.cells.keys, max(outcomes.classes, 1))
    return int(outcomes.cells.counts[label == said].sum())


def _accuracy(outcomes: Outcomes) -> tuple[int, int]:
    return hits_of(outcomes), outcomes.n


def _hits(outcomes: Outcomes) -> tuple[int, int]:
    return hits_at_k(outcomes), outcomes.n


def _recall(outcomes: Outcomes) -> tuple[int, int]:
    tp, _, fn, _ = confusion_of(outcomes)
    return tp, tp + fn


def _precision(outcomes: Outcomes) -> tuple[int, int]:
    tp, fp, _, _ = confusion_of(outcomes)
    return tp, tp + fp


def _false_positives(outcomes: Outcomes) -> tuple[int, int]:
    _, fp, _, tn = confusion_of(outcomes)
    return fp, fp + tn


def _f1(outcomes: Outcomes, _cap: float) -> Point:
    """log(2 tp / (fp + fn)), the logit of F1, with variance 1 / tp + 1 / (fp + fn); half a row keeps both finite."""
    tp, fp, fn, _ = confusion_of(outcomes)
    hits, errors = tp * outcomes.support, (fp + fn) * outcomes.support
    rows = hits + errors
    return Point(math.log((2 * hits + 1) / (errors + 0.5)), rows * (1 / (hits + 0.5) + 1 / (errors + 0.5)), rows, rows)


def _auc(outcomes: Outcomes, _cap: float) -> Point:
    positive, negative = counts_by_score(outcomes)
    p, n = int(positive.sum()), int(negative.sum())
    if not p or not n:
        return NO_POINT
    auc, variance = auc_with_variance(positive, negative, outcomes.support)
    return _logit_point(auc, variance, outcomes, (p * outcomes.support, n * outcomes.support))


def _ap(outcomes: Outcomes, _cap: float) -> Point:
    positive, negative = counts_by_score(outcomes)
    p, n = int(positive.sum()), int(negative.sum())
    if not p or not n:
        return NO_POINT
    value, variance = average_precision(positive, negative, outcomes.support)
    return _logit_point(value, variance, outcomes, (p * outcomes.support, n * outcomes.support))


def _logit_point(value: float, variance: float, outcomes: Outcomes, classes: tuple[float, float]) -> Point:
    """Half a pair keeps the logit finite, and the variance is never below that of as many independent pairs."""
    pairs, rows = classes[0] * classes[1], outcomes.n * outcomes.support
    inside = (value * pairs + 0.5) / (pairs + 1)
    spread = inside * (1 - inside)
    return Point(math.log(inside / (1 - inside)), rows * max(variance, spread / pairs) / spread**2, rows, min(classes))


def _rmse(outcomes: Outcomes, cap: float) -> Point:
    """log of the mean squared error, errors beyond `cap` counted as `cap`: one row cannot carry a window.

    Errors are those that stand for their buckets, in the reference and later: their mean square is 1e-4 off.
    """
    sizes, counts = np.minimum(np.abs(bucket_middles(outcomes.cells.keys)), cap), outcomes.cells.counts
    if outcomes.huge or not sizes.any():
        return NO_POINT
    e2 = float((counts * sizes**2).sum()) / outcomes.n
    kurtosis = float((counts * (sizes**2 / e2) ** 2).sum()) / outcomes.n
    rows = outcomes.n * outcomes.support
    return Point(math.log(e2), max(kurtosis - 1, 0.0), rows, rows)


def _from_arcsine(y: Floats) -> Floats:
    return np.sin(np.clip(y, 0.0, np.pi) / 2) ** 2


def _from_logit(y: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(y, -700.0, 700.0)))


def _from_log_square(y: Floats) -> Floats:
    return np.exp(np.clip(y, -1400.0, 1400.0) / 2)


def _as_it_is(y: Floats) -> Floats:
    return y


_ACCURACY = Scale(-1, LEAST_ROWS, False, _share(_accuracy), _from_arcsine)
_LOG_LOSS = Scale(1, LEAST_ROWS, True, _mean("log_loss"), _as_it_is)

SCALES: dict[Task, dict[str, Scale]] = {
    "binary": {
        "brier": Scale(1, LEAST_ROWS, True, _mean("brier"), _as_it_is),
        "accuracy": _ACCURACY,
        "precision": Scale(-1, LEAST_ROWS, False, _share(_precision), _from_arcsine),
        "recall": Scale(-1, LEAST_ROWS, False, _share(_recall), _from_arcsine),
        "false_positive_rate": Scale(1, LEAST_ROWS, False, _share(_false_positives), _from_arcsine),
        "f1": Scale(-1, LEAST_ROWS, False, _f1, _from_logit),
        "auc": Scale(-1, LEAST_OF_CLASS, False, _auc, _from_logit),
        "average_precision": Scale(-1, LEAST_OF_CLASS, False, _ap, _from_logit),
        "log_loss": _LOG_LOSS,
    },
    "multiclass": {"log_loss": _LOG_LOSS, "accuracy": _ACCURACY},
    "regression": {
        "mae": Scale(1, LEAST_ROWS, True, _mean("abs_e", "e2"), _as_it_is),
        "rmse": Scale(1, LEAST_ROWS, True, _rmse, _from_log_square),
    },
    "ranking": {
        **{name: Scale(-1, LEAST_ROWS, True, _mean(name), _as_it_is) for name in ("ndcg", "map", "mrr")},
        "hit_rate": Scale(-1, LEAST_ROWS, False, _share(_hits), _from_arcsine),
    },
}
"""By task; the first of each is the one that pages when nothing else is asked for."""
