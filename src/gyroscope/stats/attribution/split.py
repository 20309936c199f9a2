"""Where a loss comes from: for each feature, what rows that moved to other bins cost and what worse bins cost.

Incidents and reports call `attribute`. Both parts of a feature sum to the whole gap exactly; features are not added
up, as one change shows in every feature that goes with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Literal

import msgspec
import numpy as np

from gyroscope.records import NotEnoughData
from gyroscope.stats.arrays import Floats
from gyroscope.stats.attribution.losses import BinLosses, FeatureLosses
from gyroscope.stats.attribution.runs import worst_run

LEAST_ROWS = 200
_NOISE_SDS = 2.0

Verdict = Literal["moved", "worse in place", "cannot tell"]


class FeatureSplit(msgspec.Struct, frozen=True):
    """The gap by one feature; all but shares are in units of loss per row.

    Attributes
    ----------
    column : str
    moved : float
        What rows that lie in other bins than in the reference cost, at the reference's loss of each bin (X).
    worse : float
        What the same bins lose more than in the reference (Y given X). moved + worse is the gap.
    singled_out : float
        How much more the worst run of bins loses than the others do, over all rows, beyond noise.
    explains : float
        What the feature singles out beyond noise: `moved` less its noise, plus `singled_out`.
    score : float
        How far that run stands out, in standard deviations; orders features of which none is beyond noise.
    cells : tuple of int
        That run, as places in `ColumnCounts.cells`; empty when none stands out.
    unseen : float
        Share of current rows in cells that the reference has no row in; they count as moved.

    Examples
    --------
    >>> FeatureSplit("x", 0.1, 0.0, 0.0, 0.1, 0.0, (), 0.0).moved
    0.1
    """

    column: str
    moved: float
    worse: float
    singled_out: float
    explains: float
    score: float
    cells: tuple[int, ...]
    unseen: float


class Attribution(msgspec.Struct, frozen=True):
    """A gap and its features, the one that explains most first.

    `verdict` is about the whole: "moved" when it is the best feature's rows that moved to where the loss always was,
    "worse in place" when some of its bins became worse, "cannot tell" when no feature stands out of the noise.

    Examples
    --------
    >>> Attribution(0.1, 0.2, "moved", ()).gap
    0.1
    """

    gap: float
    before: float
    verdict: Verdict
    features: tuple[FeatureSplit, ...]


def attribute(reference: Sequence[FeatureLosses], current: FeatureLosses) -> Attribution | NotEnoughData:
    """Split the gap between two mean losses over the bins of every feature.

    Parameters
    ----------
    reference : sequence of FeatureLosses, length D
        The windows of the reference; how much moves from one to the next is what is normal.
    current : FeatureLosses
        On the same layout; may be several windows merged.

    Returns
    -------
    Attribution or NotEnoughData
        `NotEnoughData` when either side has fewer than 200 rows with a loss.

    Notes
    -----
    With shares p, q and mean losses l, l' of bin k: gap = sum (q - p) l + sum q (l' - l), for every feature (Kitagawa
    1955, J. Am. Stat. Assoc. 50, 1168; Oaxaca 1973). `moved` counts beyond two standard deviations of what it is in
    windows of the reference; of the second part the run of bins that stands out most counts beyond its noise.

    Examples
    --------
    >>> from gyroscope.stats.attribution import tally_losses
    >>> from gyroscope.stats.profiles import fit_layout
    >>> before = {"x": np.repeat([0.0, 1.0], [900, 100]), "y": np.tile([0.0, 1.0], 500)}
    >>> after = {"x": np.repeat([0.0, 1.0], [500, 500]), "y": np.tile([0.0, 1.0], 500)}
    >>> layout = fit_layout(before)
    >>> then, now = (tally_losses(rows, rows["x"] * 0.4, layout) for rows in (before, after))
    >>> found = attribute([then], now)
    >>> [(one.column, round(one.moved, 2), round(one.worse, 2)) for one in found.features], found.verdict
    ([('x', 0.16, 0.0), ('y', 0.0, 0.16)], 'moved')
    """
    whole = reduce(FeatureLosses.merge, reference) if reference else None
    rows = min(whole.n if whole else 0, current.n)
    if whole is None or rows < LEAST_ROWS:
        return NotEnoughData(f"{rows} rows with a loss; attribution needs {LEAST_ROWS}")
    gap = current.mean - whole.mean
    row_variance = (whole.variance + current.variance) / 2
    # A bad cause on a good day leaves no gap: less loss is explained only where there surely is less.
    sign = -1.0 if gap < -_NOISE_SDS * np.sqrt(row_variance / current.n) else 1.0
    about = (float(sign), row_variance)
    splits = [
        _split(name, [window.columns[name] for window in reference], (part, current.columns[name]), about)
        for name, part in whole.columns.items()
        if name in current.columns
    ]
    splits.sort(key=lambda one: (-one.explains, -one.score))
    return Attribution(gap, whole.mean, _verdict(splits), tuple(splits))


def _split(
    name: str, windows: list[BinLosses], pair: tuple[BinLosses, BinLosses], about: tuple[float, float]
) -> FeatureSplit:
    reference, current = pair
    sign, row_variance = about
    p, q = reference.counts / reference.counts.sum(), current.counts / current.counts.sum()
    known, here = reference.counts > 0, current.counts > 0
    now = np.where(here, current.sums / np.maximum(current.counts, 1), 0.0)
    # What the reference never had cannot have become worse: its loss is that of rows that moved there.
    before = np.where(known, reference.sums / np.maximum(reference.counts, 1), now)
    moved, worse = float(((q - p) * before).sum()), float((q * (now - before)).sum())
    run = worst_run(reference, current, row_variance, sign)
    beyond = _beyond(moved, _NOISE_SDS * _usual_move(windows, p, before, int(current.counts.sum())))
    return FeatureSplit(
        column=name,
        moved=moved,
        worse=worse,
        singled_out=run.beyond_noise,
        explains=(beyond if sign * moved > 0 else 0.0) + run.beyond_noise,
        score=run.score,
        cells=run.cells,
        unseen=float(q[~known].sum()),
    )


def _usual_move(windows: list[BinLosses], p: Floats, before: Floats, rows: int) -> float:
    """How much `moved` is in windows of the reference: root mean square, at least that of independent rows."""
    level = float(p @ before)
    independent = float(p @ (before - level) ** 2) / max(rows, 1)
    filled = [window.counts / window.counts.sum() for window in windows if window.counts.sum()]
    seen = [float((share - p) @ before) ** 2 for share in filled] if len(filled) > 1 else []
    return float(np.sqrt(max(independent, float(np.mean(seen)) if seen else 0.0)))


def _beyond(size: float, noise: float) -> float:
    return float(np.sqrt(max(size * size - noise * noise, 0.0)))


def _verdict(splits: list[FeatureSplit]) -> Verdict:
    if not splits or splits[0].explains <= 0:
        return "cannot tell"
    best = splits[0]
    return "moved" if best.explains - best.singled_out > best.singled_out else "worse in place"
