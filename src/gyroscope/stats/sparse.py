"""Sparse counts: how often each integer key occurred, kept for the keys that did.

Profiles count value buckets with it, outcomes count (score bin, label) cells. Merging is exact in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gyroscope.stats.arrays import Ints, pack_ints, unpack_ints

_TOGETHER = 64  # parts of some hundred keys: what they are copied to stays in a core's own memory


Reader = Callable[[int], tuple[Ints, Ints]]
"""From a place to keys and counts."""


class SparseCounts:
    """Counts of integer keys.

    Attributes
    ----------
    keys : int64 array, shape (m,)
        Strictly increasing.
    counts : int64 array, shape (m,)
        At least 1 each.

    Examples
    --------
    >>> both = SparseCounts.of(np.array([7, 3, 7])).merge(SparseCounts.of(np.array([3])))
    >>> both.keys.tolist(), both.counts.tolist(), both.total
    ([3, 7], [2, 2], 4)
    """

    __slots__ = ("_found",)

    def __init__(self, keys: Ints, counts: Ints) -> None:
        self._found: tuple[Ints, Ints] | tuple[Reader, int] = (keys, counts)

    @staticmethod
    def later(read: Reader, place: int) -> SparseCounts:
        """Keys and counts at a place, read when they are first asked for.

        >>> SparseCounts.later(lambda place: (np.array([3, place]), np.array([2, 2])), 7).keys.tolist()
        [3, 7]
        """
        found = SparseCounts.__new__(SparseCounts)
        found._found = (read, place)
        return found

    @property
    def keys(self) -> Ints:
        return self._both()[0]

    @property
    def counts(self) -> Ints:
        return self._both()[1]

    @staticmethod
    def empty() -> SparseCounts:
        """Nothing counted."""
        return SparseCounts(np.empty(0, np.int64), np.empty(0, np.int64))

    @staticmethod
    def of(keys: Ints) -> SparseCounts:
        """Count the keys of an array, shape (n,), in O(n log n)."""
        if not keys.size:
            return SparseCounts.empty()
        return SparseCounts.of_sorted(np.sort(keys))

    @staticmethod
    def of_sorted(ordered: Ints) -> SparseCounts:
        """Count the keys of an array that is already in increasing order, shape (n,), n >= 1."""
        starts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
        bounds = np.concatenate(([0], starts, [ordered.size]))
        return SparseCounts(ordered[bounds[:-1]].astype(np.int64), np.diff(bounds).astype(np.int64))

    @property
    def total(self) -> int:
        """All counts together."""
        return int(self.counts.sum())

    def merge(self, other: SparseCounts) -> SparseCounts:
        """The counts of both."""
        if not other.keys.size:
            return self
        if not self.keys.size:
            return other
        keys = np.concatenate((self.keys, other.keys))
        order = np.argsort(keys, kind="stable")  # two runs that ascend: this merges them
        keys, counts = keys[order], np.concatenate((self.counts, other.counts))[order]
        starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
        return SparseCounts(keys[starts], np.add.reduceat(counts, starts))

    @staticmethod
    def merge_all(parts: Sequence[SparseCounts]) -> SparseCounts:
        """The counts of all, in one pass: keys must lie within some million of each other."""
        some = [(keys, counts) for keys, counts in (part._both() for part in parts) if keys.size]
        if not some:
            return SparseCounts.empty()
        least = min(int(keys[0]) for keys, _ in some)
        table = np.zeros(max(int(keys[-1]) for keys, _ in some) - least + 1, np.int64)
        for start in range(0, len(some), _TOGETHER):
            group = some[start : start + _TOGETHER]
            places = np.concatenate([keys for keys, _ in group])
            places -= least
            np.add.at(table, places, np.concatenate([counts for _, counts in group]))
        used = np.flatnonzero(table)
        return SparseCounts(used + least, table[used])

    def scaled(self, weight: int) -> SparseCounts:
        """Every key as if it had occurred `weight` times as often; `weight` is at least 1."""
        return SparseCounts(self.keys, self.counts * weight)

    def _both(self) -> tuple[Ints, Ints]:
        found = self._found  # once: another thread may put its arrays there meanwhile
        if isinstance(found[1], int):
            read, place = found
            found = self._found = read(place)
        return found

    def to_wire(self) -> tuple[bytes, bytes]:
        """The first key and the steps to the next ones (they are small), and the counts, packed."""
        return pack_ints(self.keys[:1]) + pack_ints(np.diff(self.keys)), pack_ints(self.counts)

    @staticmethod
    def from_wire(steps: bytes, counts: bytes) -> SparseCounts:
        """What `to_wire` wrote; raises ValueError for anything else."""
        numbers = unpack_ints(counts)
        head = 1 + steps[0] if numbers.size and steps else 1
        jumps = np.concatenate((unpack_ints(steps[:head]), unpack_ints(steps[head:])))
        if jumps.size != numbers.size or np.any(numbers < 1) or np.any(jumps[1:] < 1):
            raise ValueError("sparse counts have one positive count per increasing key")
        return SparseCounts(np.cumsum(jumps), numbers)

    def __repr__(self) -> str:
        return f"SparseCounts(keys={self.keys!r}, counts={self.counts!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SparseCounts):
            return NotImplemented
        return np.array_equal(self.keys, other.keys) and np.array_equal(self.counts, other.counts)

    __hash__ = None  # type: ignore[assignment]  # arrays inside
