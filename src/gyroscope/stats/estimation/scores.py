"""The scores of a window, counted: labelled or not, from rows, from outcomes or from a profile.

Estimators read them. A score is that of the middle of its bin; it never holds a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np

from gyroscope.stats.arrays import Floats, Ints
from gyroscope.stats.buckets import bucket_middles
from gyroscope.stats.performance.outcomes import Outcomes
from gyroscope.stats.performance.tally import SCORE_BITS, score_keys
from gyroscope.stats.profiles.column import ColumnCounts
from gyroscope.stats.sparse import SparseCounts


class Scores(msgspec.Struct, frozen=True, eq=False):
    """How often each score was said.

    Attributes
    ----------
    s : float64 array, shape (m,)
        Ascending, in [0, 1].
    is_positive : bool array, shape (m,)
        At or above the threshold.
    counts : int64 array, shape (m,)
        Rows, each as often as it counts.

    Examples
    --------
    >>> some = Scores.of(np.array([0.25, 0.75, 0.75]), 0.5)
    >>> some.s.round(3).tolist(), some.is_positive.tolist(), some.counts.tolist(), some.n
    ([0.25, 0.75], [False, True], [1, 2], 3)
    """

    s: Floats
    is_positive: np.ndarray
    counts: Ints

    @staticmethod
    def of(outputs: Floats, threshold: float = 0.5) -> Scores:
        """Count scores, shape (n,); what is no probability is left out."""
        return _of_keys(SparseCounts.of(score_keys(np.asarray(outputs, np.float64), threshold)))

    @staticmethod
    def from_outcomes(outcomes: Outcomes) -> Scores:
        """The scores of labelled rows, whatever their label."""
        keys, place = np.unique(outcomes.cells.keys >> 1, return_inverse=True)
        counts = np.bincount(place, weights=outcomes.cells.counts, minlength=keys.size).astype(np.int64)
        return _of_keys(SparseCounts(keys, counts))

    @staticmethod
    def from_columns(columns: Sequence[ColumnCounts], threshold: float = 0.5) -> list[Scores]:
        """The scores that profiles counted, within 1 % each; a bucket that the threshold cuts goes by its middle."""
        counted = [column.buckets for column in columns]
        ends = np.cumsum([0, *(one.keys.size for one in counted)]).tolist()
        s = np.clip(bucket_middles(np.concatenate([np.empty(0, np.int64), *(one.keys for one in counted)])), 0.0, 1.0)
        is_positive = s >= threshold
        places = [slice(start, end) for start, end in pairwise(ends)]
        return [Scores(s[place], is_positive[place], one.counts) for place, one in zip(places, counted, strict=True)]

    @property
    def n(self) -> int:
        """Rows."""
        return int(self.counts.sum())


def _of_keys(counted: SparseCounts) -> Scores:
    s = np.minimum(((counted.keys >> 1) + 0.5) / (1 << SCORE_BITS), 1.0)
    return Scores(s, (counted.keys & 1).astype(bool), counted.counts)
