"""Rows that came twice, from hashes of rows: exact up to 4,096 different rows, a sample of hashes beyond.

Monitoring keeps one record a window and merges them; the share is a stream like that of missing values. It never holds
a row, and a hash of 64 bits says of a row only whether it is the same.
"""

from __future__ import annotations

import msgspec
import numpy as np

from gyroscope.records import NotEnoughData
from gyroscope.stats.intervals import Estimate, share_estimate
from gyroscope.stats.sparse import SparseCounts

MOST_HASHES = 4_096


class RowCounts(msgspec.Struct, frozen=True, eq=False):
    """How often each row came, for the rows whose hash ends in `level` zero bits.

    Attributes
    ----------
    level : int
        0 while every row is kept; one more halves the sample.
    counts : SparseCounts
        By hash.

    Examples
    --------
    >>> both = RowCounts.of(np.array([5, 5, 7], np.uint64)).merge(RowCounts.of(np.array([7], np.uint64)))
    >>> both.duplicates.value, both.distinct
    (0.5, 2)
    """

    level: int
    counts: SparseCounts

    @staticmethod
    def of(hashes: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> RowCounts:
        """Of the 64-bit hashes of some rows, shape (n,), from any hash that mixes well, such as xxhash."""
        return RowCounts(0, SparseCounts.of(np.asarray(hashes, np.uint64).view(np.int64)))._thinned()

    @property
    def duplicates(self) -> Estimate | NotEnoughData:
        """The share of rows that had come before, among those kept, with its interval."""
        return share_estimate(self.counts.total - self.counts.keys.size, self.counts.total)

    @property
    def distinct(self) -> int:
        """About how many different rows there were; exact at level 0."""
        return int(self.counts.keys.size) << self.level

    def merge(self, other: RowCounts) -> RowCounts:
        """Those of the rows of both; the same in any order of merging."""
        level = max(self.level, other.level)
        return RowCounts(level, self._at(level).merge(other._at(level)))._thinned()

    def _at(self, level: int) -> SparseCounts:
        kept = self.counts.keys & ((1 << level) - 1) == 0
        return SparseCounts(self.counts.keys[kept], self.counts.counts[kept])

    def _thinned(self) -> RowCounts:
        """Distinct sampling (Gibbons 2001, VLDB 27, 541): a row is in the sample by its hash, not by its turn."""
        now = self
        while now.counts.keys.size > MOST_HASHES:
            now = RowCounts(now.level + 1, now._at(now.level + 1))
        return now
