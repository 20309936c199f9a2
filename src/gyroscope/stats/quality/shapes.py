"""The values of a numeric column as a distribution that can be moved and scaled, from the buckets of its profile.

Unit changes and swaps are found with these. A bucket is 1 % wide; its rows are spread evenly over it.
"""

from __future__ import annotations

import msgspec
import numpy as np

from gyroscope.stats.arrays import Floats
from gyroscope.stats.buckets import DROPPED_BITS
from gyroscope.stats.drift.distances import total_variation
from gyroscope.stats.profiles import ColumnCounts

CUTS = 20
_RIM = 0.02  # beyond the range of the reference by two buckets is elsewhere


class Shape(msgspec.Struct, frozen=True, eq=False):
    """Rows by interval: `low` to `high` holds `count`, intervals in increasing order and not overlapping.

    Examples
    --------
    >>> one = np.array([1.0])
    >>> Shape(one, one + 1, one * 10).scaled(2.0, 5.0).low.tolist()
    [7.0]
    """

    low: Floats
    high: Floats
    count: Floats

    def scaled(self, a: float, b: float) -> Shape:
        """The shape of a x + b; a is not 0."""
        ends = self.low * a + b, self.high * a + b
        return Shape(*ends, self.count) if a > 0 else Shape(ends[1][::-1], ends[0][::-1], self.count[::-1])

    def below(self, cuts: Floats) -> Floats:
        """The share of rows below each cut, 0 to 1."""
        before = np.concatenate(([0.0], np.cumsum(self.count)))
        at = np.searchsorted(self.low, cuts, side="right") - 1
        width, reach = (self.high - self.low)[at], cuts - self.low[at]
        is_within = (reach >= 0) & (reach < width)
        inside = np.where(is_within, reach / np.where(is_within, width, 1.0), reach >= width) * self.count[at]
        return np.asarray(np.where(at >= 0, before[np.maximum(at, 0)] + inside, 0.0) / before[-1], np.float64)


def shape_of(column: ColumnCounts) -> Shape | None:
    """The shape of a column; None when it has no finite value, or ones whose products would overflow.

    Examples
    --------
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> x = {"x": np.array([1.0, 3.0])}
    >>> shape_of(profile(x, fit_layout(x)).columns["x"]).low.tolist()
    [1.0, 3.0]
    """
    if not column.buckets.keys.size or max(-column.least, column.greatest) > 1e290:
        return None
    keys = column.buckets.keys
    size = np.abs(keys)
    near, far = _edges(size), np.where(size > 0, _edges(size + 1), 0.0)
    low, high = np.where(keys < 0, -far, near), np.where(keys < 0, -near, far)
    return Shape(np.maximum(low, column.least), np.minimum(high, column.greatest), column.buckets.counts.astype(float))


def cuts_of(shape: Shape) -> Floats:
    """Up to 19 cuts that part a shape into equal masses, each in the middle of the gap between two of its intervals,
    and one on either side of it all.

    Values of a few levels are cut between the levels: a value that comes back as 4.99 is still counted with the fives.

    Examples
    --------
    >>> ends = np.array([1.0, 2.0])
    >>> cuts_of(Shape(ends, ends, np.array([5.0, 5.0]))).tolist()
    [0.96, 1.5, 2.04]
    """
    least, greatest = float(shape.low[0]), float(shape.high[-1])
    rim = _RIM * max(greatest - least, abs(least), abs(greatest), 1e-300)
    reached = np.cumsum(shape.count)[:-1] / shape.count.sum()
    places = np.unique(np.searchsorted(reached, np.arange(1, CUTS) / CUTS).clip(0, max(reached.size - 1, 0)))
    inner = (shape.high[places] + shape.low[places + 1]) / 2 if reached.size else np.empty(0)
    return np.concatenate(([least - rim], inner, [greatest + rim]))


class Yardstick(msgspec.Struct, frozen=True, eq=False):
    """A reference shape cut into cells, to measure other shapes by.

    Examples
    --------
    >>> one = np.array([1.0, 2.0])
    >>> Yardstick.of(Shape(one, one, one)).apart(Shape(one + 10, one + 10, one), 0.0)
    1.0
    """

    cuts: Floats
    shares: Floats

    @staticmethod
    def of(reference: Shape) -> Yardstick:
        """Cut at the masses of a reference."""
        cuts = cuts_of(reference)
        return Yardstick(cuts, _steps(reference.below(cuts)))

    def apart(self, current: Shape, noise: float) -> float:
        """The share of rows that lie elsewhere than in the reference, 0 to 1, corrected for noise, 1 / N + 1 / n."""
        return total_variation(self.shares, _steps(current.below(self.cuts)), noise)


def _steps(below: Floats) -> Floats:
    steps = np.empty(below.size + 1)
    steps[0], steps[-1] = below[0], 1 - below[-1]
    np.subtract(below[1:], below[:-1], out=steps[1:-1])
    return steps


def _edges(keys: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats:
    """Where a bucket of positive values begins."""
    edges: Floats = (keys << DROPPED_BITS).view(np.float64)
    return edges
