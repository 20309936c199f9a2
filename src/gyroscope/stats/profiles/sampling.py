"""Bins for a table of any length, fitted to rows that are picked by their number: bounded memory, no randomness.

Readers of files call this where a reference is too long to be held. It keeps rows, unlike everything else here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec
import numpy as np
import numpy.typing as npt

from gyroscope.stats.arrays import Floats, Ints
from gyroscope.stats.profiles.fitting import fit_layout
from gyroscope.stats.profiles.inputs import Column, as_floats, as_texts, is_numeric, row_count, taken
from gyroscope.stats.profiles.layout import Layout, NumericBins
from gyroscope.stats.texts import Texts, joined

MOST_ROWS = 1 << 17
"""Rows that are held at most; the share of a bin is then 5 % within 0.12 %."""

_EVERY = 1 << 64
_STEP = np.uint64(0x9E3779B97F4A7C15)


class RowSample:
    """Rows of a table that comes in blocks: all of them up to `MOST_ROWS`, then a growing thinning.

    Examples
    --------
    >>> sample = RowSample()
    >>> sample.add({"x": np.array([1.0, 2.0])})
    >>> sample.add({"x": np.array([9.0])})
    >>> sample.is_whole, sample.layout().columns["x"].edges
    (True, (1.0, 2.0, 9.0, 9.0))
    """

    def __init__(self, most_rows: int = MOST_ROWS) -> None:
        self._most = most_rows
        self._blocks: list[tuple[Ints, dict[str, Column]]] = []
        self._rows = self._seen = 0
        self._limit = _EVERY
        self._ends: dict[str, tuple[float, float]] = {}
        self._kinds: dict[str, bool] = {}

    @property
    def is_whole(self) -> bool:
        """Whether every row is still there."""
        return self._rows == self._seen

    def add(self, columns: Mapping[str, Column]) -> None:
        """The next rows, of any columns."""
        n = row_count(columns)
        rows = np.arange(self._seen, self._seen + n)
        for name, values in columns.items():
            # A column that holds text once is one of text: numbers can be written as text, not the other way round.
            self._kinds[name] = is_numeric(values) and self._kinds.get(name, True)
            if is_numeric(values):
                self._widen(name, values)
        self._seen += n
        self._blocks.append(self._picked(rows, dict(columns)))
        self._rows += self._blocks[-1][0].size
        while self._rows > self._most:
            self._limit //= 2
            self._blocks = [self._picked(*block) for block in self._blocks]
            self._rows = sum(rows.size for rows, _ in self._blocks)

    def columns(self) -> dict[str, Column]:
        """The rows that are held; a column that a block did not have is missing in its rows."""
        return {name: self._column(name, is_number) for name, is_number in self._kinds.items()}

    def layout(self) -> Layout:
        """Bins fitted to the rows that are held, from the least to the greatest value of all rows."""
        fitted = fit_layout(self.columns()).columns
        widened = {
            name: _widened(bins, self._ends[name]) if isinstance(bins, NumericBins) and name in self._ends else bins
            for name, bins in fitted.items()
        }
        return Layout(widened)

    def _picked(self, rows: Ints, columns: dict[str, Column]) -> tuple[Ints, dict[str, Column]]:
        if self._limit == _EVERY:
            return rows, columns
        kept = np.flatnonzero(lots(rows) < np.uint64(self._limit))
        return rows[kept], {name: taken(values, kept) for name, values in columns.items()}

    def _widen(self, name: str, values: Column) -> None:
        low, high = self._ends.get(name, (math.inf, -math.inf))
        least, greatest = _ends(as_floats(values))
        self._ends[name] = (min(low, least), max(high, greatest))

    def _column(self, name: str, is_number: bool) -> Column:
        parts = [(rows.size, columns.get(name)) for rows, columns in self._blocks]
        if is_number:
            return np.concatenate([np.full(n, np.nan) if part is None else as_floats(part) for n, part in parts])
        return joined([Texts.of([None] * n) if part is None else as_texts(part) for n, part in parts])


def lots(rows: Ints) -> npt.NDArray[np.uint64]:
    """A number per row that looks drawn by lot: the mixing of SplitMix64 (Steele, Lea & Flood 2014).

    >>> lots(np.array([0])).tolist()
    [16294208416658607535]
    """
    mixed = (rows.astype(np.uint64) + np.uint64(1)) * _STEP
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def _ends(numbers: Floats) -> tuple[float, float]:
    """Least and greatest finite value; inf and -inf when there is none."""
    least = float(np.fmin.reduce(numbers, initial=math.inf))
    greatest = float(np.fmax.reduce(numbers, initial=-math.inf))
    if least != -math.inf and greatest != math.inf:
        return least, greatest
    return _ends(numbers[np.isfinite(numbers)])


def _widened(bins: NumericBins, ends: tuple[float, float]) -> NumericBins:
    """The least and greatest value of all rows in place of those of the picked ones."""
    low, high = ends
    edges = bins.edges
    if not edges or not math.isfinite(low):
        return bins
    # A greatest value with a bin of its own keeps it; a still greater one closes the last bin.
    edges = edges if edges[0] <= low else (low, *edges[1:])
    edges = edges if edges[-1] >= high else (*edges[:-1], high)
    return msgspec.structs.replace(bins, edges=edges)
