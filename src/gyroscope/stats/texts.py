"""A column of text as Arrow lays it out: places in one run of bytes, no Python object per row.

Readers of files make these, profiles count them. Texts are compared by their bytes, eight at a time; a text is only
decoded when somebody has to see it.
"""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np
import numpy.typing as npt

from gyroscope.stats.arrays import Ints

WORD = 8
LONGEST = 256
"""Texts up to this many bytes are compared without a loop over rows; a column of longer ones is decoded."""

_KEEP = np.array([(1 << (8 * count)) - 1 for count in range(WORD + 1)], np.uint64)
_TURN, _STIR = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)

Words = npt.NDArray[np.uint64]


class Texts(msgspec.Struct, frozen=True, eq=False):
    """Texts of n rows, UTF-8.

    Attributes
    ----------
    data : uint8 array
        The bytes of all texts, in any order; rows may share them.
    starts, sizes : int64 arrays, shape (n,)
        Where each text starts in `data`, and its bytes.
    present : bool array, shape (n,), or None
        False where a text is missing; None when none is.

    Examples
    --------
    >>> column = Texts.of(["JFK", None, "LGA"])
    >>> column[1:].tolist(), column.shape
    ([None, 'LGA'], (3,))
    """

    data: npt.NDArray[np.uint8]
    starts: Ints
    sizes: Ints
    present: npt.NDArray[np.bool_] | None = None

    @staticmethod
    def of(values: list[str | None]) -> Texts:
        """From Python's own texts; None is missing."""
        packed = [b"" if value is None else value.encode("utf-8", "surrogatepass") for value in values]
        sizes = np.array([len(text) for text in packed], np.int64)
        present = None if None not in values else np.array([value is not None for value in values])
        data = np.frombuffer(b"".join(packed), np.uint8)
        return Texts(data, np.cumsum(sizes) - sizes, sizes, present)

    @property
    def shape(self) -> tuple[int]:
        """(n,), as of an array."""
        return (self.starts.size,)

    @property
    def missing(self) -> int:
        """Rows without a text."""
        return 0 if self.present is None else int(self.present.size - np.count_nonzero(self.present))

    def __getitem__(self, rows: slice | Ints) -> Texts:
        """Some rows; the bytes are shared."""
        present = None if self.present is None else self.present[rows]
        return Texts(self.data, self.starts[rows], self.sizes[rows], present)

    def compact(self) -> Texts:
        """The same rows with their own bytes and no others: what is kept does not hold on to a whole file."""
        ends = np.cumsum(self.sizes)
        shift = np.repeat(self.starts - (ends - self.sizes), self.sizes)
        data = self.data[shift + np.arange(int(ends[-1]) if ends.size else 0)]
        return Texts(data, ends - self.sizes, self.sizes.copy(), None if self.present is None else self.present.copy())

    def words(self, count: int) -> Words:
        """The first `count` x 8 bytes of each text as numbers, shape (count, n), zero beyond its end."""
        if not self.starts.size:
            return np.zeros((count, 0), np.uint64)
        first, size = int(self.starts[0]), int(self.sizes[0])
        last = first + size * self.sizes.size
        is_even = int(self.starts[-1]) == last - size and bool((self.sizes == size).all())
        if is_even and (self.starts[1:] - self.starts[:-1] == size).all():
            return _words_of_equal(self.data[first:last].reshape(self.sizes.size, size), count)
        # Of all bytes only those of these rows, with room behind the last: a slice of a large column stays small.
        first, last = int(self.starts.min()), int((self.starts + self.sizes).max())
        raw = np.zeros(max(last - first, 0) + WORD, np.uint8)
        raw[: last - first] = self.data[first:last]
        anywhere = np.ndarray((raw.size - WORD + 1,), np.uint64, raw, strides=(1,))
        found = np.empty((count, self.starts.size), np.uint64)
        for at in range(count):
            left = self.sizes - at * WORD
            place = np.minimum(self.starts + (at * WORD - first), raw.size - WORD)
            np.bitwise_and(anywhere[place], _KEEP[np.clip(left, 0, WORD)], out=found[at])
        return found

    def tolist(self) -> list[str | None]:
        """Python's own texts, None where missing."""
        data = self.data
        spans = zip(self.starts.tolist(), self.sizes.tolist(), strict=True)
        texts: list[str | None] = [data[at : at + size].tobytes().decode("utf-8", "replace") for at, size in spans]
        if self.present is not None:
            for row in np.flatnonzero(~self.present).tolist():
                texts[row] = None
        return texts

    def tally(self) -> tuple[dict[str, int], int]:
        """How often each text occurs, in no order, and how many rows have none.

        >>> Texts.of(["a", None, "b", "a"]).tally() == ({"a": 2, "b": 1}, 1)
        True
        """
        rows = self if self.present is None else self[np.flatnonzero(self.present)]
        longest = int(rows.sizes.max(initial=0))
        if longest > LONGEST:
            return _tally_decoded(rows), self.missing
        words = rows.words(-(-longest // WORD))
        marks = hashes(words, rows.sizes)
        known, counts = np.unique(marks, return_counts=True)
        group = np.searchsorted(known, marks)
        firsts = np.empty(known.size, np.int64)
        firsts[group] = np.arange(group.size)
        alike = firsts[group]
        # Different texts of one hash would be counted as one: then all are looked at.
        if not np.array_equal(words[:, alike], words) or not np.array_equal(rows.sizes[alike], rows.sizes):
            return _tally_decoded(rows), self.missing
        names = rows[firsts].tolist()
        return dict(zip(names, counts.tolist(), strict=True)), self.missing  # type: ignore[arg-type]


def _words_of_equal(texts: npt.NDArray[np.uint8], count: int) -> Words:
    """As `Texts.words`, of texts of one size that lie one after the other, shape (n, size): codes, and such names."""
    padded = np.zeros((count, len(texts), WORD), np.uint8)
    for at in range(count):
        some = texts[:, at * WORD : (at + 1) * WORD]
        padded[at, :, : some.shape[1]] = some
    return padded.view(np.uint64)[:, :, 0]


def joined(parts: list[Texts]) -> Texts:
    """The rows of several columns, one after the other.

    Examples
    --------
    >>> joined([Texts.of(["a"]), Texts.of([None, "b"])]).tolist()
    ['a', None, 'b']
    """
    before = np.cumsum([0, *(part.data.size for part in parts[:-1])])
    starts = [part.starts + shift for part, shift in zip(parts, before.tolist(), strict=True)]
    present = None
    if any(part.present is not None for part in parts):
        present = np.concatenate(
            [np.ones(part.shape, bool) if part.present is None else part.present for part in parts]
        )
    data, sizes = np.concatenate([part.data for part in parts]), np.concatenate([part.sizes for part in parts])
    return Texts(data, np.concatenate(starts), sizes, present)


def hashes(words: Words, sizes: Ints) -> Words:
    """A number per text that is the same for equal texts, shape (n,).

    Examples
    --------
    >>> column = Texts.of(["JFK", "LGA", "JFK"])
    >>> found = hashes(column.words(1), column.sizes)
    >>> found[0] == found[2], found[0] == found[1]
    (np.True_, np.False_)
    """
    found = sizes.astype(np.uint64)
    for word in words:
        found ^= word
        found *= _TURN
        found ^= found >> _HALF
        found *= _STIR
    return found


def _tally_decoded(rows: Texts) -> dict[str, int]:
    return dict(Counter(text for text in rows.tolist() if text is not None))
