"""How many rows of a window occur more than once: exactly for up to 1,024 different rows, from as many of them above.

`profile` counts these in its one pass and `Profile` holds them, data quality reads them. Of a row only a hash is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from gyroscope.records import NotEnoughData
from gyroscope.stats.arrays import Ints
from gyroscope.stats.profiles.inputs import Column, as_floats, as_texts, taken
from gyroscope.stats.profiles.layout import CategoryBins, Layout
from gyroscope.stats.profiles.sampling import lots
from gyroscope.stats.sparse import SparseCounts
from gyroscope.stats.texts import LONGEST, WORD, Texts, Words

MOST = 1 << 10
"""Different rows that are kept: a share of 1 % is then known to 0.3 points. They take 5 KB of a million rows."""

_DRAWING = 4
"""Columns whose values say which rows are looked at: mixing all fifty of every row took 5 % of `gyro compare`."""

_MANY_BINS = 20
_LOW, _HIGH = np.uint64(36), np.uint64(24)
_BY_DRAW, _BY_ROW = np.uint64(64) - _HIGH, np.uint64(64) - _LOW
_STIR, _HALF = np.uint64(0xD6E8FEB86659FD93), np.uint64(32)
_ABSENT = np.uint64(0x7FF8DEADBEEF0001)


class EqualRows(msgspec.Struct, frozen=True):
    """How often each of some different rows occurred: of all those whose mark is least.

    A mark is a hash of the values of all columns of the layout, so two windows keep the same rows of those they share
    and merge exactly (bottom-k with counts: Cohen & Kaplan 2007; Gibbons 2001).

    Attributes
    ----------
    marks : SparseCounts
        At most 1,024 keys.

    Examples
    --------
    >>> from gyroscope.stats.profiles.fitting import fit_layout
    >>> day = {"x": np.array([1.0, 2.0, 1.0, 1.0])}
    >>> EqualRows.empty().add(day, fit_layout(day), 4).share
    0.5
    """

    marks: SparseCounts

    @staticmethod
    def empty() -> EqualRows:
        """Of no rows: merging it changes nothing."""
        return EqualRows(SparseCounts.empty())

    @property
    def rows(self) -> int:
        """Rows that were looked at: all, as long as fewer than 1,024 are different."""
        return self.marks.total

    @property
    def again(self) -> int:
        """Of these, how many had been there already."""
        return self.rows - int(self.marks.keys.size)

    @property
    def share(self) -> float | NotEnoughData:
        """Which share of the rows are there again, 0 to 1."""
        return self.again / self.rows if self.rows else NotEnoughData("no rows")

    def add(self, columns: Mapping[str, Column], layout: Layout, n: int) -> EqualRows:
        """These and the rows of a block.

        Parameters
        ----------
        columns : mapping of str to array, shape (n,) each
            A column that is not there is missing in every row.
        layout : Layout
            Rows are equal when they are in all of its columns: numbers as float64, where -0 is 0 and one missing value
            is like another, everything else as text.
        n : int

        Notes
        -----
        Four columns of many values choose the rows whose other columns are looked at. Equal rows are chosen together,
        so whatever is chosen is counted exactly.

        Examples
        --------
        >>> from gyroscope.stats.profiles.fitting import fit_layout
        >>> x, city = np.array([0.0, np.nan, -0.0, np.nan]), np.array(["JFK", None, "JFK", "LGA"], dtype=object)
        >>> day = {"x": x, "from": city}
        >>> EqualRows.empty().add(day, fit_layout(day), 4).again
        1
        """
        if not n or not layout.columns:
            return self
        named = {name: values for name, values in columns.items() if name in layout.columns}
        draws = _mixed(named, layout, _drawing(layout), n) >> _BY_DRAW
        most = MOST
        while True:
            chosen = self._chosen(draws, most)
            is_all = chosen.size == n
            here = named if is_all else {name: taken(values, chosen) for name, values in named.items()}
            rows = _mixed(here, layout, tuple(layout.columns), chosen.size) >> _BY_ROW
            found = EqualRows(SparseCounts.of(((draws[chosen] << _LOW) | rows).astype(np.int64)))
            if self._is_full or is_all or found.marks.keys.size >= MOST:
                return self.merge(found)
            most *= 4  # many of the rows are equal

    def merge(self, other: EqualRows) -> EqualRows:
        """Of the rows of both windows, exactly."""
        both = _below(self.marks, other).merge(_below(other.marks, self))
        return EqualRows(SparseCounts(both.keys[:MOST], both.counts[:MOST]))

    @property
    def _is_full(self) -> bool:
        return self.marks.keys.size >= MOST

    def _chosen(self, draw: Words, most: int) -> Ints:
        """The places of rows that may be kept: those before the last that is, else the `most` that come first."""
        if self._is_full:
            return np.flatnonzero(draw <= np.uint64(self.marks.keys[-1]) >> _LOW)
        if most >= draw.size:
            return np.arange(draw.size)
        return np.flatnonzero(draw <= np.partition(draw, most - 1)[most - 1])


def _below(marks: SparseCounts, other: EqualRows) -> SparseCounts:
    """Those that can still be kept beside the others: nearly none where the others are of far more rows."""
    if not other._is_full or not marks.keys.size or marks.keys[-1] <= other.marks.keys[-1]:
        return marks
    end = int(np.searchsorted(marks.keys, other.marks.keys[-1], side="right"))
    return SparseCounts(marks.keys[:end], marks.counts[:end])


def _drawing(layout: Layout) -> Sequence[str]:
    """Columns of which few rows share a value: numbers of many values first, then whatever has most."""

    def order(name: str) -> tuple[bool, int]:
        bins = layout.columns[name]
        return isinstance(bins, CategoryBins) or bins.size <= _MANY_BINS, -bins.size

    return sorted(layout.columns, key=order)[:_DRAWING]


def _mixed(columns: Mapping[str, Column], layout: Layout, names: Sequence[str], n: int) -> Words:
    """A hash of some columns per row, shape (n,): a sum of their values, each times an odd number drawn by lot."""
    found, word, turned = np.zeros(n, np.uint64), np.empty(n, np.uint64), np.empty(n, np.uint64)
    for name, odd in zip(names, _odd(len(names)), strict=True):
        if name not in columns:
            word[:] = _ABSENT
        elif isinstance(layout.columns[name], CategoryBins):
            word[:] = _of_texts(columns[name])
        else:
            numbers = np.add(as_floats(columns[name]), 0.0, out=word.view(np.float64))  # -0.0 becomes 0.0
            is_missing = np.isnan(numbers)
            if is_missing.any():
                word[is_missing] = _ABSENT
        # Numbers that are whole differ in their high bits alone.
        np.right_shift(word, _HALF, out=turned)
        word ^= turned
        word *= odd
        found += word
    found ^= found >> _HALF
    found *= _STIR
    return found


@lru_cache(maxsize=256)
def _odd(count: int) -> Words:
    return lots(np.arange(count)) | np.uint64(1)


def _of_texts(values: Column) -> Words:
    if not isinstance(values, Texts):
        return _of_objects(values)
    longest = int(values.sizes.max(initial=0))
    found = _short(values, -(-longest // WORD)) if longest <= LONGEST else _long(values)
    if values.present is not None:
        found[~values.present] = _ABSENT
    return found


def _short(texts: Texts, count: int) -> Words:
    """By eight bytes at a time. Zeros beyond the end add nothing: a text is itself beside longer ones too."""
    found = texts.sizes.astype(np.uint64)
    for word, odd in zip(texts.words(count), _odd(count), strict=True):
        word ^= word >> _HALF
        word *= odd
        found += word
    found ^= found >> _HALF
    found *= _STIR
    return found


def _of_objects(values: npt.NDArray[Any]) -> Words:
    """Each different object is looked at once."""
    listed: list[object] = values.tolist()
    try:
        different = list(dict.fromkeys(listed))
    except TypeError:  # lists and their like have no hash
        return _of_texts(as_texts(values))
    marks = _of_texts(as_texts(np.array([*different, None], object)[:-1])).tolist()
    known = dict(zip(different, marks, strict=True))
    return np.fromiter(map(known.__getitem__, listed), np.uint64, len(listed))


def _long(texts: Texts) -> Words:
    spans = zip(texts.starts.tolist(), texts.sizes.tolist(), strict=True)
    sums = [hashlib.blake2b(texts.data[at : at + size].tobytes(), digest_size=8).digest() for at, size in spans]
    return np.frombuffer(b"".join(sums), np.uint64).copy()
