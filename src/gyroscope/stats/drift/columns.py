"""The effect of every column of a window at once: the arithmetic of `drift` over one array of cells.

Monitoring makes an `Effects` once a reference and asks it of every window; `drift` asks the same of one column.
It gives readings with intervals, never an alarm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from gyroscope.errors import GyroscopeError
from gyroscope.records import NotEnoughData
from gyroscope.stats.arrays import Floats, Ints
from gyroscope.stats.intervals import Z_95
from gyroscope.stats.profiles.column import ColumnCounts
from gyroscope.stats.profiles.late import Table, table_of
from gyroscope.stats.profiles.stacked import Stacked, by_column, stack, stack_each

LEAST_SHARE = 0.005
"""A cell of less than 0.5 % of the reference weighs as one of 0.5 %: else 1 % of the rows moving into a cell that
held 0.001 % would be an effect of 3, and a category never seen before an infinite one. With it 1 % of new values is
an effect of 0.14, half a percent one of 0.07."""

LEAST_ROWS = 10
"""Nor does a cell weigh more than if it held 10 effective reference rows: with 900 reference rows in 100 categories,
the noise of the weights alone made 1 window in 10 look drifted; with this 1 in 50."""


class EffectSize(NamedTuple):
    """w with its 95 % interval, as in `DriftEffect`."""

    effect: float
    low: float
    high: float


class Effects(msgspec.Struct, frozen=True, eq=False):
    """A reference made ready: how far have windows moved from it, all columns at once?

    Attributes
    ----------
    columns : mapping of str to ColumnCounts
        Of the reference.
    cells : Stacked
        The same, stacked.
    icc : float array, shape (C,)
        Intraclass correlation of each column, 0 to 1.
    rows : float array, shape (C,)
        Effective rows of each column.

    Examples
    --------
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> before, after = {"x": np.repeat([0.0, 1.0], [500, 500])}, {"x": np.repeat([0.0, 1.0], [300, 700])}
    >>> layout = fit_layout(before)
    >>> against = effects(profile(before, layout).columns, {})
    >>> [round(number, 2) for number in against.of(profile(after, layout).columns)["x"]]
    [0.4, 0.32, 0.49]
    """

    columns: Mapping[str, ColumnCounts]
    cells: Stacked
    icc: Floats
    rows: Floats

    def of(
        self, current: Mapping[str, ColumnCounts], *, support: float = 1.0, windows: int = 1
    ) -> dict[str, EffectSize | NotEnoughData]:
        """The effect of each column of the reference.

        Parameters
        ----------
        current : mapping of str to ColumnCounts
            Counted on the same bins.
        support, windows : float, int
            As `support` and `current_windows` of `drift`.

        Raises
        ------
        GyroscopeError
            When a column was counted on different bins.
        """
        return self.of_each([current], supports=[support], windows=windows)[0]

    def of_each(
        self, currents: Sequence[Mapping[str, ColumnCounts]], *, supports: Sequence[float], windows: int = 1
    ) -> list[dict[str, EffectSize | NotEnoughData]]:
        """As `of`, of several windows at once, each with its own support."""
        if not currents:
            return []
        cells = stack_each([self._on_same_bins(current) for current in currents], self.cells)
        n = by_column(cells, self.cells.starts)
        rows = effective(n.astype(np.float64) * np.array(supports)[:, np.newaxis], self.icc, windows)
        found = _measured(self.cells, (cells, n), np.maximum(self.rows, 2), np.maximum(rows, 2))
        before = self.rows.tolist()
        return [
            {
                name: EffectSize(*numbers) if min(known, now) >= 2 else _too_few(known, now)
                for name, known, now, numbers in zip(self.columns, before, here, sizes, strict=True)
            }
            for here, sizes in zip(rows.tolist(), found.transpose(1, 2, 0).tolist(), strict=True)
        ]

    def _on_same_bins(self, current: Mapping[str, ColumnCounts]) -> Table:
        table, bins = table_of(current), tuple(column.bins for column in self.columns.values())
        if table.names != tuple(self.columns):
            table = table_of({name: current[name] for name in self.columns})
        if table.bins != bins:
            raise GyroscopeError(
                "these columns were counted on different bins",
                where="drift(reference, current)",
                fix="profile both with the layout of the reference",
            )
        return table


def effects(reference: Mapping[str, ColumnCounts], icc: Mapping[str, float], windows: int = 1) -> Effects:
    """Make a reference ready.

    Parameters
    ----------
    reference : mapping of str to ColumnCounts
    icc : mapping of str to float
        Intraclass correlation of rows of one window, 0 to 1, by column; 0 for those that are not named.
    windows : int
        How many windows the rows come from; with icc > 0 each counts for itself.

    Raises
    ------
    GyroscopeError
        When an intraclass correlation is outside 0 to 1.

    Examples
    --------
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> day = {"x": np.arange(100.0)}
    >>> effects(profile(day, fit_layout(day)).columns, {"x": 0.5}).rows.round(2).tolist()
    [1.98]
    """
    correlations = np.array([icc.get(name, 0.0) for name in reference], np.float64)
    wrong = ~((correlations >= 0) & (correlations <= 1))
    if wrong.any():
        raise GyroscopeError(
            f"{correlations[wrong][0]} is no intraclass correlation",
            where="drift(icc)",
            fix="pass a number from 0 to 1, see intraclass()",
        )
    cells = stack(list(reference.values()))
    return Effects(reference, cells, correlations, effective(cells.n.astype(np.float64), correlations, windows))


def effective(n: Floats, icc: Floats, windows: int) -> Floats:
    """`effective_rows` of columns whose rows come from some windows; 0 for no rows.

    Examples
    --------
    >>> effective(np.array([900.0, 0.0]), np.array([0.1, 0.1]), 1).round(1).tolist()
    [9.9, 0.0]
    """
    each = n / max(windows, 1)
    return np.where(n > 0, n / np.where(n > 0, 1 + (each - 1) * icc, 1), 0.0)


def _measured(reference: Stacked, current: tuple[Ints, Ints], rows_p: Floats, rows_q: Floats) -> Floats:
    """Effect, low and high of each column of each window, shape (3, T, C); formulas as in the notes of `drift`.

    `current` are the cells (T, K) and the rows (T, C) of each window, `rows_q` has shape (T, C).
    """
    at, (counts, n) = reference.column, current
    p = reference.counts / np.maximum(reference.n, 1)[at]
    q = counts / np.maximum(n, 1)[:, at]
    many, few = rows_p[at], rows_q[:, at]
    weight = 1 / np.maximum(p, np.maximum(LEAST_SHARE, LEAST_ROWS / rows_p)[at])
    d, root = p - q, np.sqrt(weight)
    a, b, x = root * p, root * q, root * d
    own = weight * (p / many + q / few)
    noise = weight * (p * (1 - p) / (many - 1) + q * (1 - q) / (few - 1))
    products = [x * x, noise, a * a, a * b, b * b, own * a * a, own * b * b, own * own, own * x * x, x * a, x * b]
    plain, less, aa, ab, bb, own_a, own_b, own_own, own_x, xa, xb = by_column(
        np.stack(np.broadcast_arrays(*products)), reference.starts
    )
    # diag(own) - a a' / N - b b' / n is the variance of x; its own products need no matrix.
    aa, bb = aa / rows_p, bb / rows_q
    crossed = own_a / rows_p + own_b / rows_q
    spread = np.maximum(own_own - 2 * crossed + aa * aa + bb * bb + 2 * ab * ab / (rows_p * rows_q), 0.0)
    bent = np.maximum(own_x - xa * xa / rows_p - xb * xb / rows_q, 0.0)
    along = np.divide(bent, plain, out=np.zeros_like(plain), where=plain > 0)
    # All w^2 that U does not contradict: |U - w^2| <= 1.96 sqrt(2 tr(AVAV) + 4 w^2 along), a quadratic in w^2.
    u = plain - less
    middle = u + 2 * Z_95**2 * along
    half = np.sqrt(np.maximum(middle * middle - u * u + 2 * Z_95**2 * spread, 0.0))
    return np.sqrt(np.maximum([u, middle - half, middle + half], 0.0))


def _too_few(before: float, now: float) -> NotEnoughData:
    return NotEnoughData(f"{before:.1f} effective reference rows and {now:.1f} current ones; each needs 2")
