"""Counts on a grid finer than any layout, and the profiles that a reference's own layout makes of them.

Drawing counts instead of rows is what makes thousands of months affordable; from here on everything is the product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gyroscope.stats.profiles import ColumnCounts, Profile
from gyroscope.stats.profiles.fitting import CATEGORIES, NUMERIC_BINS, RARE_CATEGORIES
from gyroscope.stats.profiles.layout import CategoryBins, NumericBins
from gyroscope.stats.sparse import SparseCounts

Counts = NDArray[np.int64]

_NONE = SparseCounts.empty()


@dataclass(frozen=True)
class FineNumbers:
    """A numeric column over windows: `values` (G,) ascending, `counts` (T, G), `missing` (T,)."""

    values: NDArray[np.float64]
    counts: Counts
    missing: Counts

    def columns(self, reference: int) -> list[ColumnCounts]:
        """One per window, on bins fitted on the first `reference` windows; equal values of the grid are one."""
        bins = _fit(self.values, self.counts[:reference].sum(axis=0))
        cuts = np.array((*bins.edges[:-1], np.nextafter(bins.edges[-1], np.inf)))
        cell = np.searchsorted(cuts, self.values, side="right")
        starts = np.searchsorted(cell, np.arange(len(cuts) + 1))
        padded = np.pad(np.cumsum(self.counts, axis=1), ((0, 0), (1, 0)))
        counts = np.diff(padded[:, np.append(starts, len(self.values))], axis=1)
        seen = self.counts > 0
        first, last = seen.argmax(axis=1), len(self.values) - 1 - seen[:, ::-1].argmax(axis=1)
        is_empty = ~seen.any(axis=1)
        least = np.where(is_empty, np.inf, self.values[first]).tolist()
        greatest = np.where(is_empty, -np.inf, self.values[last]).tolist()
        return [
            ColumnCounts(bins, counts[t], int(self.missing[t]), buckets=_NONE, least=least[t], greatest=greatest[t])
            for t in range(len(counts))
        ]


@dataclass(frozen=True)
class FineTexts:
    """A column of strings over windows: `counts` (T, K) of the categories "c0", "c1", ..., `missing` (T,)."""

    counts: Counts
    missing: Counts

    def columns(self, reference: int) -> list[ColumnCounts]:
        """One per window, on the most frequent categories of the first `reference` windows."""
        total = self.counts[:reference].sum(axis=0)
        order = np.argsort(-total, kind="stable")[: int((total > 0).sum())]
        known, rare = order[:CATEGORIES], order[CATEGORIES : CATEGORIES + RARE_CATEGORIES]
        bins = CategoryBins(tuple(f"c{k}" for k in known), tuple(f"c{k}" for k in rare))
        other = self.counts[:, rare].sum(axis=1)
        new = self.counts.sum(axis=1) - self.counts[:, known].sum(axis=1) - other
        counts = np.column_stack([self.counts[:, known], other, new])
        return [ColumnCounts(bins, counts[t], int(self.missing[t]), buckets=_NONE) for t in range(len(counts))]


def profiles(columns: dict[str, FineNumbers | FineTexts], reference: int) -> tuple[list[Profile], list[Profile]]:
    """The first `reference` windows and the later ones."""
    every = {name: column.columns(reference) for name, column in columns.items()}
    windows = [dict(zip(every, counts, strict=True)) for counts in zip(*every.values(), strict=True)]
    made = [Profile(next(iter(window.values())).n, window) for window in windows]
    return made[:reference], made[reference:]


def _fit(values: NDArray[np.float64], counts: Counts) -> NumericBins:
    """What `fit_layout` makes of these values, each as often as it was counted."""
    seen = counts > 0
    distinct, start = np.unique(values[seen], return_index=True)
    often = np.add.reduceat(counts[seen], start)
    n = int(often.sum())
    if len(distinct) > NUMERIC_BINS:
        ranks = np.minimum(np.arange(NUMERIC_BINS + 1) * n // NUMERIC_BINS, n - 1)
        edges = np.unique(distinct[np.searchsorted(np.cumsum(often), ranks, side="right")])
        if int(often[-1]) * NUMERIC_BINS < n:
            return NumericBins(tuple(edges.tolist()))
        distinct = edges
    return NumericBins((*distinct.tolist(), float(distinct[-1])))
