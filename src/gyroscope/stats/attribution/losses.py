"""Count and sum of loss per bin of every feature: all that attribution needs of a window, in integers that add up.

References keep one in all and one per window, monitoring one per labelled window. It is a record of its own beside
profile and outcomes; it holds no row.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import repeat

import msgspec
import numpy as np

from gyroscope.errors import GyroscopeError, StoreError
from gyroscope.stats.arrays import Floats, Ints, pack_ints, unpack_ints
from gyroscope.stats.profiles import CategoryBins, Layout, NumericBins
from gyroscope.stats.profiles.inputs import Column, as_floats, row_count

_FORM, _NUMBER = "gyroscope.losses", 1
FRACTION_BITS = 32
"""Losses are whole multiples of 2**-32: sums of them are exact in any order."""

LARGEST_LOSS = float(1 << 30)
"""A loss beyond a thousand million counts as that: it is the only one that matters then."""

_LOW_BITS = 26
_BLOCK = 1 << 16  # 2**16 rows of parts below 2**36 sum to less than 2**53: float sums inside bincount are exact


class BinLosses(msgspec.Struct, frozen=True, eq=False):
    """Of one feature: rows and losses by cell, those of a profile's column (`ColumnCounts.cells`).

    Attributes
    ----------
    counts : int64 array, shape (K,)
        Rows with a loss.
    high, low : int64 arrays, shape (K,)
        The sum of loss is (high 2**26 + low) 2**-32, low between 0 and 2**26.

    Examples
    --------
    >>> BinLosses(np.array([2]), np.array([64]), np.array([0])).sums.tolist()
    [1.0]
    """

    counts: Ints
    high: Ints
    low: Ints

    @property
    def sums(self) -> Floats:
        """Sum of loss by cell."""
        return np.asarray(
            np.ldexp(self.high, _LOW_BITS - FRACTION_BITS) + np.ldexp(self.low, -FRACTION_BITS), np.float64
        )

    def merge(self, other: BinLosses) -> BinLosses:
        """Of the rows of both."""
        return _carried(self.counts + other.counts, self.high + other.high, self.low + other.low)

    def scaled(self, weight: int) -> BinLosses:
        """As if every row had been there `weight` times; `weight` is at least 1."""
        return _carried(self.counts * weight, self.high * weight, self.low * weight)


class FeatureLosses(msgspec.Struct, frozen=True, eq=False):
    """Rows, losses and squared losses of a window, and of each feature by bin.

    Attributes
    ----------
    whole : BinLosses, one cell
        All rows that have a loss.
    squares : BinLosses, one cell
        The same of squared losses: how noisy a mean is.
    columns : dict of str to BinLosses

    Examples
    --------
    >>> from gyroscope.stats.profiles import fit_layout
    >>> columns = {"x": np.array([0.0, 1.0, 1.0])}
    >>> counted = tally_losses(columns, np.array([0.5, 0.25, np.nan]), fit_layout(columns))
    >>> counted.n, counted.mean, counted.columns["x"].counts.tolist(), counted.columns["x"].sums.tolist()
    (2, 0.375, [0, 1, 1, 0, 0, 0], [0.0, 0.5, 0.25, 0.0, 0.0, 0.0])
    >>> FeatureLosses.from_bytes(counted.to_bytes()) == counted
    True
    """

    whole: BinLosses
    squares: BinLosses
    columns: dict[str, BinLosses]

    @property
    def n(self) -> int:
        """Rows with a loss."""
        return int(self.whole.counts[0])

    @property
    def mean(self) -> float:
        """Mean loss; 0 without rows."""
        return float(self.whole.sums[0]) / max(self.n, 1)

    @property
    def variance(self) -> float:
        """Variance of one row's loss, divisor n."""
        return max(float(self.squares.sums[0]) / max(self.n, 1) - self.mean**2, 0.0)

    def merge(self, other: FeatureLosses) -> FeatureLosses:
        """Of the rows of both, exactly.

        Raises
        ------
        GyroscopeError
            When the two were counted on different bins.
        """
        if {name: len(one.counts) for name, one in self.columns.items()} != {
            name: len(one.counts) for name, one in other.columns.items()
        }:
            raise GyroscopeError(
                "these losses were not counted on the same bins",
                where="FeatureLosses.merge",
                fix="tally both windows with the layout of one reference",
            )
        columns = {name: one.merge(other.columns[name]) for name, one in self.columns.items()}
        return FeatureLosses(self.whole.merge(other.whole), self.squares.merge(other.squares), columns)

    def scaled(self, weight: int) -> FeatureLosses:
        """As if every row had been there `weight` times, for a log that keeps one row in `weight`; at least 1."""
        columns = {name: one.scaled(weight) for name, one in self.columns.items()}
        return FeatureLosses(self.whole.scaled(weight), self.squares.scaled(weight), columns)

    def to_bytes(self) -> bytes:
        """The frozen form, version 1."""
        parts = [("", self.whole), ("", self.squares), *self.columns.items()]
        wires = [(name, pack_ints(one.counts), pack_ints(one.high), pack_ints(one.low)) for name, one in parts]
        return msgspec.msgpack.encode(_Wire(_FORM, _NUMBER, wires))

    @staticmethod
    def from_bytes(packed: bytes) -> FeatureLosses:
        """What `to_bytes` wrote.

        Raises
        ------
        StoreError
            When the bytes are damaged, or no losses, or of a version this release does not know.
        """
        try:
            wire = msgspec.msgpack.decode(packed, type=_Wire)
            if (wire.form, wire.number) != (_FORM, _NUMBER) or len(wire.parts) < 2:
                raise ValueError(f"it says {wire.form!r} number {wire.number}")
            parts = [(name, BinLosses(*(unpack_ints(part) for part in rest))) for name, *rest in wire.parts]
        except (msgspec.DecodeError, ValueError) as damage:
            raise StoreError(
                f"these are no losses of form {_NUMBER}: {damage}",
                where=f"{len(packed)} bytes",
                fix="tally the rows again",
            ) from damage
        return FeatureLosses(parts[0][1], parts[1][1], dict(parts[2:]))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FeatureLosses) and self.to_bytes() == other.to_bytes()

    __hash__ = None  # type: ignore[assignment]  # arrays inside


class _Wire(msgspec.Struct, array_like=True):
    form: str
    number: int
    parts: list[tuple[str, bytes, bytes, bytes]]


def tally_losses(columns: Mapping[str, Column], losses: Floats, layout: Layout) -> FeatureLosses:
    """Count rows and losses per bin of every feature.

    Parameters
    ----------
    columns : mapping of str to array, shape (n,) each
        Columns the layout does not name are ignored; one it names that is absent is missing in every row.
    losses : float64 array, shape (n,)
        Loss of each row, for instance 0 or 1, Brier, absolute error. Rows without a finite one are left out.
    layout : Layout
        The bins of the reference.

    Returns
    -------
    FeatureLosses

    Raises
    ------
    GyroscopeError
        When lengths differ.

    Examples
    --------
    >>> from gyroscope.stats.profiles import fit_layout
    >>> columns = {"from": np.array(["JFK", None, "LGA"], dtype=object)}
    >>> counted = tally_losses(columns, np.array([1.0, 2.0, 4.0]), fit_layout(columns))
    >>> counted.columns["from"].sums.tolist()
    [1.0, 4.0, 0.0, 0.0, 0.0, 2.0]
    """
    row_count({**columns, "losses": losses})
    usable = np.isfinite(losses)
    known = np.clip(np.asarray(losses, np.float64)[usable], -LARGEST_LOSS, LARGEST_LOSS)
    fixed, squares = _fixed(known), _fixed(known * known)
    here = np.zeros(fixed.size, np.int64)
    missing = np.full(len(losses), np.nan)
    tallied = {}
    for name, bins in layout.columns.items():
        cells = cells_of(columns.get(name, missing), bins)[usable]
        tallied[name] = _tallied(cells, fixed, bins.size + 2)
    return FeatureLosses(_tallied(here, fixed, 1), _tallied(here, squares, 1), tallied)


def cells_of(values: Column, bins: NumericBins | CategoryBins) -> Ints:
    """The cell of each row, in the order of `ColumnCounts.cells`: the bins, then infinite, then missing.

    Examples
    --------
    >>> cells_of(np.array([-1.0, 0.5, 9.0, np.inf, np.nan]), NumericBins((0.0, 1.0))).tolist()
    [0, 1, 2, 3, 4]
    """
    infinite, missing = bins.size, bins.size + 1
    if isinstance(bins, CategoryBins):
        known = {name: place for place, name in enumerate(bins.categories)}
        known |= dict.fromkeys(bins.rare, len(bins.categories))
        texts = values.tolist()
        found = np.fromiter(map(known.get, texts, repeat(bins.size - 1)), np.int64, len(texts))  # a loop in C
        is_missing = np.fromiter((text is None or text != text for text in texts), np.bool_, len(texts))
        return np.where(is_missing, missing, found)
    x = as_floats(values)
    cuts = np.array((*bins.edges[:-1], np.nextafter(bins.edges[-1], np.inf)) if bins.edges else ())
    found = np.searchsorted(cuts, x, side="right")
    return np.where(np.isnan(x), missing, np.where(np.isinf(x), infinite, found))


def _fixed(losses: Floats) -> Ints:
    return np.rint(np.ldexp(np.clip(losses, -LARGEST_LOSS, LARGEST_LOSS), FRACTION_BITS)).astype(np.int64)


def _tallied(cells: Ints, fixed: Ints, size: int) -> BinLosses:
    counts, high, low = (np.zeros(size, np.int64) for _ in range(3))
    for start in range(0, cells.size, _BLOCK):
        rows = slice(start, start + _BLOCK)
        counts += np.bincount(cells[rows], minlength=size)
        high += np.bincount(cells[rows], fixed[rows] >> _LOW_BITS, size).astype(np.int64)
        low += np.bincount(cells[rows], fixed[rows] & ((1 << _LOW_BITS) - 1), size).astype(np.int64)
    return _carried(counts, high, low)


def _carried(counts: Ints, high: Ints, low: Ints) -> BinLosses:
    return BinLosses(counts, high + (low >> _LOW_BITS), low & ((1 << _LOW_BITS) - 1))
