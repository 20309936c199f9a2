"""Metrics of a classifier of several classes from its confusion counts, sparse in the number of classes.

`metrics` calls `multiclass_metrics`; reports draw `confusion`.
"""

from __future__ import annotations

import numpy as np

from gyroscope.records import NotEnoughData
from gyroscope.stats.arrays import Floats, Ints
from gyroscope.stats.intervals import Estimate, bounded_mean_estimate, share_estimate
from gyroscope.stats.performance.binary import log_loss
from gyroscope.stats.performance.outcomes import Outcomes


def multiclass_metrics(outcomes: Outcomes) -> dict[str, Estimate | NotEnoughData]:
    """Accuracy, macro-averaged precision, recall and F1, and log loss.

    Parameters
    ----------
    outcomes : Outcomes
        Of task "multiclass".

    Returns
    -------
    dict of str to Estimate or NotEnoughData
        Macro averages run over the classes that were labelled or predicted; a class with an empty denominator counts
        0, as in scikit-learn with `zero_division=0`.

    Notes
    -----
    Accuracy: score interval (Wilson 1927). Macro averages: delta method on the multinomial confusion counts
    (Takahashi, Yamamoto, Kuchiba & Koyama 2022, Appl. Intell. 52, 4961).

    Examples
    --------
    >>> from gyroscope.stats.performance import tally
    >>> known = multiclass_metrics(tally("multiclass", np.eye(3)[[0, 1, 2, 2]], np.array([0, 1, 2, 0])))
    >>> known["accuracy"].value, known["recall_macro"].value
    (0.75, 0.8333333333333334)
    """
    names = ("accuracy", "precision_macro", "recall_macro", "f1_macro", "log_loss")
    if not outcomes.n:
        return dict.fromkeys(names, NotEnoughData("no labelled row"))
    table = _Table(outcomes)
    return {
        "accuracy": share_estimate(int(table.hits.sum()), outcomes.n, support=outcomes.support),
        "precision_macro": table.macro(table.hits, table.chosen, (table.predicted,)),
        "recall_macro": table.macro(table.hits, table.labelled, (table.label,)),
        "f1_macro": table.macro(2 * table.hits, table.labelled + table.chosen, (table.label, table.predicted)),
        "log_loss": log_loss(outcomes),
    }


def confusion(outcomes: Outcomes) -> Ints | NotEnoughData:
    """The confusion matrix.

    Parameters
    ----------
    outcomes : Outcomes

    Returns
    -------
    int64 array, shape (K, K), or NotEnoughData
        Rows are labels, columns predictions. `NotEnoughData` for a regression.

    Examples
    --------
    >>> from gyroscope.stats.performance import tally
    >>> confusion(tally("binary", np.array([0.9, 0.6, 0.1]), np.array([1, 0, 0]))).tolist()
    [[1, 1], [0, 1]]
    """
    if outcomes.task in ("regression", "ranking"):
        return NotEnoughData(f"a {outcomes.task} has no classes")
    cell = outcomes.cells.keys
    if outcomes.task == "binary":
        cell = 2 * (cell & 1) + ((cell >> 1) & 1)
    size = outcomes.classes
    table = np.bincount(cell, weights=outcomes.cells.counts, minlength=size * size).astype(np.int64)
    return table.reshape(size, size)


class _Table:
    """The confusion counts as a list of non-zero cells, with their margins per class."""

    def __init__(self, outcomes: Outcomes) -> None:
        self.counts = outcomes.cells.counts
        self.label, self.predicted = np.divmod(outcomes.cells.keys, outcomes.classes)
        self.is_hit = (self.label == self.predicted).astype(np.float64)
        self.classes = outcomes.classes
        self.support = outcomes.support
        self.labelled = self._per_class(self.label, self.counts)
        self.chosen = self._per_class(self.predicted, self.counts)
        self.hits = self._per_class(self.label, self.counts * self.is_hit)

    def macro(self, hits: Floats, out_of: Floats, members: tuple[Ints, ...]) -> Estimate:
        """The mean of hits / out_of over the classes that were seen, and its delta-method interval.

        `members` name, per cell, the classes whose `out_of` a row of the cell belongs to: such a row moves the share
        of class i by (hit - share_i) / out_of_i.
        """
        seen = self.labelled + self.chosen > 0
        share = np.divide(hits, out_of, out=np.zeros_like(out_of), where=out_of > 0)
        influence = np.zeros(self.counts.size)
        for member in members:
            influence += (self.is_hit - share[member]) / out_of[member]
        n = int(self.counts.sum())
        influence *= n / int(seen.sum())
        # The influences average to 0 over the rows: their mean square is the variance of one row's.
        variance = float((self.counts * influence**2).sum()) / n
        return bounded_mean_estimate(float(share[seen].mean()), variance, n * self.support)

    def _per_class(self, classes: Ints, weights: Ints | Floats) -> Floats:
        return np.bincount(classes, weights=weights, minlength=self.classes).astype(np.float64)
