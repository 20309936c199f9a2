"""What the first labels of a window say about all of it, and when that is enough to tell of a harm.

Both are learned from windows of the reference alone. Whoever has to decide before the rest of the labels calls this.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from gyroscope.records import NotEnoughData
from gyroscope.stats.arrays import Floats
from gyroscope.stats.estimation.estimator import LEAST_WINDOWS


class FirstLabels(msgspec.Struct, frozen=True):
    """How a window's whole residual follows from that of its first labels: offset + slope * first.

    Attributes
    ----------
    offset, slope : float
    error : float
        The standard deviation of what a new window's residual is off from that.
    freedom : int
        The degrees of freedom behind it.

    Examples
    --------
    >>> learned = FirstLabels(0.0, 0.5, 0.02, 57)
    >>> learned.correct(0.2, 0.1), round(learned.chance(0.2, 0.1, 0.26), 2)
    (0.25, 0.31)
    """

    offset: float
    slope: float
    error: float
    freedom: int

    def correct(self, estimate: float, first: float) -> float:
        """An estimate, moved by its first labels: the mean of realised less expected loss over their rows."""
        return estimate + self.offset + self.slope * first

    def chance(self, estimate: float, first: float, limit: float) -> float:
        """How likely the window's loss will be at or above a limit, by Student's t; NaN where it has no first label."""
        from scipy.special import stdtr  # a replica starts without scipy

        over = self.correct(estimate, first) - limit
        if not self.error:
            return float(over >= 0) if math.isfinite(over) else math.nan
        return float(stdtr(self.freedom, over / self.error))


def fit_first_labels(first: Floats, whole: Floats) -> FirstLabels | NotEnoughData:
    """Learn from reference windows what the first labels of a window say about all of it.

    Parameters
    ----------
    first : float64 array, shape (D,)
        Mean of realised less expected loss over the rows that were labelled by some age; NaN without any. It may be
        weighted: where the rest of a window resembles its latest rows, these say more.
    whole : float64 array, shape (D,)
        The same over all rows of the window.

    Returns
    -------
    FirstLabels or NotEnoughData
        `NotEnoughData` for fewer than 14 windows.

    Notes
    -----
    Least squares. The first labels are not like the rest: a flight that is late lands late. Slope and offset have
    that in them, as far as it was so in the reference. Of several weightings the one of the least `error` is best.

    Examples
    --------
    >>> first = np.linspace(-1, 1, 20)
    >>> found = fit_first_labels(first, 0.1 + 0.8 * first)
    >>> round(found.offset, 6), round(found.slope, 6), round(found.error, 6), found.freedom
    (0.1, 0.8, 0.0, 18)
    """
    known = np.isfinite(first) & np.isfinite(whole)
    windows = int(known.sum())
    if windows < LEAST_WINDOWS:
        return NotEnoughData(f"{windows} reference windows have first labels; {LEAST_WINDOWS} are needed")
    x, y = first[known], whole[known]
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * y).sum()) / spread if spread > 0 else 0.0
    offset = float(y.mean() - slope * x.mean())
    off, freedom = y - offset - slope * x, windows - 2
    error = math.sqrt(float((off**2).sum()) / freedom * (1 + 1 / windows))
    return FirstLabels(offset, slope, error, freedom)


def least_chance(chances: Floats) -> float:
    """The chance of harm from which on windows should be told: the F1 to be expected of the reference is largest there.

    Parameters
    ----------
    chances : float64 array, shape (D,)
        Of windows of the reference, from `FirstLabels.chance`; NaN is left out.

    Returns
    -------
    float
        At most 0.5; 0.5 where no window has any chance of harm.

    Notes
    -----
    Half the largest F1 (Lipton, Elkan & Naryanaswamy 2014, arXiv:1402.1892): one more window is worth telling while it
    is likelier harmful than that. F1 is expected as 2 * (harmful and told) / (harmful + told), each by its chance.

    Examples
    --------
    >>> least_chance(np.array([1.0, 1.0, 0.0, 0.0])), round(least_chance(np.array([0.9, 0.4, 0.1])), 2)
    (0.5, 0.38)
    """
    ranked = np.sort(chances[np.isfinite(chances)])[::-1]
    harmful = float(ranked.sum())
    if harmful <= 0:
        return 0.5
    return float((np.cumsum(ranked) / (np.arange(1, ranked.size + 1) + harmful)).max())
