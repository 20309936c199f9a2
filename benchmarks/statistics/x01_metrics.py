"""X1: metrics from what a profile keeps are scikit-learn's on the rows, for every task.

Rows are counted in windows, the counts go through their frozen bytes and are merged; scikit-learn sees every row.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import sklearn.metrics as sk

from benchmarks.rows import Row, at_most
from benchmarks.target import Options
from gyroscope.records import NotEnoughData
from gyroscope.stats.performance import (
    Outcomes,
    auc_bound,
    average_precision_bound,
    confusion,
    metrics,
    tally,
    tally_ranking,
)

WINDOWS, RANKED = 7, 10
ROUNDING = 1e-9
"""Relative, of means and of R2: the rounding of single rows."""

Array = np.ndarray
Compared = tuple[Outcomes, dict[str, float], Array | None]
"""What was counted, scikit-learn's metrics and its confusion matrix."""

Rng = np.random.Generator


def measure(options: Options) -> list[Row]:
    """200 data sets a task, 60 to 20,000 rows; 30 in a quick run."""
    n, rng = 30 if options.is_quick else 200, np.random.default_rng((1, options.seed))
    counts, means, beyond, compared = 0, 0.0, 0.0, 0
    for task in (_binary, _multiclass, _regression, _ranking):
        for _ in range(n):
            outcomes, theirs, matrix = task(int(rng.integers(60, 20_000 if rng.random() < 0.5 else 300)), rng)
            counts += matrix is not None and not np.array_equal(confusion(outcomes), matrix)
            ours = metrics(outcomes)
            for name, value in theirs.items():
                found = ours[name]
                off = np.inf if isinstance(found, NotEnoughData) else abs(found.value - value)
                compared += 1
                if name in ("auc", "average_precision"):
                    beyond = max(beyond, off - _bound(name, outcomes))
                elif name in EXACT:
                    counts += off > EXACT[name]
                else:
                    means = max(means, off / max(abs(value), 1e-12))
    return [
        at_most("X1", "metrics of counts that differ, confusion matrices among them", counts, 0, "", compared),
        at_most(
            "X1",
            "means of losses, RMSE, R2, NDCG and MAP: greatest relative difference",
            means,
            ROUNDING,
            "",
            compared,
        ),
        at_most(
            "X1", "AUC and average precision: how far beyond their stated bound at most", beyond, 1e-12, "", compared
        ),
    ]


# What is one division of two counts is equal to the bit; sums of such divisions to their rounding.
EXACT = {
    **dict.fromkeys(("accuracy", "precision", "recall", "positives", "hit_rate"), 0.0),
    **dict.fromkeys(("f1", "false_positive_rate", "precision_macro", "recall_macro", "f1_macro"), 1e-12),
}


def _bound(name: str, outcomes: Outcomes) -> float:
    bound = (auc_bound if name == "auc" else average_precision_bound)(outcomes)
    return 0.0 if isinstance(bound, NotEnoughData) else bound


def _merged(windows: list[Outcomes]) -> Outcomes:
    whole, *rest = (Outcomes.from_bytes(window.to_bytes()) for window in windows)
    for window in rest:
        whole = whole.merge(window)
    return whole


def _in_windows(count: Callable[[Array], Outcomes], n: int, rng: Rng) -> Outcomes:
    return _merged([count(np.flatnonzero(part)) for part in np.arange(WINDOWS)[:, None] == rng.integers(0, WINDOWS, n)])


def _binary(n: int, rng: Rng) -> Compared:
    y = (rng.random(n) < rng.uniform(0.1, 0.9)).astype(float)
    y[:2] = 0, 1
    p, threshold = 1 / (1 + np.exp(-rng.normal(2 * y - 1, rng.uniform(0.5, 2)))), float(rng.uniform(0.2, 0.8))
    said = p >= threshold
    outcomes = _in_windows(lambda at: tally("binary", p[at], y[at], threshold=threshold), n, rng)
    theirs = {
        "accuracy": sk.accuracy_score(y, said),
        "recall": sk.recall_score(y, said),
        "false_positive_rate": 1 - sk.recall_score(1 - y, ~said),
        "f1": sk.f1_score(y, said),
        "auc": sk.roc_auc_score(y, p),
        "average_precision": sk.average_precision_score(y, p),
        "brier": sk.brier_score_loss(y, p),
        "log_loss": sk.log_loss(y, p),
        "positives": y.mean(),
    }
    theirs |= {"precision": sk.precision_score(y, said)} if said.any() else {}
    return outcomes, theirs, sk.confusion_matrix(y, said, labels=[False, True])


def _multiclass(n: int, rng: Rng) -> Compared:
    k = int(rng.integers(3, 12))
    y = rng.integers(0, k, n)
    p = rng.random((n, k)) + rng.uniform(0, 1) * np.eye(k)[y]
    p /= p.sum(axis=1, keepdims=True)
    said = p.argmax(axis=1)
    outcomes = _in_windows(lambda at: tally("multiclass", p[at], y[at]), n, rng)
    macro = {"average": "macro", "zero_division": 0}
    theirs = {
        "accuracy": sk.accuracy_score(y, said),
        "precision_macro": sk.precision_score(y, said, **macro),
        "recall_macro": sk.recall_score(y, said, **macro),
        "f1_macro": sk.f1_score(y, said, **macro),
        "log_loss": sk.log_loss(y, p, labels=np.arange(k)),
    }
    return outcomes, theirs, sk.confusion_matrix(y, said, labels=np.arange(k))


def _regression(n: int, rng: Rng) -> Compared:
    y = rng.normal(rng.uniform(-50, 50), rng.uniform(1, 20), n)
    said = y + rng.standard_t(3, n)
    outcomes = _in_windows(lambda at: tally("regression", said[at], y[at]), n, rng)
    theirs = {
        "mae": sk.mean_absolute_error(y, said),
        "rmse": sk.root_mean_squared_error(y, said),
        "r2": sk.r2_score(y, said),
    }
    return outcomes, theirs, None


def _ranking(n: int, rng: Rng) -> Compared:
    """Lists of 20; average precision is scikit-learn's where the cut is the whole list."""
    size, lists = 20, max(n // 20, 3)
    scores = rng.normal(size=(lists, size)).round(int(rng.integers(1, 6)))
    relevance = rng.integers(0, 4, (lists, size)) * (rng.random((lists, size)) < rng.uniform(0.05, 0.5))
    group = np.arange(lists)
    k = RANKED if rng.random() < 0.5 else size

    def count(at: Array) -> Outcomes:
        return tally_ranking(scores[at].ravel(), relevance[at].ravel(), np.repeat(group[at], size), k=k)

    theirs = {"ndcg": float(np.mean([sk.ndcg_score([r], [s], k=k) for r, s in zip(relevance, scores, strict=True)]))}
    in_order = np.take_along_axis(relevance, np.argsort(-scores, axis=1, kind="stable"), axis=1) > 0
    theirs["hit_rate"] = float(in_order[:, :k].any(axis=1).mean())
    if k == size:
        place = -np.arange(size, dtype=float)
        theirs["map"] = float(np.mean([sk.average_precision_score(r, place) if r.any() else 0.0 for r in in_order]))
    return _in_windows(count, lists, rng), theirs, None
