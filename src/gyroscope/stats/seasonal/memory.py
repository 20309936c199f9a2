"""What is remembered of each hour of the week, and what is expected of it next.

`seasonal` walks over the days with one of these. It holds arrays that change, is made for one walk and never kept.
"""

from __future__ import annotations

import numpy as np

from gyroscope.stats.arrays import Floats, Ints
from gyroscope.stats.seasonal.series import SLOTS

WEEKS = 6
"""Values kept of each hour of the week. The least and greatest are not used: one spike, or one holiday nobody named,
is no part of what is expected."""

HOUR_DAYS = 14
LEAST_BINS = 2 * SLOTS
_WEEKEND = 120
ACCEPTED_AFTER = 3
"""Three anomalies of the same size in the same hour of three weeks are no anomaly: they become what is expected."""

_MEAN_NOISE = 0.19  # variance of the trimmed mean of six normal values, in units of theirs
_ALIKE = 3.0  # standard deviations within which anomalies are of the same size


class Memory:
    """The last values of every slot, anomalies that wait to be accepted, and the last days by hour."""

    def __init__(self, *, is_count: bool) -> None:
        self._is_count = is_count
        self._values = np.full((SLOTS, WEEKS), np.nan)
        self._waiting = np.full((SLOTS, ACCEPTED_AFTER), np.nan)
        self._hours = np.full((48, HOUR_DAYS), np.nan)  # of working days, then of weekends
        self._bins = 0
        self._is_known = np.zeros(SLOTS, np.bool_)

    def expected(self, slots: Ints) -> tuple[Floats, Ints]:
        """What is expected of each slot (NaN: nothing), and from what: 0 nothing, 1 the hour of day, 2 of the week."""
        base = np.where(self._is_known, _trimmed_mean(self._values), np.nan).reshape(7, 24)
        pattern = self._pattern(base)
        alike = self._likeness(base, pattern)
        of_week = np.where(np.isfinite(pattern), (1 - alike) * base + alike * pattern, base).ravel()[slots]
        of_day = _trimmed_mean(self._hours)[_hour_of_day(slots)]
        is_weekly = np.isfinite(of_week)
        grade = np.where(is_weekly, 2, np.int64(self._bins >= LEAST_BINS))
        return np.where(is_weekly, of_week, of_day), grade

    def _pattern(self, base: Floats) -> Floats:
        """What each slot would be if days of the week only scaled (counts) or moved (the rest) the hours of a day."""
        if not np.isfinite(base).all():
            return np.full_like(base, np.nan)
        day, hour, mean = base.mean(axis=1), base.mean(axis=0), float(base.mean())
        if self._is_count:
            return np.asarray(np.outer(day, hour) / mean, np.float64) if mean > 0 else base
        return np.asarray(np.add.outer(day, hour) - mean, np.float64)

    def _likeness(self, base: Floats, pattern: Floats) -> float:
        """How far the slots follow that pattern, 0 to 1: their own noise over what they differ from it by.

        The weight of empirical Bayes (Efron & Morris 1973, J. Am. Stat. Assoc. 68, 117). A fixed third of the mean of
        that hour over the week took the quiet of weekends for noise: above 100 requests an hour it hid spikes.
        """
        if not np.isfinite(pattern).all():
            return 0.0
        noise = float((_spread(self._values) ** 2).sum()) * _MEAN_NOISE
        differ = float(((base - pattern) ** 2).sum()) * base.size / ((base.shape[0] - 1) * (base.shape[1] - 1))
        return min(noise / differ, 1.0) if differ > 0 else 1.0

    def learn(self, slots: Ints, y: Floats, is_anomaly: np.ndarray[tuple[int], np.dtype[np.bool_]], sd: Floats) -> None:
        """Take in the bins of one day; NaN teaches nothing, an anomaly waits until it has come three times."""
        seen = np.isfinite(y)
        normal, odd = seen & ~is_anomaly, seen & is_anomaly
        self._bins += int(seen.sum())
        hours = _hour_of_day(slots[seen])
        self._hours[hours] = _pushed(self._hours[hours], y[seen])
        self._values[slots[normal]] = _pushed(self._values[slots[normal]], y[normal])
        self._waiting[slots[normal]] = np.nan
        self._waiting[slots[odd]] = _pushed(self._waiting[slots[odd]], y[odd])
        spread = np.ptp(self._waiting[slots[odd]], axis=1)
        accepted = slots[odd][spread <= _ALIKE * sd[odd]]
        self._values[accepted] = np.nan
        self._values[accepted, -ACCEPTED_AFTER:] = self._waiting[accepted]
        self._waiting[accepted] = np.nan
        self._is_known |= np.isfinite(self._values).all(axis=1)


def _hour_of_day(slots: Ints) -> Ints:
    return slots % 24 + 24 * (slots >= _WEEKEND)


def _pushed(rows: Floats, newest: Floats) -> Floats:
    """The rows without their first value, and with a newest one."""
    return np.concatenate((rows[:, 1:], newest[:, np.newaxis]), axis=1)


def _trimmed_mean(rows: Floats) -> Floats:
    """Mean of each row without its least and greatest value; NaN for rows with fewer than three values."""
    known = np.isfinite(rows)
    count = known.sum(axis=1)
    total = np.where(known, rows, 0.0).sum(axis=1)
    huge = np.finfo(np.float64).max / 4
    ends = np.where(known, rows, huge).min(axis=1) + np.where(known, rows, -huge).max(axis=1)
    return np.where(count >= 3, (total - ends) / np.maximum(count - 2, 1), np.nan)


def _spread(rows: Floats) -> Floats:
    """Standard deviation of each row; 0 for rows with fewer than two values."""
    known = np.isfinite(rows)
    count = known.sum(axis=1)
    center = np.where(known, rows, 0.0).sum(axis=1) / np.maximum(count, 1)
    squares = np.where(known, rows - center[:, np.newaxis], 0.0) ** 2
    return np.asarray(np.sqrt(squares.sum(axis=1) / np.maximum(count - 1, 1)), np.float64)
