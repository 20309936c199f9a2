"""How far a column's distribution has moved from its reference, as effect sizes.

Monitoring and reports call `drift` once per column and window. It gives a reading with an interval, never an alarm.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec
import numpy as np

from gyroscope.errors import GyroscopeError
from gyroscope.records import NotEnoughData
from gyroscope.stats.arrays import Floats
from gyroscope.stats.drift import distances
from gyroscope.stats.drift.intraclass import effective_rows
from gyroscope.stats.intervals import Z_95
from gyroscope.stats.profiles.column import ColumnCounts
from gyroscope.stats.profiles.layout import NumericBins

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


class DriftEffect(msgspec.Struct, frozen=True, kw_only=True):
    """The effect with its 95 % interval, and the distances people know beside what no drift would show.

    Attributes
    ----------
    effect : float
        w: 0 is no drift; 0.1 small, 0.3 medium, 0.5 large (Cohen 1988). Corrected for the rows' noise.
    low, high : float
        95 % interval of w for this window only. `low` is 0 where no drift at all is plausible.
    tv : float
        Share of rows that moved to another cell, 0 to 1, corrected for noise.
    psi : float
        Population stability index, natural logarithm; `psi_null` is about what no drift shows at these sizes.
    js, hellinger : float
        Jensen-Shannon distance (base 2) and Hellinger distance, 0 to 1; `js_null` and `hellinger_null` alike.
    ks : float or None
        Greatest difference of the distribution functions at the bin edges, 0 to 1. None for strings: no order.
    reference_n, current_n : int
        Rows.

    Examples
    --------
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> before, after = {"x": np.repeat([0.0, 1.0], [500, 500])}, {"x": np.repeat([0.0, 1.0], [300, 700])}
    >>> layout = fit_layout(before)
    >>> moved = drift(profile(before, layout).columns["x"], profile(after, layout).columns["x"])
    >>> round(moved.effect, 2), round(moved.low, 2), round(moved.high, 2), round(moved.tv, 2), moved.ks
    (0.4, 0.32, 0.49, 0.2, 0.2)
    """

    effect: float
    low: float
    high: float
    tv: float
    psi: float
    js: float
    hellinger: float
    ks: float | None
    psi_null: float
    js_null: float
    hellinger_null: float
    reference_n: int
    current_n: int


def drift(
    reference: ColumnCounts,
    current: ColumnCounts,
    icc: float = 0.0,
    *,
    reference_windows: int = 1,
    support: float = 1.0,
    current_windows: int = 1,
) -> DriftEffect | NotEnoughData:
    """Compare a column with its reference.

    Parameters
    ----------
    reference, current : ColumnCounts
        Counted on the same bins. Missing and infinite values are cells like any other.
    icc : float
        Intraclass correlation of rows of one window, 0 to 1: rows then count as n / (1 + (n - 1) icc).
    reference_windows : int
        How many windows the reference rows come from; with icc > 0 each counts for itself.
    support : float
        Rows behind one current row that is counted: 1 / k where a sampled log keeps one row in k.
    current_windows : int
        How many windows the current rows come from, as `reference_windows`.

    Returns
    -------
    DriftEffect or NotEnoughData
        `NotEnoughData` when either side has less than two effective rows.

    Raises
    ------
    GyroscopeError
        When the two columns were counted on different bins, or `icc` is outside 0 to 1.

    Notes
    -----
    With shares p, q and effective rows N, n: U = sum_k [(p-q)^2 - p(1-p)/(N-1) - q(1-q)/(n-1)] / max(p, 0.005, 10/N) is
    unbiased for w^2 (p alone in the denominator is Cohen's w). The variance of such a quadratic form of a normal
    vector is 2 tr(AVAV) + 4 d'AVAd (Mathai & Provost 1992); as the second part grows with w^2 itself, the interval
    holds every w^2 that U does not contradict, like Wilson's for a share. In 100 simulated settings of 2 to 100 cells
    it held the true w in 88 to 100 % of windows, 96 % on average; without drift `low` was above 0 in 0 to 7 %.
    TV is corrected in quadrature: sqrt(TV^2 - E0[TV]^2).

    Examples
    --------
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> day = {"x": np.arange(100.0)}
    >>> same = profile(day, fit_layout(day)).columns["x"]
    >>> unmoved = drift(same, same)
    >>> unmoved.effect, unmoved.low, unmoved.tv
    (0.0, 0.0, 0.0)
    """
    sides = _sides(reference, current, icc, reference_windows, support, current_windows)
    if isinstance(sides, NotEnoughData):
        return sides
    p, q, rows_p, rows_q = sides
    found = _effect(p, q, rows_p, rows_q)
    null = distances.null_means(p, q, 1 / rows_p + 1 / rows_q)
    return DriftEffect(
        effect=found.effect,
        low=found.low,
        high=found.high,
        tv=distances.total_variation(p, q, 1 / rows_p + 1 / rows_q),
        psi=distances.psi(reference.cells, current.cells),
        js=distances.jensen_shannon(p, q),
        hellinger=distances.hellinger(p, q),
        ks=distances.kolmogorov(reference.counts, current.counts) if isinstance(reference.bins, NumericBins) else None,
        psi_null=null.psi,
        js_null=null.js,
        hellinger_null=null.hellinger,
        reference_n=reference.n,
        current_n=current.n,
    )


def effect_size(
    reference: ColumnCounts,
    current: ColumnCounts,
    icc: float = 0.0,
    *,
    reference_windows: int = 1,
    support: float = 1.0,
) -> EffectSize | NotEnoughData:
    """The effect of `drift` with its interval and without the other distances, in a quarter of the time.

    Parameters and errors are those of `drift`.

    Examples
    --------
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> day = {"x": np.arange(100.0)}
    >>> same = profile(day, fit_layout(day)).columns["x"]
    >>> effect_size(same, same).effect
    0.0
    """
    sides = _sides(reference, current, icc, reference_windows, support, 1)
    return sides if isinstance(sides, NotEnoughData) else _effect(*sides)


def _sides(
    reference: ColumnCounts,
    current: ColumnCounts,
    icc: float,
    reference_windows: int,
    support: float,
    current_windows: int,
) -> tuple[Floats, Floats, float, float] | NotEnoughData:
    """Shares and effective rows of both."""
    _check(reference, current, icc)
    windows, later, n, m = max(reference_windows, 1), max(current_windows, 1), reference.n, current.n
    rows_p = windows * effective_rows(n / windows, icc)
    rows_q = later * effective_rows(m * support / later, icc)
    if min(rows_p, rows_q) < 2:
        return NotEnoughData(f"{rows_p:.1f} effective reference rows and {rows_q:.1f} current ones; each needs 2")
    return reference.cells / n, current.cells / m, rows_p, rows_q


def _check(reference: ColumnCounts, current: ColumnCounts, icc: float) -> None:
    if reference.bins is not current.bins and reference.bins != current.bins:
        raise GyroscopeError(
            "these columns were counted on different bins",
            where="drift(reference, current)",
            fix="profile both with the layout of the reference",
        )
    if not 0 <= icc <= 1:
        raise GyroscopeError(
            f"{icc} is no intraclass correlation", where="drift(icc)", fix="pass a number from 0 to 1, see intraclass()"
        )


def _effect(p: Floats, q: Floats, rows_p: float, rows_q: float) -> EffectSize:
    weight = 1 / np.maximum(p, max(LEAST_SHARE, LEAST_ROWS / rows_p))
    d = p - q
    plain = float((weight * d * d).sum())
    noise = p * (1 - p) / (rows_p - 1) + q * (1 - q) / (rows_q - 1)
    u = plain - float((weight * noise).sum())
    root = np.sqrt(weight)
    a, b, x = root * p, root * q, root * d
    own = weight * (p / rows_p + q / rows_q)
    # diag(own) - a a' / N - b b' / n is the variance of x; its own products need no matrix.
    aa, ab, bb = float(a @ a) / rows_p, float(a @ b), float(b @ b) / rows_q
    crossed = float(own @ (a * a)) / rows_p + float(own @ (b * b)) / rows_q
    spread = max(float(own @ own) - 2 * crossed + aa * aa + bb * bb + 2 * ab * ab / (rows_p * rows_q), 0.0)
    bent = float(own @ (x * x)) - float(x @ a) ** 2 / rows_p - float(x @ b) ** 2 / rows_q
    along = max(bent, 0.0) / plain if plain > 0 else 0.0
    # All w^2 that U does not contradict: |U - w^2| <= 1.96 sqrt(2 tr(AVAV) + 4 w^2 along), a quadratic in w^2.
    middle = u + 2 * Z_95**2 * along
    half = math.sqrt(max(middle * middle - u * u + 2 * Z_95**2 * spread, 0.0))
    low, high = math.sqrt(max(middle - half, 0.0)), math.sqrt(max(middle + half, 0.0))
    return EffectSize(math.sqrt(max(u, 0.0)), low, high)
