"""When labels came: counts of (what was said, was it wrong, how long it took), which merge exactly.

Monitoring keeps one per cell beside its outcomes; `early.py` asks which labels come first. It never holds a row.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from gyroscope.errors import StoreError
from gyroscope.records import NotEnoughData, Task
from gyroscope.stats.arrays import Floats, Ints
from gyroscope.stats.buckets import bucket_keys, bucket_quantile
from gyroscope.stats.sparse import SparseCounts

SCORE_STRATA = 10
"""Ten equal bins of a score: with a hundred labels each has enough to say how late its labels are."""

_FORM = "gyroscope.arrivals"
_NUMBER = 1
_LAG_BITS = 17
_LAG_MASK = (1 << _LAG_BITS) - 1


class Arrivals(msgspec.Struct, frozen=True, dict=True):
    """Counts of labelled rows by group and by lag, the seconds from the prediction to its label.

    Attributes
    ----------
    cells : SparseCounts
        (group << 17) + bucket of the lag; a group is 2 * stratum + 1 where the prediction was wrong. Strata are bins
        of the score of a binary model and the chosen class of a multiclass one; a regression has one.

    Examples
    --------
    >>> some = count_arrivals("binary", np.array([0.9, 0.2]), np.array([1, 1]), np.array([60.0, 3600.0]))
    >>> some.n, [round(some.lag_quantile(q)) for q in (0.0, 1.0)], some.groups.tolist()
    (2, [60, 3600], [5, 18])
    """

    cells: SparseCounts

    @staticmethod
    def empty() -> Arrivals:
        """No labels: merging it changes nothing."""
        return Arrivals(SparseCounts.empty())

    @cached_property
    def n(self) -> int:
        """Labelled rows, each as often as it counts."""
        return self.cells.total

    @cached_property
    def groups(self) -> Ints:
        """The groups that have labels, ascending."""
        return np.unique(self.cells.keys >> _LAG_BITS)

    def merge(self, other: Arrivals) -> Arrivals:
        """The labels of both, exactly."""
        return Arrivals(self.cells.merge(other.cells))

    def scaled(self, weight: int) -> Arrivals:
        """As if every label had been there `weight` times; `weight` is at least 1."""
        return Arrivals(self.cells.scaled(weight))

    def lag_quantile(self, q: float) -> float | NotEnoughData:
        """The lag in seconds at a share `q` (0 to 1) of the labels, within 1 %."""
        if not self.n:
            return NotEnoughData("no label")
        lags, place = np.unique(self.cells.keys & _LAG_MASK, return_inverse=True)
        counts = np.bincount(place, weights=self.cells.counts).astype(np.int64)
        return bucket_quantile(SparseCounts(lags, counts), q)

    def by_group(self, groups: Ints, ages: Floats | None = None) -> Floats:
        """Labels of each group, shape of `groups`; with `ages` (seconds) those that came within them, on average."""
        mine = self.cells.keys >> _LAG_BITS
        known = np.isin(mine, groups)
        counts = self.cells.counts[known].astype(np.float64)
        if ages is not None:
            too_late = np.searchsorted(np.sort(bucket_keys(ages)), self.cells.keys[known] & _LAG_MASK, side="left")
            counts *= 1 - too_late / len(ages)
        summed = np.bincount(np.searchsorted(groups, mine[known]), weights=counts, minlength=len(groups))
        return summed.astype(np.float64, copy=False)

    def to_bytes(self) -> bytes:
        """The frozen form, version 1: equal arrivals have equal bytes."""
        return msgspec.msgpack.encode((_FORM, _NUMBER, *self.cells.to_wire()))

    @staticmethod
    def from_bytes(packed: bytes) -> Arrivals:
        """What `to_bytes` wrote.

        Raises
        ------
        StoreError
            When the bytes are damaged, or no arrivals, or of a version this release does not know.
        """
        try:
            form, number, steps, counts = msgspec.msgpack.decode(packed, type=tuple[str, int, bytes, bytes])
            if (form, number) != (_FORM, _NUMBER):
                raise ValueError(f"it says {form!r} number {number}")
            return Arrivals(SparseCounts.from_wire(steps, counts))
        except (msgspec.DecodeError, ValueError) as damage:
            raise StoreError(
                f"these are no arrivals of form {_NUMBER}: {damage}",
                where=f"{len(packed)} bytes",
                fix="tally the rows again",
            ) from damage


def count_arrivals(
    task: Task, outputs: npt.NDArray[Any], labels: npt.NDArray[Any], lags_s: Floats, *, threshold: float = 0.5
) -> Arrivals:
    """Count labelled rows by what was said, whether it was wrong, and how long the label took.

    Parameters
    ----------
    task : "binary", "multiclass" or "regression"
    outputs : array, shape (n,); multiclass (n, K)
    labels : array, shape (n,)
        0 or 1, index of the class, or the value.
    lags_s : float64 array, shape (n,)
        Seconds; a label from before its prediction counts as one at once.
    threshold : float
        Binary: a score >= threshold counts as positive.

    Returns
    -------
    Arrivals
        Rows whose output or label is not finite are left out.

    Examples
    --------
    >>> count_arrivals("regression", np.array([1.0]), np.array([2.0]), np.array([-5.0])).lag_quantile(0.5)
    0.0
    """
    scores, truth = np.asarray(outputs, np.float64), np.asarray(labels, np.float64)
    usable = np.isfinite(truth) & (np.isfinite(scores).all(axis=1) if scores.ndim == 2 else np.isfinite(scores))
    scores, truth = scores[usable], truth[usable]
    if task == "binary":
        stratum = np.clip(np.floor(scores * SCORE_STRATA), 0, SCORE_STRATA - 1).astype(np.int64)
        wrong = (scores >= threshold) != (truth == 1)
    elif task == "multiclass":
        stratum = scores.argmax(axis=1) if scores.size else np.empty(0, np.int64)
        wrong = stratum != truth
    else:
        stratum, wrong = np.zeros(len(truth), np.int64), np.zeros(len(truth), bool)
    lags = bucket_keys(np.maximum(lags_s[usable], 0.0))
    return Arrivals(SparseCounts.of((((stratum << 1) | wrong) << _LAG_BITS) + lags))
