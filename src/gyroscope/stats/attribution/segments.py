"""The gap of a loss by segments that part the rows: how much each became worse, and how much more of it there is.

Incidents and reports call this. Segments that overlap do not add up and do not belong here.
"""

from __future__ import annotations

import msgspec
import numpy as np

from gyroscope.records import NotEnoughData
from gyroscope.stats.attribution.losses import BinLosses


class SegmentSplit(msgspec.Struct, frozen=True):
    """One segment's part of a gap: `worse` + `moved`, in units of loss per row of the whole.

    Examples
    --------
    >>> SegmentSplit("JFK", 0.02, 0.01, 0.3).worse
    0.02
    """

    segment: str
    worse: float
    moved: float
    share: float


def segment_split(
    segments: tuple[str, ...], reference: BinLosses, current: BinLosses
) -> list[SegmentSplit] | NotEnoughData:
    """Split a gap over the cells of one partition.

    Parameters
    ----------
    segments : tuple of str, length K
        Names of the cells.
    reference, current : BinLosses, K cells

    Returns
    -------
    list of SegmentSplit or NotEnoughData
        Greatest contribution first; all together are the gap. `NotEnoughData` when a side has no row.

    Notes
    -----
    q (l' - l) + (q - p) (l - L) per segment, L the reference's loss (Kitagawa 1955, J. Am. Stat. Assoc. 50, 1168).

    Examples
    --------
    >>> rows, none = np.array([50, 50]), np.array([0, 0])
    >>> before, after = BinLosses(rows, np.array([640, 640]), none), BinLosses(rows, np.array([640, 1280]), none)
    >>> [(one.segment, round(one.worse, 2), one.moved) for one in segment_split(("a", "b"), before, after)]
    [('b', 0.1, 0.0), ('a', 0.0, 0.0)]
    """
    n, m = int(reference.counts.sum()), int(current.counts.sum())
    if not n or not m:
        return NotEnoughData("no row with a loss in the reference or now")
    p, q = reference.counts / n, current.counts / m
    level = float(reference.sums.sum()) / n
    now = np.where(current.counts > 0, current.sums / np.maximum(current.counts, 1), 0.0)
    before = np.where(reference.counts > 0, reference.sums / np.maximum(reference.counts, 1), level)
    worse, moved = q * (now - before), (q - p) * (before - level)
    order = np.argsort(-np.abs(worse + moved), kind="stable").tolist()
    return [SegmentSplit(segments[k], float(worse[k]), float(moved[k]), float(q[k])) for k in order]
