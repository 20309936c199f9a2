"""Sparse counts against collections.Counter, and damaged bytes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gyroscope.stats.arrays import pack_ints
from gyroscope.stats.sparse import SparseCounts

KEYS = st.lists(st.integers(-5, 5))


@settings(deadline=None)
@given(KEYS, KEYS)
def test_merged_counts_are_those_of_a_counter(left: list[int], right: list[int]) -> None:
    merged = SparseCounts.of(np.array(left, np.int64)).merge(SparseCounts.of(np.array(right, np.int64)))
    assert dict(zip(merged.keys.tolist(), merged.counts.tolist(), strict=True)) == Counter(left + right)
    assert merged == SparseCounts.of(np.array(left + right, np.int64))
    assert SparseCounts.from_wire(*merged.to_wire()) == merged


@pytest.mark.parametrize(("steps", "counts"), [([1], [1]), ([0], [1, 1]), ([1], [0, 1]), ([], [1, 1])])
def test_damaged_counts_are_refused(steps: list[int], counts: list[int]) -> None:
    first = pack_ints(np.array([5]))
    with pytest.raises(ValueError, match="one positive count per increasing key"):
        SparseCounts.from_wire(first + pack_ints(np.array(steps, np.int64)), pack_ints(np.array(counts)))


class Overtaken(SparseCounts):
    """Another thread puts the arrays there once it was seen that they are to be read."""

    __slots__ = ("_late",)

    @property
    def _found(self) -> object:  # type: ignore[override]
        found, self._late = self._late, (np.array([1]), np.array([2]))
        return found

    @_found.setter
    def _found(self, found: object) -> None:
        self._late = found


def test_counts_that_another_thread_reads_meanwhile_are_read() -> None:
    late = Overtaken.__new__(Overtaken)
    late._found = (lambda place: (np.array([1]), np.array([place])), 2)
    assert (late.keys.tolist(), late.counts.tolist()) == ([1], [2])


def test_bytes_that_are_cut_off_are_refused() -> None:
    steps, counts = SparseCounts.of(np.array([1, 2, 3])).to_wire()
    with pytest.raises(ValueError, match=r".+"):
        SparseCounts.from_wire(b"", counts)
    with pytest.raises(ValueError, match=r".+"):
        SparseCounts.from_wire(steps[:1], counts)
