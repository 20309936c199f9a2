"""What is known of the hours of one day before any of them came, and how far those that came are off.

`seasonal` makes one a day of its walk, `look_ahead` the one of the next day for those who judge each hour as it ends.
"""

from __future__ import annotations

import msgspec
import numpy as np

from gyroscope.stats.arrays import Floats, Ints
from gyroscope.stats.seasonal.scores import BASE_ERROR, count_scores
from gyroscope.stats.seasonal.series import Kind
from gyroscope.stats.seasonal.thresholds import SPANS, scan

MEMORY = max(SPANS)
"""Scores before the day that the first sums of the day reach back to."""


class Held(msgspec.Struct, frozen=True, eq=False):
    """Hours held against what was expected.

    Attributes
    ----------
    scores, sd : float64 arrays, shape (T,)
        Normal scores, NaN where an hour is not known or nothing was expected; the noise of an hour in the unit of y.
    scans : float64 array, shape (3, T)
        Sums over 1, 2 and 4 hours, each of variance 1.

    Examples
    --------
    >>> none = np.zeros(0)
    >>> Held(none, none, np.zeros((3, 0))).scores.size
    0
    """

    scores: Floats
    sd: Floats
    scans: Floats


class Ahead(msgspec.Struct, frozen=True, eq=False):
    """What is expected of the hours of a day.

    Attributes
    ----------
    kind : "count", "share" or "mean"
    expected : float64 array, shape (T,)
        NaN: nothing.
    grades : int64 array, shape (T,)
        From what: 0 nothing, 1 the hour of the day, 2 the hour of the week.
    noise : float
        Counts: variance over mean. Shares and means: the variance between hours.
    rho : float
        Correlation of scores one hour apart.
    limits : float64 array, shape (3,)
        How far the sums over 1, 2 and 4 hours may go.
    before : float64 array, shape (4,)
        The last scores before the day.

    Examples
    --------
    >>> usual = Ahead("count", np.array([100.0]), np.array([2]), 1.2, 0.0, np.full(3, 4.0), np.full(4, np.nan))
    >>> held = usual.held_against(np.array([170.0]), np.zeros(1))
    >>> held.scores.round(1).tolist(), usual.beyond(held).round(1).tolist()
    ([5.7], [[1.4], [nan], [nan]])
    """

    kind: Kind
    expected: Floats
    grades: Ints
    noise: float
    rho: float
    limits: Floats
    before: Floats

    def held_against(self, y: Floats, within: Floats) -> Held:
        """Score hours as they came, shape (T,) each, in the unit of the series; NaN is an hour that is not known."""
        if self.kind == "count":
            sd = np.sqrt(self.noise * np.maximum(self.expected, 0.0))
            z = count_scores(y, self.expected, self.noise)
        else:
            sd = np.sqrt(BASE_ERROR * (within + self.noise))
            off = y - self.expected
            z = np.divide(off, sd, out=np.where(np.isfinite(off), 0.0, np.nan), where=sd > 0)
        z = np.where(self.grades > 0, z, np.nan)
        scans = scan(np.concatenate((self.before, z)), self.rho)[:, self.before.size :]
        return Held(z, sd, scans)

    def beyond(self, held: Held) -> Floats:
        """The scans over their limits, signed, shape (3, T): beyond 1 on either side is worth a page."""
        return np.asarray(held.scans / self.limits[:, np.newaxis], np.float64)
