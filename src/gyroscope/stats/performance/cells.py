"""What the cells of a binary classifier's outcomes count: confusion, and labels by score.

Metrics, streams and estimation read outcomes through this. It never sees a row.
"""

from __future__ import annotations

import numpy as np

from gyroscope.stats.arrays import Ints
from gyroscope.stats.performance.outcomes import Outcomes


def confusion_of(outcomes: Outcomes) -> tuple[int, int, int, int]:
    """True positives, false positives, false negatives, true negatives.

    Parameters
    ----------
    outcomes : Outcomes
        Of task "binary".

    Examples
    --------
    >>> from gyroscope.stats.performance import tally
    >>> confusion_of(tally("binary", np.array([0.9, 0.6, 0.1]), np.array([1, 0, 0])))
    (1, 1, 0, 1)
    """
    cell = np.bincount(outcomes.cells.keys & 3, weights=outcomes.cells.counts, minlength=4)
    return int(cell[3]), int(cell[2]), int(cell[1]), int(cell[0])


def counts_by_score(outcomes: Outcomes) -> tuple[Ints, Ints]:
    """Rows labelled positive and negative per score bin that has any, scores ascending.

    Parameters
    ----------
    outcomes : Outcomes
        Of task "binary".

    Returns
    -------
    (positive, negative) : int64 arrays, shape (m,)

    Examples
    --------
    >>> from gyroscope.stats.performance import tally
    >>> positive, negative = counts_by_score(tally("binary", np.array([0.9, 0.1, 0.1]), np.array([1, 0, 1])))
    >>> positive.tolist(), negative.tolist()
    ([1, 1], [1, 0])
    """
    keys, counts = outcomes.cells.keys, outcomes.cells.counts
    scores, place = np.unique(keys >> 1, return_inverse=True)
    table = np.zeros((2, scores.size), np.int64)
    table[keys & 1, place] = counts
    return table[1], table[0]
