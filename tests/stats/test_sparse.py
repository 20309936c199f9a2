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


def test_bytes_that_are_cut_off_are_refused() -> None:
    steps, counts = SparseCounts.of(np.array([1, 2, 3])).to_wire()
    with pytest.raises(ValueError, match=r".+"):
        SparseCounts.from_wire(b"", counts)
    with pytest.raises(ValueError, match=r".+"):
        SparseCounts.from_wire(steps[:1], counts)
