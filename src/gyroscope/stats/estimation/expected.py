"""Every metric of a binary classifier as it is to be expected from scores alone, once they are calibrated.

`estimator.py` and the relation check call this. It never sees a label.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from gyroscope.records import NotEnoughData
from gyroscope.stats.arrays import Floats
from gyroscope.stats.estimation.calibration import Calibration
from gyroscope.stats.estimation.scores import Scores
from gyroscope.stats.performance.average_precision import average_precision

_LEAST = np.finfo(np.float64).eps

LOSSES = ("brier", "log_loss")
"""Metrics that are means of a loss of each row."""


class ExpectedLoss(NamedTuple):
    """The mean over a window's rows, and the variance that scores and labels leave in it."""

    value: float
    of_scores: float
    of_labels: float


def expected_metrics(
    scores: Scores, calibration: Calibration, wanted: Sequence[str] = ()
) -> dict[str, float | NotEnoughData]:
    """Accuracy, precision, recall, false-positive rate, F1, AUC, average precision, Brier score, log loss, positives.

    Parameters
    ----------
    scores : Scores
    calibration : Calibration
    wanted : sequence of str, optional
        These alone; all of them without.

    Returns
    -------
    dict of str to float or NotEnoughData

    Notes
    -----
    Confidence-based performance estimation (Kivimaki et al. 2025, arXiv:2407.08649 and 2505.05295): each row is
    positive with the calibrated share of its score; metrics are those of the expected counts.

    Examples
    --------
    >>> sure = Scores.of(np.array([0.0, 1.0]), 0.5)
    >>> known = expected_metrics(sure, Calibration(np.array([0.0, 1.0]), np.array([0.0, 1.0])))
    >>> round(known["accuracy"], 3), round(known["auc"], 3)
    (1.0, 1.0)
    """
    share = calibration(scores.s)
    positive, negative = scores.counts * share, scores.counts * (1 - share)
    said = scores.is_positive
    tp, fp = float(positive[said].sum()), float(negative[said].sum())
    fn, tn = float(positive[~said].sum()), float(negative[~said].sum())
    ways: dict[str, Callable[[], float | NotEnoughData]] = {
        "accuracy": lambda: _ratio(tp + tn, tp + fp + fn + tn, "no row"),
        "precision": lambda: _ratio(tp, tp + fp, "no row was predicted positive"),
        "recall": lambda: _ratio(tp, tp + fn, "no row is expected to be positive"),
        "false_positive_rate": lambda: _ratio(fp, fp + tn, "no row is expected to be negative"),
        "f1": lambda: _ratio(2 * tp, 2 * tp + fp + fn, "no row is positive, neither expected nor predicted"),
        "auc": lambda: _ratio(*_pairs(positive, negative), "one class alone is expected"),
        "average_precision": lambda: _average_precision(positive, negative),
        **{name: partial(_mean_loss, name, scores, share) for name in LOSSES},
        "positives": lambda: _ratio(tp + fn, tp + fp + fn + tn, "no row"),
    }
    return {name: measure() for name, measure in ways.items() if not wanted or name in wanted}


def expected_loss(metric: str, scores: Scores, calibration: Calibration) -> ExpectedLoss | NotEnoughData:
    """A mean loss to be expected, and the variance of it that comes from which rows came, and from their labels.

    Parameters
    ----------
    metric : "brier" or "log_loss"
    scores : Scores
    calibration : Calibration

    Examples
    --------
    >>> half = Calibration(np.array([0.0, 1.0]), np.array([0.5, 0.5]))
    >>> found = expected_loss("brier", Scores.of(np.full(100, 0.75), 0.5), half)
    >>> round(found.value, 3), round(found.of_scores, 3), round(found.of_labels, 5)
    (0.313, 0.0, 0.00063)
    """
    return _expected_loss(metric, scores, calibration(scores.s))


def _expected_loss(metric: str, scores: Scores, share: Floats) -> ExpectedLoss | NotEnoughData:
    n = scores.n
    if not n:
        return NotEnoughData("no row")
    s, weight = scores.s, scores.counts / n
    if metric == "brier":
        if_positive, if_negative = (1 - s) ** 2, s**2
    else:
        if_positive, if_negative = -np.log(np.maximum(s, _LEAST)), -np.log(np.maximum(1 - s, _LEAST))
    of_row = share * if_positive + (1 - share) * if_negative
    value = float((weight * of_row).sum())
    spread = float((weight * (of_row - value) ** 2).sum())
    by_label = float((weight * share * (1 - share) * (if_positive - if_negative) ** 2).sum())
    return ExpectedLoss(value, spread / n, by_label / n)


def _ratio(part: float, whole: float, why_not: str) -> float | NotEnoughData:
    return part / whole if whole > 0 else NotEnoughData(why_not)


def _pairs(positive: Floats, negative: Floats) -> tuple[float, float]:
    """Pairs in order, ties one half, and all pairs."""
    won = float((positive * (np.cumsum(negative) - negative / 2)).sum())
    return won, float(positive.sum() * negative.sum())


def _average_precision(positive: Floats, negative: Floats) -> float | NotEnoughData:
    if not positive.sum() > 0:
        return NotEnoughData("no row is expected to be positive")
    return average_precision(positive, negative)[0]


def _mean_loss(metric: str, scores: Scores, share: Floats) -> float | NotEnoughData:
    found = _expected_loss(metric, scores, share)
    return found if isinstance(found, NotEnoughData) else found.value
