"""Streams of columns of strings: all categories together, the most frequent ones, the rest, new ones, missing ones.

`columns` calls this for all such columns at once. It knows categories only by their place.
"""

from __future__ import annotations

import msgspec
import numpy as np

from gyroscope.stats.arrays import Floats
from gyroscope.stats.evidence.baselines import variance_between
from gyroscope.stats.streams.cells import Cells, arcsine

FREQUENT = 8
"""So many categories have a stream of their own, the first ones of the layout."""

KINDS = ("omnibus", "other", "new", "missing")
WEIGHTS = (0.14, *(0.075,) * FREQUENT, 0.04, 0.12, 0.1)
SIDES = (1, *(0,) * FREQUENT, 0, 1, 0)

_LEAST_EXPECTED = 1.0
"""Cells in which fewer rows are expected are put together: their squares would be noise."""


class CategoricalScale(msgspec.Struct, frozen=True, eq=False):
    """What C columns of strings are compared with.

    Attributes
    ----------
    total : float array, shape (C, K)
        Reference rows per cell; the last two cells are `other` and `new` as the layout counts them.
    has_rare : bool array, shape (C,)
        Whether the layout counts categories together. Then which of them is new cannot be told, and `new` is part of
        `other`.
    icc : float array, shape (C,)
        Median intraclass correlation of the frequent categories.

    Examples
    --------
    >>> week = Cells(np.tile([60.0, 40.0, 0.0, 0.0], (1, 7, 1)), np.zeros((1, 7)))
    >>> scale = CategoricalScale.fit(week, np.array([False]))
    >>> y, within = scale.streams(Cells(np.array([[[20.0, 80.0, 0.0, 0.0]]]), np.zeros((1, 1))))
    >>> y.shape, float(y[0, 0, 0].round(2))
    ((1, 12, 1), 3.84)
    """

    total: Floats
    has_rare: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    icc: Floats

    @staticmethod
    def fit(reference: Cells, has_rare: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> CategoricalScale:
        """Learn from reference windows."""
        frequent = reference.counts[:, :, : min(FREQUENT, reference.counts.shape[2] - 2)]
        y, within = arcsine(frequent, np.broadcast_to(reference.values[:, :, np.newaxis], frequent.shape))
        columns, windows, kinds = y.shape
        here = np.isfinite(y)
        flat = (
            part.transpose(0, 2, 1).reshape(columns * kinds, windows)
            for part in (np.where(here, y, 0.0), np.where(here, within, np.inf))
        )
        tau2 = variance_between(*flat).reshape(columns, kinds)
        seen = frequent.sum(axis=1) > 0
        icc = np.where(seen, tau2 / (tau2 + 1), np.nan)
        middle = [
            float(np.median(row[is_seen])) if is_seen.any() else 0.0 for row, is_seen in zip(icc, seen, strict=True)
        ]
        return CategoricalScale(reference.counts.sum(axis=1), has_rare, np.array(middle))

    def streams(self, cells: Cells, *, is_reference: bool = False) -> tuple[Floats, Floats]:
        """Values and their variance within windows, (C, 4 + FREQUENT, T) each.

        Order: omnibus, the frequent ones, other, new, missing. A window of the reference is compared with the others.
        """
        others = np.broadcast_to(self.total[:, np.newaxis, :], cells.counts.shape)
        is_known = others[:, :, :-2] > 0
        if is_reference:
            others = others - cells.counts
            is_known = others[:, :, :-2] > self._border(cells.counts.shape[1])
        counts, n = self._with_unknown(cells.counts, is_known), cells.values
        omnibus = _omnibus(counts, self._with_unknown(others, is_known), self.icc)
        shares = [self._frequent(cells, place) for place in range(FREQUENT)]
        shares += [arcsine(counts[:, :, -2], n), arcsine(counts[:, :, -1], n), arcsine(cells.missing, cells.rows)]
        y, within = (np.stack([part[side] for part in (omnibus, *shares)], axis=1) for side in (0, 1))
        return y, within

    def _border(self, windows: int) -> Floats:
        """How many rows in the other windows a category needs to be one of the frequent ones there, (C, 1, 1).

        Those that owe their place to the window itself would be among the others without it: where thousands of
        categories compete, every later window would look as if it had more of the others.
        """
        seen = np.where(self.total[:, :-2] > 0, self.total[:, :-2], np.inf).min(axis=1, initial=np.inf)
        border = np.where(self.has_rare & np.isfinite(seen), seen * (1 - 1 / max(windows, 1)), 0.0)
        # A total just at the border stays in.
        return np.maximum(np.nextafter(border, -1.0), 0.0)[:, np.newaxis, np.newaxis]

    def _with_unknown(self, counts: Floats, is_known: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Floats:
        """Counts with the categories that the (other) reference windows do not know among the new ones or the rest."""
        moved = counts.copy()
        moved[:, :, :-2] = np.where(is_known, counts[:, :, :-2], 0.0)
        moved[:, :, -1] += np.where(is_known, 0.0, counts[:, :, :-2]).sum(axis=2)
        moved[self.has_rare, :, -2] += moved[self.has_rare, :, -1]
        moved[self.has_rare, :, -1] = 0.0
        return moved

    def _frequent(self, cells: Cells, place: int) -> tuple[Floats, Floats]:
        if place >= cells.counts.shape[2] - 2:
            absent = np.full(cells.values.shape, np.nan)
            return absent, absent
        return arcsine(cells.counts[:, :, place], cells.values)


def _omnibus(counts: Floats, others: Floats, icc: Floats) -> tuple[Floats, Floats]:
    """Cube root of the chi-square per degree of freedom, less what rows of one window have in common.

    Two samples, counts and others of shape (C, T, K). The cube root is near normal with variance 2 / (9 df) (Wilson &
    Hilferty 1931); the design effect is that of Rao & Scott 1981.
    """
    n, big_n = counts.sum(axis=2, keepdims=True), others.sum(axis=2, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (counts + others) / (n + big_n)
        is_small = n * pooled < _LEAST_EXPECTED
        gap = counts / n - others / big_n
        squares = np.where(is_small | (pooled <= 0), 0.0, gap**2 / pooled).sum(axis=2)
        small_pooled = np.where(is_small, pooled, 0.0).sum(axis=2)
        small_gap = np.where(is_small, gap, 0.0).sum(axis=2)
        squares += np.where(small_pooled > 0, small_gap**2 / small_pooled, 0.0)
        degrees = (~is_small).sum(axis=2) + (small_pooled > 0) - 1.0
        chi2 = squares / (1 / n + 1 / big_n)[:, :, 0]
        design = 1 + np.maximum(n[:, :, 0] - 1, 0.0) * icc[:, np.newaxis]
        y = np.cbrt(chi2 / degrees / design)
        is_known = (degrees > 0) & (n[:, :, 0] > 0) & (big_n[:, :, 0] > 0)
        return np.where(is_known, y, np.nan), np.where(is_known, 2 / (9 * degrees), np.nan)
