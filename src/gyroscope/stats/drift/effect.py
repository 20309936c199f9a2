"""How far a column's distribution has moved from its reference, as effect sizes.

Reports and judging call `drift` for one column, `drifts` for all. It gives a reading with an interval, never an alarm.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gyroscope.records import NotEnoughData
from gyroscope.stats.drift import distances
from gyroscope.stats.drift.columns import EffectSize, effects
from gyroscope.stats.drift.intraclass import effective_rows
from gyroscope.stats.profiles.column import ColumnCounts
from gyroscope.stats.profiles.layout import NumericBins


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
    >>> import numpy as np
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
    >>> import numpy as np
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> day = {"x": np.arange(100.0)}
    >>> same = profile(day, fit_layout(day)).columns["x"]
    >>> unmoved = drift(same, same)
    >>> unmoved.effect, unmoved.low, unmoved.tv
    (0.0, 0.0, 0.0)
    """
    windows = {"reference_windows": reference_windows, "current_windows": current_windows}
    return drifts({"": reference}, {"": current}, {"": icc}, support=support, **windows)[""]


def drifts(
    reference: Mapping[str, ColumnCounts],
    current: Mapping[str, ColumnCounts],
    icc: Mapping[str, float] | None = None,
    *,
    reference_windows: int = 1,
    support: float = 1.0,
    current_windows: int = 1,
) -> dict[str, DriftEffect | NotEnoughData]:
    """As `drift`, every column of a reference at once; icc is 0 for those that are not named.

    Examples
    --------
    >>> import numpy as np
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> day = {"x": np.arange(100.0), "y": np.arange(100.0)}
    >>> same = profile(day, fit_layout(day)).columns
    >>> [moved.effect for moved in drifts(same, same).values()]
    [0.0, 0.0]
    """
    correlations, later = icc or {}, max(current_windows, 1)
    against = effects(reference, correlations, reference_windows)
    sizes = against.of(current, support=support, windows=later)
    found: dict[str, DriftEffect | NotEnoughData] = {}
    for (name, size), rows in zip(sizes.items(), against.rows.tolist(), strict=True):
        if isinstance(size, NotEnoughData):
            found[name] = size
            continue
        now = current[name]
        rows_now = later * effective_rows(now.n * support / later, correlations.get(name, 0.0))
        found[name] = _beside(size, reference[name], now, 1 / rows + 1 / rows_now)
    return found


def _beside(size: EffectSize, reference: ColumnCounts, current: ColumnCounts, noise: float) -> DriftEffect:
    """The effect with the distances; `noise` is 1 / N + 1 / n of the effective rows."""
    before, now = reference.cells, current.cells
    p, q = before / before.sum(), now / now.sum()
    null = distances.null_means(p, q, noise)
    return DriftEffect(
        effect=size.effect,
        low=size.low,
        high=size.high,
        tv=distances.total_variation(p, q, noise),
        psi=distances.psi(before, now),
        js=distances.jensen_shannon(p, q),
        hellinger=distances.hellinger(p, q),
        ks=distances.kolmogorov(reference.counts, current.counts) if isinstance(reference.bins, NumericBins) else None,
        psi_null=null.psi,
        js_null=null.js,
        hellinger_null=null.hellinger,
        reference_n=reference.n,
        current_n=current.n,
    )
