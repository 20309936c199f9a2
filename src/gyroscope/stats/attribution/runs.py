"""The run of neighbouring bins in which a loss has risen more than elsewhere.

`attribute` asks for it, feature by feature. It compares a run with the rest of the same window, so a day that is worse
as a whole singles out nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gyroscope.stats.arrays import Floats
from gyroscope.stats.attribution.losses import BinLosses

LEAST_SHARE, MOST_SHARE = 0.01, 0.6
"""A run holds 1 % to 60 % of the current rows: less is an anecdote, more is the window itself."""

_CHANCE = 3.5

Places = npt.NDArray[np.intp]


class Run(NamedTuple):
    """`cells` of the run, and what it loses more than the rest, over all rows, less what chance alone singles out.

    `score` is the difference in standard deviations, also where it is chance; then `cells` is empty.
    """

    cells: tuple[int, ...]
    beyond_noise: float
    score: float


def worst_run(reference: BinLosses, current: BinLosses, row_variance: float, sign: float) -> Run:
    """Find the run that stands out most.

    Parameters
    ----------
    reference, current : BinLosses, K cells
        Neighbouring cells are neighbouring values; where they are categories, the chance of each is what counts.
    row_variance : float
        Variance of one row's loss.
    sign : float
        1 looks for more loss, -1 for less.

    Returns
    -------
    Run
        Of all runs the one with the greatest difference in standard deviations. The best of hundreds is three standard
        deviations out by chance: three and a half are taken off, in quadrature.

    Notes
    -----
    A scan statistic over intervals (Kulldorff 1997, Commun. Stat. Theory Methods 26, 1481).

    Examples
    --------
    >>> rows = np.full(4, 1_000)
    >>> before = BinLosses(rows, np.full(4, 6_400), np.zeros(4, np.int64))
    >>> after = BinLosses(rows, np.array([6_400, 6_400, 12_800, 6_400]), np.zeros(4, np.int64))
    >>> found = worst_run(before, after, 0.09, 1.0)
    >>> found.cells, round(found.beyond_noise, 3)
    ((2,), 0.021)
    """
    used = np.flatnonzero((reference.counts > 0) & (current.counts > 0))
    if used.size < 2:
        return Run((), 0.0, 0.0)
    n, m = current.counts[used].astype(np.float64), reference.counts[used].astype(np.float64)
    rise = current.sums[used] / n - reference.sums[used] / m
    first, last = np.triu_indices(used.size)
    inside_n, inside_m, inside_rise = (_between(values, first, last) for values in (n, m, n * rise))
    share = inside_n / current.counts.sum()
    rest_n, rest_m = n.sum() - inside_n, m.sum() - inside_m
    usable = (share >= LEAST_SHARE) & (share <= MOST_SHARE) & (rest_n > 0) & (rest_m > 0)
    if not usable.any() or row_variance <= 0:
        return Run((), 0.0, 0.0)
    rest = ((n @ rise) - inside_rise) / np.maximum(rest_n, 1)
    more = sign * share * (inside_rise / np.maximum(inside_n, 1) - rest)
    parts = [np.maximum(part, 1) for part in (inside_n, inside_m, rest_n, rest_m)]
    error = share * np.sqrt(row_variance * sum(1 / part for part in parts))
    score = np.where(usable, more / error, -np.inf)
    best = int(score.argmax())
    if score[best] <= _CHANCE:
        return Run((), 0.0, float(score[best]))
    cells = tuple(used[first[best] : last[best] + 1].tolist())
    return Run(cells, float(np.sqrt(more[best] ** 2 - (_CHANCE * error[best]) ** 2)), float(score[best]))


def _between(values: Floats, first: Places, last: Places) -> Floats:
    """Sums of values from each first to each last place, both included."""
    reached = np.concatenate(([0.0], np.cumsum(values)))
    return np.asarray(reached[last + 1] - reached[first], np.float64)
