"""Populations of 50 columns whose windows hang together: what N1, N3, N4 and P1 draw reference and production from.

40 numeric columns (normal, log-normal, t with 2 degrees, zero-inflated, integer) and 10 of strings (2, 20, 200 and
5,000 categories, Zipf); half of them miss 5 % of their values. A window shifts each column by an effect of its own,
which remembers the window before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from benchmarks.statistics.fine import FineNumbers, FineTexts

Floats = NDArray[np.float64]

LAWS = ("normal", "lognormal", "t2", "zeros", "integer")
KINDS = (2, 2, 2, 20, 20, 20, 200, 200, 5_000, 5_000)
NUMBERS = 40
WARM_UP = 20  # windows before the first, so that the memory of effects has settled

# Cells of equal mass, and ever thinner ones outside: the least of 300,000 rows lies beyond the share 1e-5.
_TAIL = np.array([1e-7, 1e-6, 1e-5, 1e-4, 5e-4, 1e-3, 2e-3, 5e-3])
_CUTS = ndtri(np.concatenate([_TAIL, np.arange(1, 40) / 40, 1 - _TAIL[::-1]]))
_MIDDLES = np.concatenate([[_CUTS[0] - 0.1], (_CUTS[1:] + _CUTS[:-1]) / 2, [_CUTS[-1] + 0.1]])
_SINGLE = 200  # categories that are drawn one by one; the rest of a long tail is drawn as rows


@dataclass(frozen=True)
class Cell:
    """One setting: rows a window (0: mixed, 20 to 2,000), reference windows, intraclass and serial correlation."""

    rows: int
    reference: int
    icc: float = 0.0
    memory: float = 0.0
    later: int = 30

    @property
    def windows(self) -> int:
        return self.reference + self.later

    def sizes(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Rows of each window."""
        if self.rows:
            return np.full(self.windows, self.rows, np.int64)
        return np.exp(rng.uniform(np.log(20), np.log(2_000), self.windows)).astype(np.int64)


def effects(rng: np.random.Generator, cell: Cell, shape: tuple[int, ...]) -> Floats:
    """Standard normal effects of windows with the memory of the cell, shape (windows, *shape)."""
    noise = rng.normal(size=(WARM_UP + cell.windows, *shape))
    fresh = np.sqrt(1 - cell.memory**2)
    for window in range(1, len(noise)):
        noise[window] = cell.memory * noise[window - 1] + fresh * noise[window]
    return noise[WARM_UP:]


def draw(rng: np.random.Generator, cell: Cell, numbers: int = NUMBERS, kinds: tuple[int, ...] = KINDS):
    """A month after its reference: all columns, reference windows first."""
    sizes = cell.sizes(rng)
    columns: dict[str, FineNumbers | FineTexts] = {}
    shift = effects(rng, cell, (numbers,)) * np.sqrt(cell.icc / (1 - cell.icc))
    for place in range(numbers):
        missing = _missing(rng, cell, sizes) if place % 2 else np.zeros_like(sizes)
        law = LAWS[place % len(LAWS)]
        columns[f"{law}{place}"] = _numbers(rng, law, sizes - missing, missing, shift[:, place])
    for place, kind in enumerate(kinds):
        missing = _missing(rng, cell, sizes) if place % 2 else np.zeros_like(sizes)
        columns[f"text{kind}_{place}"] = FineTexts(texts(rng, cell, kind, sizes - missing), missing)
    return columns


def _missing(rng: np.random.Generator, cell: Cell, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    # A relative effect on a share p has the intraclass correlation icc when its square is icc (1 - p) / p.
    share = np.clip(0.05 * (1 + np.sqrt(cell.icc * 19) * effects(rng, cell, ())), 0.0, 0.9)
    return rng.binomial(sizes, share)


def number_shares(law: str, shift: Floats, stretch: float = 1.0) -> Floats:
    """The share of each cell when the column is moved by `shift` and stretched, shape (T, G)."""
    if law == "t2":
        # Student's law with two degrees, whose distribution function is a root.
        quantile = _t2_quantile(ndtr(_CUTS)) / stretch
        below = _t2_cdf(quantile - shift[:, np.newaxis])
    else:
        below = ndtr(_CUTS / stretch - shift[:, np.newaxis])
    return np.diff(below, axis=1, prepend=0.0, append=1.0)


def number_values(law: str) -> Floats:
    """The value of each cell; equal values are one."""
    if law == "lognormal":
        return np.exp(_MIDDLES)
    if law == "zeros":
        return np.maximum(_MIDDLES, 0.25)
    return np.floor(3 * _MIDDLES) if law == "integer" else _MIDDLES


def _numbers(rng, law: str, rows, missing, shift: Floats) -> FineNumbers:
    return FineNumbers(number_values(law), rng.multinomial(rows, number_shares(law, shift)), missing)


def zipf(kinds: int) -> Floats:
    """Shares of categories, the k-th in proportion to 1 / k."""
    share = 1 / np.arange(1, kinds + 1)
    return share / share.sum()


def text_shares(rng: np.random.Generator, cell: Cell, base: Floats) -> Floats:
    """Shares of each window, (T, K): three effects that each category feels in its own way.

    The intraclass correlation of the most frequent category is that of the cell.
    """
    if not cell.icc:
        return np.broadcast_to(base, (cell.windows, len(base)))
    strength = np.sqrt(cell.icc * (1 - base[0]) / base[0] / 3)
    felt = effects(rng, cell, (3,)) @ rng.normal(size=(3, len(base)))
    share = base * np.exp(strength * felt)
    return share / share.sum(axis=1, keepdims=True)


def texts(rng: np.random.Generator, cell: Cell, kinds: int, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts of each window, (T, kinds)."""
    base = zipf(kinds)
    if kinds <= _SINGLE:
        return rng.multinomial(rows, text_shares(rng, cell, base))
    # A long tail feels the effects as one; which of its thousands of categories a row has is drawn row by row.
    drawn = rng.multinomial(rows, text_shares(rng, cell, np.append(base[:_SINGLE], base[_SINGLE:].sum())))
    tail = np.cumsum(base[_SINGLE:])
    window = np.repeat(np.arange(len(rows)), drawn[:, -1])
    which = np.searchsorted(tail, rng.random(len(window)) * tail[-1])
    width = kinds - _SINGLE
    cells = np.bincount(window * width + np.minimum(which, width - 1), minlength=len(rows) * width)
    return np.column_stack([drawn[:, :-1], cells.reshape(len(rows), width)])


def _t2_quantile(p: Floats) -> Floats:
    a = 2 * p - 1
    return a * np.sqrt(2 / (1 - a * a))


def _t2_cdf(t: Floats) -> Floats:
    return 0.5 + t / (2 * np.sqrt(2 + t * t))
