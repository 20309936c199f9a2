"""Streams of numeric columns: location, scale, values outside the reference's range, missing values.

`columns` calls this for all numeric columns at once. It knows bins only by their rank.
"""

from __future__ import annotations

import msgspec
import numpy as np
from scipy.special import ndtri

from gyroscope.stats.arrays import Floats
from gyroscope.stats.streams.cells import Cells, arcsine

KINDS = ("location", "scale", "below", "above", "missing")
WEIGHTS = (0.4, 0.3, 0.04, 0.04, 0.22)
SIDES = (0, 0, 1, 1, 0)
"""More values outside the range are a change; fewer are none, as a sample ends where its luck does."""

_OUTERMOST = 0.005
"""Values outside the range stand at this share of the reference: far out, but not so far that one row in a window
decides where it is. How many there are is a stream of its own."""


class NumericScale(msgspec.Struct, frozen=True, eq=False):
    """Where the cells of C columns stand on a normal scale, and how much one row varies on it.

    Attributes
    ----------
    places : float array, shape (C, K)
        Normal score of the middle of each cell's share of the reference.
    middle, variance, fourth : float array, shape (C,)
        Of the reference rows on that scale: their mean, their variance, the variance of their squared distances.

    Examples
    --------
    >>> half = NumericScale.fit(Cells(np.array([[[0.0, 50.0, 50.0, 0.0]]]), np.zeros((1, 1))))
    >>> half.places.round(2).tolist(), half.variance.round(2).tolist()
    ([[-2.58, -0.67, 0.67, 2.58]], [0.45])
    """

    places: Floats
    middle: Floats
    variance: Floats
    fourth: Floats

    @staticmethod
    def fit(reference: Cells) -> NumericScale:
        """Learn from reference windows; the first cell is below the range, the last used one above it."""
        total = reference.counts.sum(axis=1)
        n = np.maximum(total.sum(axis=1, keepdims=True), 1.0)
        share = total / n
        places = ndtri(np.clip(np.cumsum(share, axis=1) - share / 2, _OUTERMOST, 1 - _OUTERMOST))
        middle = (share * places).sum(axis=1)
        squares = (places - middle[:, np.newaxis]) ** 2
        variance = (share * squares).sum(axis=1)
        fourth = (share * (squares - variance[:, np.newaxis]) ** 2).sum(axis=1)
        return NumericScale(places, middle, variance, fourth)

    def streams(self, cells: Cells, below: Floats, above: Floats) -> tuple[Floats, Floats]:
        """Values and their variance within windows, (C, 5, T) each, in the order of `KINDS`.

        Scale is the cube root of the mean squared distance from the middle, which is near normal where its square is
        as skewed as a chi-square (Wilson & Hilferty 1931): a wider column is not mistaken for one of a long tail.

        Parameters
        ----------
        cells : Cells
        below, above : float array, shape (C, T)
            Rows outside the range of the (other) reference windows.
        """
        n, squares = cells.values, (self.places - self.middle[:, np.newaxis]) ** 2
        with np.errstate(divide="ignore", invalid="ignore"):
            location = np.einsum("ctk,ck->ct", cells.counts, self.places) / n
            scale = np.cbrt(np.einsum("ctk,ck->ct", cells.counts, squares) / n)
            # The derivative of a cube root, at the variance of the reference.
            slope = np.cbrt(self.variance) ** -2 / 3
            within = [self.variance[:, np.newaxis] / n, (slope**2 * self.fourth)[:, np.newaxis] / n]
        shares = [arcsine(below, n), arcsine(above, n), arcsine(cells.missing, cells.rows)]
        y = np.stack([location, scale, *(share[0] for share in shares)], axis=1)
        return y, np.stack([*within, *(share[1] for share in shares)], axis=1)
