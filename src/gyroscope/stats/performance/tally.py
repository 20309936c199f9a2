"""Counting labelled rows, vectorised: outputs and labels in, outcomes out.

Monitoring tallies each day, models the reference. Rows that cannot be used are counted apart, never an error.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from gyroscope.errors import GyroscopeError
from gyroscope.records import Task
from gyroscope.stats.arrays import Floats, Ints
from gyroscope.stats.buckets import bucket_keys
from gyroscope.stats.performance.outcomes import Outcomes
from gyroscope.stats.profiles.inputs import as_floats
from gyroscope.stats.sparse import SparseCounts
from gyroscope.stats.sums import exact_sums

SCORE_BITS = 14
"""Scores fall into 2**14 = 16,384 equal bins of [0, 1], one for 1.0, and the threshold splits its bin in two."""

_OUTSIDE = 1e-6  # a float32 softmax may say 1.0000001; beyond this a number is no probability
_HUGE = 1e75  # its fourth power is still a float

Array = npt.NDArray[Any]


def tally(task: Task, outputs: Array, labels: Array, *, threshold: float = 0.5, classes: int = 0) -> Outcomes:
    """Count rows with their labels.

    Parameters
    ----------
    task : "binary", "multiclass" or "regression"
    outputs : array, shape (n,) or (n, 1); multiclass (n, K)
        Probability of the positive class, probabilities of the classes, or the value.
    labels : array, shape (n,)
        0 or 1, index of the class, or the value.
    threshold : float
        Binary: a score >= threshold counts as positive.
    classes : int
        Multiclass: K, needed only where `outputs` is empty and flat.

    Returns
    -------
    Outcomes
        Rows with NaN, a probability outside [0, 1] or a label that is no class are counted as `unusable`.

    Raises
    ------
    GyroscopeError
        When the shapes do not fit together, or for task "ranking".

    Examples
    --------
    >>> outcomes = tally("binary", np.array([0.9, 0.2, np.nan]), np.array([1, 0, 1]))
    >>> outcomes.n, outcomes.unusable
    (2, 1)
    """
    if task == "ranking":
        raise GyroscopeError("a list is counted as a whole", where="tally(task='ranking')", fix="use tally_ranking")
    values = as_floats(np.asanyarray(labels))
    scores = _shaped(task, np.asarray(outputs, np.float64), values.shape, classes)
    if task == "binary":
        return _tally_binary(scores, values, threshold)
    if task == "multiclass":
        return _tally_multiclass(scores, values)
    return _tally_regression(scores, values)


def score_keys(scores: Floats, threshold: float) -> Ints:
    """The bin of each score, times two, plus one at or above the threshold.

    Parameters
    ----------
    scores : float64 array, shape (n,)
        What is no probability is left out.
    threshold : float

    Returns
    -------
    int64 array, shape (at most n,)

    Examples
    --------
    >>> score_keys(np.array([0.0, 0.5, np.nan]), 0.5).tolist()
    [0, 16385]
    """
    known = scores[_is_probability(scores)]
    # Scaling by a power of two is exact, and so is the comparison: the threshold is an edge, bit for bit.
    bins = np.floor(np.ldexp(np.clip(known, 0.0, 1.0), SCORE_BITS)).astype(np.int64)
    return (bins << 1) | (known >= threshold)


def _shaped(task: Task, outputs: Floats, labels: tuple[int, ...], classes: int) -> Floats:
    if task == "multiclass" and not outputs.size:
        outputs = outputs.reshape(0, outputs.shape[1] if outputs.ndim == 2 else classes)
    if task != "multiclass" and outputs.ndim == 2 and outputs.shape[1] == 1:
        outputs = outputs[:, 0]
    wanted = 2 if task == "multiclass" else 1
    if outputs.ndim != wanted or len(labels) != 1 or labels[0] != outputs.shape[0]:
        raise GyroscopeError(
            f"{task} outputs of shape {outputs.shape} do not fit labels of shape {labels}",
            where="tally(outputs, labels)",
            fix="pass one output row per label: (n, K) for multiclass, (n,) otherwise",
        )
    return outputs


def _tally_binary(scores: Floats, labels: Floats, threshold: float) -> Outcomes:
    usable = _is_probability(scores) & ((labels == 0) | (labels == 1))
    raw, truth = scores[usable], labels[usable]
    p, key = np.clip(raw, 0.0, 1.0), score_keys(raw, threshold)
    brier = (p - truth) ** 2
    sums = _loss_sums(brier=brier, log_loss=_log_loss(np.where(truth == 1, p, 1.0 - p)))
    cells = SparseCounts.of((key << 1) | truth.astype(np.int64))
    return _outcomes("binary", labels.size, cells, sums, threshold=threshold, classes=2)


def _tally_multiclass(scores: Floats, labels: Floats) -> Outcomes:
    classes = scores.shape[1]
    usable = _is_probability(scores).all(axis=1) & np.isin(labels, np.arange(classes))
    p, truth = scores[usable], labels[usable].astype(np.int64)
    predicted = p.argmax(axis=1) if classes else truth
    losses = _loss_sums(log_loss=_log_loss(p[np.arange(truth.size), truth]))
    return _outcomes("multiclass", labels.size, SparseCounts.of(truth * classes + predicted), losses, classes=classes)


def _tally_regression(values: Floats, labels: Floats) -> Outcomes:
    usable = np.isfinite(values) & np.isfinite(labels)
    output, y = values[usable], labels[usable]
    fits = (np.abs(output) <= _HUGE) & (np.abs(y) <= _HUGE)
    output, y = output[fits], y[fits]
    e = output - y
    e2, y2 = e * e, y * y
    powers = {"e": e, "abs_e": np.abs(e), "e2": e2, "e4": e2 * e2, "e2y": e2 * y, "e2y2": e2 * y2}
    powers |= {"y": y, "y2": y2, "y3": y2 * y, "y4": y2 * y2}
    cells = SparseCounts.of(bucket_keys(e))
    outcomes = _outcomes("regression", labels.size, cells, _named_sums(powers))
    huge = int(usable.sum()) - y.size
    n = outcomes.n + huge
    return msgspec.structs.replace(outcomes, n=n, squares=n, unusable=outcomes.unusable - huge, huge=huge)


def _outcomes(
    task: Task,
    rows: int,
    cells: SparseCounts,
    sums: dict[str, int],
    *,
    threshold: float = 0.0,
    classes: int = 0,
) -> Outcomes:
    n = cells.total
    return Outcomes(
        task=task,
        threshold=threshold,
        classes=classes,
        n=n,
        unusable=rows - n,
        huge=0,
        cells=cells,
        sums=sums,
        squares=n,
    )


def _is_probability(scores: Floats) -> npt.NDArray[np.bool_]:
    return (scores >= -_OUTSIDE) & (scores <= 1 + _OUTSIDE)


def _log_loss(p_of_label: Floats) -> Floats:
    least = np.finfo(np.float64).eps  # where scikit-learn cuts, too: the loss of a sure mistake is 36
    return -np.log(np.clip(p_of_label, least, 1 - least))


def _loss_sums(**losses: Floats) -> dict[str, int]:
    return _named_sums({**losses, **{f"{name}_squares": loss * loss for name, loss in losses.items()}})


def _named_sums(terms: dict[str, Floats]) -> dict[str, int]:
    return dict(zip(terms, exact_sums(np.stack(list(terms.values()))), strict=True))
