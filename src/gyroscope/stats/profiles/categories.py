"""Counting a column of text on the categories of a layout, by the bytes of the texts.

`counting.py` calls this for `Texts`. Every match is checked byte for byte; nothing depends on a hash.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gyroscope.stats.arrays import Ints
from gyroscope.stats.profiles.layout import CategoryBins
from gyroscope.stats.texts import LONGEST, WORD, Texts, Words, hashes

_MOST_BITS = 22


class _Book(NamedTuple):
    """The known texts, each found in one step: its hash's top bits name a cell that no other known text has."""

    words: Words
    sizes: Ints
    cells: npt.NDArray[np.intp]
    shift: np.uint64


def count_texts(texts: Texts, bins: CategoryBins) -> Ints | None:
    """Counts per category, other and new.

    Parameters
    ----------
    texts : Texts, n rows
    bins : CategoryBins

    Returns
    -------
    int64 array, shape (categories + 2,), or None
        None when the categories are too long to be compared this way: tally the texts instead.

    Examples
    --------
    >>> count_texts(Texts.of(["a", "z", None, "a", "b"]), CategoryBins(("a",), ("b",))).tolist()
    [2, 1, 1]
    """
    book = _book(bins)
    if book is None:
        return None
    known, named = len(book.sizes), len(bins.categories)
    found = _places(texts, book)
    if texts.present is not None:
        found = found[texts.present]
    counts = np.bincount(found, minlength=known + 1)
    return np.concatenate((counts[:named], [counts[named:known].sum(), counts[known]])).astype(np.int64)


def _places(texts: Texts, book: _Book) -> Ints:
    """Which known text each row holds; as many as there are known ones where it is none of them."""
    known = len(book.sizes)
    words = texts.words(len(book.words))
    place = book.cells[hashes(words, texts.sizes) >> book.shift]
    # Cells without a text point to the first one, whose bytes then differ.
    same = book.sizes[place] == texts.sizes if known else np.zeros(texts.shape, bool)
    for mine, theirs in zip(words, book.words, strict=True):
        same &= theirs[place] == mine if known else same
    return place if same.all() else np.where(same, place, known)


@lru_cache(maxsize=4096)
def _book(bins: CategoryBins) -> _Book | None:
    names = (*bins.categories, *bins.rare)
    column = Texts.of(list(names))
    longest = int(column.sizes.max(initial=0))
    if longest > LONGEST:
        return None
    words = column.words(max(-(-longest // WORD), 1))
    marks = hashes(words, column.sizes)
    for bits in range(max(len(names), 1).bit_length() + 1, _MOST_BITS + 1):
        shift = np.uint64(64 - bits)
        cell = marks >> shift
        if len(set(cell.tolist())) == len(names):
            cells = np.zeros(1 << bits, np.intp)
            cells[cell] = np.arange(len(names))
            return _Book(words, column.sizes, cells, shift)
    return None
