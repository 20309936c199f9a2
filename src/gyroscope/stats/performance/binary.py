"""Metrics of a binary classifier from counts of (score bin, label).

`metrics` calls `binary_metrics`; people who want to know how far a binned AUC may be off call `auc_bound`.
"""

from __future__ import annotations

import math

import numpy as np

from gyroscope.records import NotEnoughData
from gyroscope.stats.arrays import Ints
from gyroscope.stats.intervals import Z_95, Estimate, bounded_mean_estimate, mean_estimate, share_estimate, wilson
from gyroscope.stats.performance.average_precision import average_precision
from gyroscope.stats.performance.cells import confusion_of, counts_by_score
from gyroscope.stats.performance.outcomes import Outcomes
from gyroscope.stats.sums import as_float, variance_of

BINARY = (
    "accuracy",
    "precision",
    "recall",
    "false_positive_rate",
    "f1",
    "auc",
    "average_precision",
    "brier",
    "log_loss",
    "positives",
)
"""The names of `binary_metrics`, in the order they are shown."""

_NO_ROW = NotEnoughData("no labelled row")


def binary_metrics(outcomes: Outcomes) -> dict[str, Estimate | NotEnoughData]:
    """Accuracy, precision, recall, false-positive rate, F1, AUC, average precision, losses, share of positive labels.

    Parameters
    ----------
    outcomes : Outcomes
        Of task "binary".

    Returns
    -------
    dict of str to Estimate or NotEnoughData
        `n` of each estimate is the denominator: rows, predicted positives, positives, negatives, rows that are not
        true negatives; where rows are weighted, the effective number of them.

    Notes
    -----
    Shares: score interval (Wilson 1927). F1 = 2 J / (1 + J) with J = tp / (tp + fp + fn), a share given its
    denominator, so the score interval of J carries over. AUC: see `_auc`. Average precision: normal
    interval on the logit scale. Brier and log loss: normal interval.

    Examples
    --------
    >>> from gyroscope.stats.performance import tally
    >>> known = binary_metrics(tally("binary", np.array([0.9, 0.6, 0.2, 0.1]), np.array([1, 0, 0, 0])))
    >>> known["auc"].value, known["brier"].value, known["f1"].n
    (1.0, 0.105, 2)
    """
    if not outcomes.n:
        return dict.fromkeys(BINARY, _NO_ROW)
    tp, fp, fn, tn = confusion_of(outcomes)
    by_score, support = counts_by_score(outcomes), outcomes.support
    return {
        "accuracy": share_estimate(tp + tn, outcomes.n, support=support),
        "precision": share_estimate(tp, tp + fp, "row was predicted positive", support=support),
        "recall": share_estimate(tp, tp + fn, "row is labelled positive", support=support),
        "false_positive_rate": share_estimate(fp, fp + tn, "row is labelled negative", support=support),
        "f1": _f1(tp, fp + fn, support),
        "auc": _auc(*by_score, support),
        "average_precision": _average_precision(*by_score, support),
        "brier": _brier(outcomes),
        "log_loss": log_loss(outcomes),
        "positives": share_estimate(tp + fn, outcomes.n, support=support),
    }


def auc_bound(outcomes: Outcomes) -> float | NotEnoughData:
    """How far the AUC of binned scores may be from that of the scores themselves.

    Parameters
    ----------
    outcomes : Outcomes
        Of task "binary".

    Returns
    -------
    float or NotEnoughData
        A certain bound, not a probable one: pairs within a bin count one half and are off by at most one half each,
        sum_k pos_k neg_k / (2 P N).

    Examples
    --------
    >>> from gyroscope.stats.performance import tally
    >>> auc_bound(tally("binary", np.array([0.9, 0.2]), np.array([1, 0])))
    0.0
    """
    positive, negative = counts_by_score(outcomes)
    pairs = int(positive.sum()) * int(negative.sum())
    if not pairs:
        return _one_class(positive)
    return int((positive * negative).sum()) / (2 * pairs)


def log_loss(outcomes: Outcomes) -> Estimate | NotEnoughData:
    """The mean log loss (natural logarithm, probabilities cut at 2.2e-16) with a normal interval.

    Parameters
    ----------
    outcomes : Outcomes
        Of task "binary" or "multiclass".

    Returns
    -------
    Estimate or NotEnoughData
        `NotEnoughData` below two rows.

    Examples
    --------
    >>> from gyroscope.stats.performance import tally
    >>> round(log_loss(tally("binary", np.array([0.5, 0.5]), np.array([0, 1]))).value, 4)
    0.6931
    """
    rows = outcomes.n * outcomes.support
    if rows < 2:
        return NotEnoughData(f"{rows:g} labelled rows; a mean with an interval needs 2") if rows else _NO_ROW
    total, squares = outcomes.sums["log_loss"], outcomes.sums["log_loss_squares"]
    variance = variance_of(total, squares, outcomes.n)
    estimate = mean_estimate(as_float(total, outcomes.n), variance, rows)
    return Estimate(estimate.value, max(estimate.low, 0.0), estimate.high, estimate.n)


def _f1(tp: int, errors: int, support: float) -> Estimate | NotEnoughData:
    n = tp + errors
    if not n:
        return NotEnoughData("no row is positive, neither labelled nor predicted")
    low, high = wilson(tp / n, n * support)
    return Estimate(2 * tp / (n + tp), 2 * low / (1 + low), 2 * high / (1 + high), round(n * support))


def _brier(outcomes: Outcomes) -> Estimate:
    total, squares = outcomes.sums["brier"], outcomes.sums["brier_squares"]
    variance = variance_of(total, squares, outcomes.n)
    return bounded_mean_estimate(as_float(total, outcomes.n), variance, outcomes.n * outcomes.support)


def auc_with_variance(positive: Ints, negative: Ints, support: float = 1.0) -> tuple[float, float]:
    """The Mann-Whitney AUC of binned scores, ties one half, and its variance.

    Parameters
    ----------
    positive, negative : int64 array, shape (m,)
        Rows of each label by score bin, scores ascending; at least one of each.
    support : float
        Rows behind one that is counted: 1 / k where a sampled log keeps one row in k.

    Returns
    -------
    (auc, variance) : floats

    Notes
    -----
    DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44, 837.

    Examples
    --------
    >>> auc_with_variance(np.array([0, 1, 1]), np.array([1, 1, 0]))[0]
    0.875
    """
    p, n = int(positive.sum()), int(negative.sum())
    # Twice the rank among the other class, so that a tie is a whole number and the sum is exact.
    won = 2 * np.cumsum(negative) - negative
    lost = 2 * (p - np.cumsum(positive)) + positive
    auc = int((positive * won).sum()) / (2 * p * n)
    of_positive = _placement_variance(positive, won / (2 * n), support)
    return auc, of_positive + _placement_variance(negative, lost / (2 * p), support)


def _auc(positive: Ints, negative: Ints, support: float) -> Estimate | NotEnoughData:
    """The interval on the logit scale (Qin & Hotilovac 2008); where all pairs are in order the variance is 0: then the
    score interval with as many rows as the rarer class has.
    """
    p, n = int(positive.sum()), int(negative.sum())
    if not p or not n:
        return _one_class(positive)
    auc, variance = auc_with_variance(positive, negative, support)
    rows = round((p + n) * support)
    return _logit_estimate(auc, variance, rows) or Estimate(auc, *wilson(auc, min(p, n) * support), rows)


def _average_precision(positive: Ints, negative: Ints, support: float) -> Estimate | NotEnoughData:
    p, n = int(positive.sum()), int(negative.sum())
    if not p:
        return _one_class(positive)
    value, variance = average_precision(positive, negative, support)
    rows = round((p + n) * support)
    return _logit_estimate(value, variance, rows) or Estimate(value, *wilson(value, p * support), rows)


def _logit_estimate(value: float, variance: float, rows: int) -> Estimate | None:
    if variance <= 0 or not 0 < value < 1:
        return None
    logit, half = math.log(value / (1 - value)), Z_95 * math.sqrt(variance) / (value * (1 - value))
    return Estimate(value, _expit(logit - half), _expit(logit + half), rows)


def _placement_variance(counts: Ints, placements: np.ndarray, support: float) -> float:
    n = int(counts.sum())
    if n * support < 2:
        return 0.25  # one row of a class: the variance of its placement is unknown, at most that of 0 or 1
    mean = float((counts * placements).sum()) / n
    return float((counts * (placements - mean) ** 2).sum()) / (n * support - 1) / n


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


def _one_class(positive: Ints) -> NotEnoughData:
    return NotEnoughData("no row is labelled negative" if positive.sum() else "no row is labelled positive")
