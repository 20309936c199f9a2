"""Counts of several columns over windows as one array, and shares of them on a scale where windows compare.

`columns` fills these from profiles, the scales of numbers and categories read them, benchmarks draw them.
"""

from __future__ import annotations

import msgspec
import numpy as np

from gyroscope.stats.arrays import Floats


class Cells(msgspec.Struct, frozen=True, eq=False):
    """Counts of C columns of one kind over T windows.

    Attributes
    ----------
    counts : float array, shape (C, T, K)
        Rows per cell; columns with fewer cells end in zeros.
    missing : float array, shape (C, T)
        Rows without a usable value.

    Examples
    --------
    >>> two = Cells(np.array([[[3.0, 1.0], [0.0, 0.0]]]), np.array([[0.0, 4.0]]))
    >>> two.values.tolist(), two.rows.tolist()
    ([[4.0, 0.0]], [[4.0, 4.0]])
    """

    counts: Floats
    missing: Floats

    @property
    def values(self) -> Floats:
        """Rows with a value, shape (C, T)."""
        total: Floats = self.counts.sum(axis=2)
        return total

    @property
    def rows(self) -> Floats:
        """All rows, shape (C, T)."""
        return self.values + self.missing


def arcsine(hits: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """A share as (value, variance that its rows explain), NaN without rows.

    Notes
    -----
    2 asin sqrt((x + 3/8) / (n + 3/4)), whose variance is near 1 / n for every share (Anscombe 1948).

    Examples
    --------
    >>> y, within = arcsine(np.array([0.0, 50.0]), np.array([100.0, 100.0]))
    >>> y.round(3).tolist(), within.tolist()
    ([0.122, 1.571], [0.01, 0.01])
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        within = np.where(rows > 0, 1 / rows, np.nan)
    y = 2 * np.arcsin(np.sqrt(np.clip((hits + 0.375) / (rows + 0.75), 0.0, 1.0)))
    return np.where(rows > 0, y, np.nan), within
