"""Predictions over time: each complete hour against the same hour of other weeks, and spikes worth a page.

Monitoring replays the last weeks after each closed hour, `gyro` commands and notebooks a year at once. It finds spikes
and holes of hours; slow changes are the engine's. A bin that is not complete never alarms.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.records import NotEnoughData
from gyroscope.stats.arrays import Floats, Ints
from gyroscope.stats.seasonal.ahead import MEMORY, Ahead
from gyroscope.stats.seasonal.memory import LEAST_BINS, WEEKS, Memory
from gyroscope.stats.seasonal.scores import between_hours, dispersion_of
from gyroscope.stats.seasonal.series import SLOTS, Series
from gyroscope.stats.seasonal.thresholds import SPANS, correlation, thresholds

NOISE_BINS = WEEKS * SLOTS
TAIL_BINS = 8 * SLOTS
COOL_DOWN_BINS = 24
BINS_A_MONTH = 720
RARE = 0.01
_TOO_LARGE = 1e100  # squares of what is larger overflow


class Spike(msgspec.Struct, frozen=True):
    """One page: `span` hours up to and with bin `at` are together further off than the series' noise.

    Examples
    --------
    >>> Spike(at=10, span=1, score=5.0, seen=90.0, expected=40.0).span
    1
    """

    at: int
    span: int
    score: float
    seen: float
    expected: float


class Anomalies(msgspec.Struct, frozen=True, eq=False):
    """What was expected of each bin, how far off it was, and the pages.

    Attributes
    ----------
    expected, low, high : float64 arrays, shape (T,)
        In the unit of the series' y; low and high are about where a single bin would page. NaN: nothing was expected.
    scores : float64 array, shape (T,)
        Normal scores; NaN where a bin was not scored.
    grades : int64 array, shape (T,)
        0 nothing was known, 1 the hour of the day, 2 the hour of the week.
    pages : tuple of Spike
        Oldest first, at least 24 bins apart.

    Examples
    --------
    >>> none = np.zeros(0)
    >>> Anomalies(none, none, none, none, none.astype(np.int64), ()).pages
    ()
    """

    expected: Floats
    low: Floats
    high: Floats
    scores: Floats
    grades: Ints
    pages: tuple[Spike, ...]


def seasonal(
    series: Series, false_alarms: float = 1.0, excluded: NDArray[np.bool_] | None = None
) -> Anomalies | NotEnoughData:
    """Walk over a series of hours, each scored by what was known before its day.

    Parameters
    ----------
    series : Series
        From `counts`, `shares` or `means`.
    false_alarms : float
        Pages in 720 bins that noise alone may cause, above 0: the budget of the model times the share of the series.
    excluded : bool array, shape (T,)
        Bins of holidays and known events: neither scored nor learned from.

    Returns
    -------
    Anomalies or NotEnoughData
        `NotEnoughData` when the series has less than two weeks of bins. Up to six weeks the hour of the day is used.

    Notes
    -----
    Expected: trimmed mean of the last six values of the slot, drawn to what its day and its hour let expect, as far as
    slots follow that. Scores: negative binomial for counts, normal for shares and means, noise from the last six weeks.
    Scan over 1, 2 and 4 hours (Glaz, Naus & Wallenstein 2001, Scan Statistics), thresholds from normal tails or the
    last eight weeks' own. 24 bins of silence follow a page.

    Examples
    --------
    >>> from gyroscope.stats.seasonal import counts, hours_of_week
    >>> slots = hours_of_week(0, 9 * 168)
    >>> requests = 100.0 + 50 * (slots % 24 > 12)
    >>> requests[8 * 168 + 10] += 80
    >>> found = seasonal(counts(requests, slots))
    >>> [(page.at, page.span, page.expected) for page in found.pages]
    [(1354, 1, 100.0)]
    """
    walk = _walked(series, false_alarms, excluded)
    return walk if isinstance(walk, NotEnoughData) else walk.found()


def look_ahead(
    series: Series, slots: Ints, false_alarms: float = 1.0, excluded: NDArray[np.bool_] | None = None
) -> Ahead | NotEnoughData:
    """What is expected of the next day after a series, to hold each of its hours against as it ends.

    Parameters
    ----------
    series : Series
        All hours before that day.
    slots : int64 array, shape (T,)
        The hours of the week of that day.
    false_alarms, excluded
        As in `seasonal`.

    Returns
    -------
    Ahead or NotEnoughData
        `NotEnoughData` as in `seasonal`. Holding the hours of the day against it gives the scores of `seasonal`.

    Examples
    --------
    >>> from gyroscope.stats.seasonal import counts, hours_of_week
    >>> slots = hours_of_week(0, 8 * 168)
    >>> monday = look_ahead(counts(100.0 + 50 * (slots % 24 > 12), slots), hours_of_week(0, 24))
    >>> monday.expected[[0, 20]].tolist(), int(monday.grades[0])
    ([100.0, 150.0], 2)
    """
    walk = _walked(series, false_alarms, excluded)
    return walk if isinstance(walk, NotEnoughData) else walk.ahead(series.y.size, slots)


def _walked(series: Series, false_alarms: float, excluded: NDArray[np.bool_] | None) -> _Walk | NotEnoughData:
    skipped = np.zeros(series.y.size, np.bool_) if excluded is None else np.asarray(excluded, np.bool_)
    y = np.where(skipped | ~(np.abs(series.y) < _TOO_LARGE), np.nan, series.y)
    if np.isfinite(y).sum() < LEAST_BINS:
        return NotEnoughData(f"{np.isfinite(y).sum()} complete hours; what an hour is like takes {LEAST_BINS}")
    walk = _Walk(msgspec.structs.replace(series, y=y), false_alarms / BINS_A_MONTH / len(SPANS))
    for day in _days(series.slots):
        walk.take(day)
    return walk


class _Walk:
    """The arrays that a walk fills, a day at a time."""

    def __init__(self, series: Series, p: float) -> None:
        self.series, self.p = series, p
        self.memory = Memory(is_count=series.kind == "count")
        size = series.y.size
        self.expected, self.low, self.high, self.z = (np.full(size, np.nan) for _ in range(4))
        self.scans = np.full((len(SPANS), size), np.nan)
        self.limits = np.full((len(SPANS), size), np.inf)
        self.grades = np.zeros(size, np.int64)

    def take(self, day: slice) -> None:
        slots, y = self.series.slots[day], self.series.y[day]
        ahead = self.ahead(day.start, slots)
        held = ahead.held_against(y, self.series.within[day])
        self.expected[day], self.grades[day] = ahead.expected, ahead.grades
        self.z[day], self.scans[:, day] = held.scores, held.scans
        self.limits[:, day] = ahead.limits[:, np.newaxis]
        reach = ahead.limits[0] * held.sd
        self.low[day], self.high[day] = ahead.expected - reach, ahead.expected + reach
        self.memory.learn(slots, y, (ahead.grades == 2) & (np.abs(held.scores) > ahead.limits[0]), held.sd)

    def ahead(self, at: int, slots: Ints) -> Ahead:
        """What is expected from a place on."""
        expected, grades = self.memory.expected(slots)
        past, tail = slice(max(at - NOISE_BINS, 0), at), slice(max(at - TAIL_BINS, 0), at)
        return Ahead(
            kind=self.series.kind,
            expected=expected,
            grades=grades,
            noise=self._noise(past, is_robust=bool((grades == 2).all())),
            rho=correlation(self.z[tail]),
            limits=thresholds(self._ordinary(tail), self.p),
            before=self.z[max(at - MEMORY, 0) : at],
        )

    def _noise(self, past: slice, *, is_robust: bool) -> float:
        y, expected = self.series.y[past], self.expected[past]
        if self.series.kind == "count":
            return dispersion_of(y, expected, is_robust=is_robust)
        return between_hours(y, expected, self.series.within[past], is_robust=is_robust)

    def _ordinary(self, past: slice) -> Floats:
        """The scans of the past, without rare spikes that were found: they must not hide the next one.

        Where over 1 % of the hours went too far it is the series that is bursty, and its limits are to say so.
        """
        scans = self.scans[:, past]
        is_spike = (np.abs(scans) > self.limits[:, past]).any(axis=0)
        return np.where(is_spike, np.nan, scans) if is_spike.sum() <= RARE * is_spike.size else scans

    def found(self) -> Anomalies:
        return Anomalies(self.expected, self.low, self.high, self.z, self.grades, tuple(self._pages()))

    def _pages(self) -> Iterator[Spike]:
        with np.errstate(invalid="ignore"):
            excess = np.abs(self.scans) / self.limits
        excess = np.where(np.isfinite(excess), excess, 0.0)
        quiet_until = -1
        for at in np.flatnonzero((excess > 1).any(axis=0)).tolist():
            if at <= quiet_until:
                continue
            quiet_until = at + COOL_DOWN_BINS
            which = int(excess[:, at].argmax())
            yield self._spike(at, SPANS[which], float(self.scans[which, at]))

    def _spike(self, at: int, span: int, score: float) -> Spike:
        bins = slice(at - span + 1, at + 1)
        add = np.sum if self.series.kind == "count" else np.mean
        return Spike(at, span, score, float(add(self.series.y[bins])), float(add(self.expected[bins])))


def _days(slots: Ints) -> Iterator[slice]:
    """The stretches of one calendar day each, by its hours."""
    cuts = np.flatnonzero(np.diff(slots // 24)) + 1
    edges = [0, *cuts.tolist(), slots.size]
    return (slice(first, last) for first, last in pairwise(edges))
