"""How many rows of a window are different: exactly below 1,024, from the 1,024 least hashes of rows above.

`profile` counts these in its one pass and `Profile` holds them, data quality reads them. Of a row only a hash is kept.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from functools import lru_cache

import msgspec
import numpy as np

from gyroscope.records import NotEnoughData
from gyroscope.stats.arrays import Ints
from gyroscope.stats.profiles.inputs import Column, as_floats, listed_texts
from gyroscope.stats.profiles.layout import CategoryBins, Layout
from gyroscope.stats.profiles.sampling import lots
from gyroscope.stats.texts import LONGEST, WORD, Texts, Words

MOST = 1 << 10
"""Marks that are kept: the number of different rows is then known to 3 %. They take 6 KB of a million rows."""

BITS = 48
"""Of a mark: of a billion different rows one in a million has the mark of another."""

_Z = 1.959964
_TOGETHER = 1 << 15  # twice or half as many take a tenth longer with all that is counted of the rows
_HALF = np.uint64(32)
_ABSENT = np.uint64(0x7FF8DEADBEEF0001)


class Again(msgspec.Struct, frozen=True):
    """The share of rows that were there already, 0 to 1, with the ends of its 95 % interval: none where it is exact.

    `different` is the number of different rows among `rows`.
    """

    share: float
    low: float
    high: float
    different: float
    rows: int


class EqualRows(msgspec.Struct, frozen=True, eq=False):
    """Rows, and the least marks of the different ones. A mark is a hash of the values of all columns of the layout.

    Attributes
    ----------
    rows : int
        That were counted.
    marks : int64 array
        At most 1,024, in increasing order, each less than 2**48: all of them as long as there are fewer.

    Examples
    --------
    >>> from gyroscope.stats.profiles.fitting import fit_layout
    >>> day = {"x": np.array([1.0, 2.0, 1.0, 1.0])}
    >>> EqualRows.empty().add(day, fit_layout(day), 4).again().share
    0.5
    """

    rows: int
    marks: Ints

    @staticmethod
    def empty() -> EqualRows:
        """Of no rows: merging it changes nothing."""
        return EqualRows(0, np.empty(0, np.int64))

    def again(self) -> Again | NotEnoughData:
        """Which share of the rows is there again.

        Returns
        -------
        Again or NotEnoughData
            1 - D / n, of D different rows among n. Below 1,024 D is known. From there on it is 1,023 / u, where u is
            the 1,024th least mark as a share of all possible ones, with relative variance (1 - 1,024 / D) / 1,022: a
            share of little repetition is then known to 6 points.

        Notes
        -----
        Bar-Yossef et al. 2002; Beyer, Haas, Reinwald, Sismanis & Gemulla 2007 (SIGMOD), unbiased, "k minimum values".
        """
        if not self.rows:
            return NotEnoughData("no rows")
        known = int(self.marks.size)
        if known < MOST:
            share = 1 - known / self.rows
            return Again(share, share, share, known, self.rows)
        different = min(max((known - 1) * 2.0**BITS / int(self.marks[-1]), known), self.rows)
        half = _Z * different * math.sqrt((1 - known / different) / (known - 2))
        ends = (min(max(d, known), self.rows) for d in (different, different + half, different - half))
        share, low, high = (1 - end / self.rows for end in ends)
        return Again(share, low, high, different, self.rows)

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

        Examples
        --------
        >>> from gyroscope.stats.profiles.fitting import fit_layout
        >>> x, city = np.array([0.0, np.nan, -0.0, np.nan]), np.array(["JFK", None, "JFK", "LGA"], dtype=object)
        >>> day = {"x": x, "from": city}
        >>> EqualRows.empty().add(day, fit_layout(day), 4).marks.size
        3
        """
        found = self
        named = {name: values for name, values in columns.items() if name in layout.columns}
        for start in range(0, n if layout.columns else 0, _TOGETHER):
            part = slice(start, min(start + _TOGETHER, n))
            here = part.stop - part.start
            marks = _marks({name: values[part] for name, values in named.items()}, layout, here)
            if found.marks.size >= MOST:
                marks = marks[marks < found.marks[-1]]
            found = found.merge(EqualRows(here, _different(marks)))
        return found

    def merge(self, other: EqualRows) -> EqualRows:
        """Of the rows of both windows, exactly."""
        marks = self.marks
        if other.marks.size:
            # A view would hold on to all of them.
            marks = _different(np.concatenate((marks, other.marks)))[:MOST].copy()
        return EqualRows(self.rows + other.rows, marks)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EqualRows):
            return NotImplemented
        return self.rows == other.rows and np.array_equal(self.marks, other.marks)

    __hash__ = None  # type: ignore[assignment]  # an array inside


def _different(marks: Ints) -> Ints:
    """In order, each once; numpy's `unique` imports its masked arrays first, which takes 15 ms."""
    ordered = np.sort(marks)
    different: Ints = ordered[np.concatenate((ordered[:1] >= 0, ordered[1:] != ordered[:-1]))]
    return different


def _marks(columns: Mapping[str, Column], layout: Layout, n: int) -> Ints:
    """A hash of all columns per row, shape (n,): a sum of their values, each times an odd number drawn by lot."""
    found, word, turned = np.zeros(n, np.uint64), np.empty(n, np.uint64), np.empty(n, np.uint64)
    for (name, bins), odd in zip(layout.columns.items(), _odd(len(layout.columns)), strict=True):
        if name not in columns:
            word[:] = _ABSENT
        elif isinstance(bins, CategoryBins):
            word[:] = _of_texts(columns[name])
        else:
            numbers = np.add(as_floats(columns[name]), 0.0, out=word.view(np.float64))  # -0.0 becomes 0.0
            if math.isnan(numbers.min()):
                word[np.isnan(numbers)] = _ABSENT
        found += _turned(word, odd, turned)
    return (lots(found.view(np.int64)) >> np.uint64(64 - BITS)).view(np.int64)


def _turned(word: Words, odd: np.uint64, room: Words) -> Words:
    """The same words, in place, each with something to say in all of its bits: whole numbers differ in high ones."""
    np.right_shift(word, _HALF, out=room)
    word ^= room
    word *= odd
    return word


@lru_cache(maxsize=256)
def _odd(count: int) -> Words:
    return lots(np.arange(count)) | np.uint64(1)


def _of_texts(values: Column) -> Words:
    if not isinstance(values, Texts):
        # Each different text is looked at once.
        listed = listed_texts(values)
        different = list(dict.fromkeys(listed))
        known = dict(zip(different, _of_texts(Texts.of(different)).tolist(), strict=True))
        return np.fromiter(map(known.__getitem__, listed), np.uint64, len(listed))
    # By its own size, not that of its neighbours: a text has one hash wherever it stands.
    is_long = values.sizes > LONGEST
    if is_long.any():
        found = np.empty(is_long.size, np.uint64)
        for rows, hashed in ((np.flatnonzero(~is_long), _short), (np.flatnonzero(is_long), _long)):
            found[rows] = hashed(values[rows])
    else:
        found = _short(values)
    if values.present is not None:
        found[~values.present] = _ABSENT
    return found


def _short(texts: Texts) -> Words:
    """By eight bytes at a time. Zeros beyond the end add nothing: a text is itself beside longer ones too."""
    count = -(-int(texts.sizes.max(initial=0)) // WORD)
    found, turned = texts.sizes.astype(np.uint64), np.empty(texts.sizes.size, np.uint64)
    for word, odd in zip(texts.words(count), _odd(count), strict=True):
        found += _turned(word, odd, turned)
    return found


def _long(texts: Texts) -> Words:
    spans = zip(texts.starts.tolist(), texts.sizes.tolist(), strict=True)
    sums = [hashlib.blake2b(texts.data[at : at + size].tobytes(), digest_size=8).digest() for at, size in spans]
    return np.frombuffer(b"".join(sums), np.uint64).copy()
