"""The cells of many columns in one array, so that a window of a thousand columns is looked at in one go.

Drift and the hard rules call this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from gyroscope.stats.arrays import Floats, Ints
from gyroscope.stats.profiles.column import ColumnCounts
from gyroscope.stats.profiles.late import Table


class Stacked(NamedTuple):
    """The cells of C columns, one column after the other: counts, then infinite, then missing.

    `counts` has shape (K,), `starts` and `n` (the rows of each) shape (C,); `column` (K,) is the place of a cell's
    column.
    """

    counts: Ints
    starts: Ints
    n: Ints
    column: Ints


def stack(columns: Sequence[ColumnCounts]) -> Stacked:
    """The cells of some columns in one array.

    Examples
    --------
    >>> from gyroscope.stats.profiles.layout import NumericBins
    >>> two = stack([ColumnCounts(NumericBins(), np.array([n]), missing=1) for n in (3, 4)])
    >>> two.counts.tolist(), two.starts.tolist(), two.n.tolist(), two.column.tolist()
    ([3, 0, 1, 4, 0, 1], [0, 3], [4, 5], [0, 0, 0, 1, 1, 1])
    """
    sizes = np.array([column.counts.size + 2 for column in columns], np.int64)
    ends = np.cumsum(sizes)
    counts = np.empty(int(sizes.sum()), np.int64)
    is_tail = np.zeros(counts.size, np.bool_)
    is_tail[ends - 2] = is_tail[ends - 1] = True
    counts[~is_tail] = np.concatenate([np.empty(0, np.int64), *(column.counts for column in columns)])
    counts[is_tail] = [number for column in columns for number in (column.nan_or_inf, column.missing)]
    starts = ends - sizes
    return Stacked(counts, starts, by_column(counts, starts), np.repeat(np.arange(len(columns)), sizes))


def stack_each(windows: Sequence[Table], like: Stacked) -> Ints:
    """The cells of several windows of columns on the bins of stacked ones, shape (T, K).

    Examples
    --------
    >>> from gyroscope.stats.profiles.late import table_of
    >>> from gyroscope.stats.profiles.layout import NumericBins
    >>> two = {name: ColumnCounts(NumericBins(), np.array([n]), missing=1) for n, name in ((3, "a"), (4, "b"))}
    >>> stack_each([table_of(two)], stack(list(two.values()))).tolist()
    [[3, 0, 1, 4, 0, 1]]
    """
    ends = np.append(like.starts[1:], like.counts.size)[: like.starts.size]
    is_count = np.ones(like.counts.size, np.bool_)
    is_count[ends - 2] = is_count[ends - 1] = False
    cells = np.empty((len(windows), like.counts.size), np.int64)
    for row, table in zip(cells, windows, strict=True):
        row[is_count] = table.counts
        row[ends - 2], row[ends - 1] = table.nan_or_inf, table.missing
    return cells


def by_column(values: Floats | Ints, starts: Ints) -> Any:
    """Sums over each column's cells, along the last axis.

    Examples
    --------
    >>> by_column(np.array([3, 0, 1, 4, 0, 1]), np.array([0, 3])).tolist()
    [4, 5]
    """
    return np.add.reduceat(values, starts, axis=-1) if starts.size else np.zeros((*values.shape[:-1], 0), values.dtype)
