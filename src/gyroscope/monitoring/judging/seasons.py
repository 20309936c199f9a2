"""Predictions over time: each complete hour is entered once and, if it ended just now, held against those before.

`Judge` asks for every model after its windows. An hour that is not complete, or was read in with a history, alarms
nobody; what was found stays as it was found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.clock import EventTime, moment_of
from gyroscope.models.blocks import HOUR_US
from gyroscope.monitoring.cache import Cache
from gyroscope.monitoring.hours import hour_starts
from gyroscope.monitoring.judging.completeness import LIVE_US, Moment
from gyroscope.monitoring.judging.days import excluded
from gyroscope.monitoring.judging.followed_hours import HourlySeries, hourly_series
from gyroscope.monitoring.judging.hour_days import KEPT_US, Day, HourDays, Odd, extended
from gyroscope.monitoring.judging.hour_series import Key, followed, series_of
from gyroscope.monitoring.judging.odd_hours import causes_of, odd_hours
from gyroscope.monitoring.judging.tracks import SHARE
from gyroscope.monitoring.windows import closes_at, window_of
from gyroscope.records import Cause, CauseKind, NotEnoughData, Signature, Window
from gyroscope.settings import Monitoring
from gyroscope.stats.seasonal import Ahead, look_ahead, seasonal

LEAST_MOMENTS = 3
"""A model is live once its rows came at three different hours of the clock: a history comes all at once."""

Signatures = Mapping[str, Signature]


class Known(msgspec.Struct):
    """Of a model: its newest day, when its rows came, what was odd, and what the hours of today are held against."""

    last: Day | None
    moments: set[int]
    odd: list[Odd]
    ahead: tuple[object, dict[Key, Ahead]] = (None, {})
    shown: tuple[object, list[HourlySeries]] = (None, [])

    @property
    def upto(self) -> EventTime | None:
        """The start of the newest hour that was entered."""
        return self.last.starts[-1] if self.last is not None else None

    @property
    def is_live(self) -> bool:
        return len(self.moments) >= LEAST_MOMENTS


class Seasons:
    """The hours of all models of one home."""

    def __init__(self, settings: Monitoring, cache: Cache, path: Path) -> None:
        self._settings = settings
        self._zone = settings.timezone
        self._cache = cache
        self._days = HourDays(path)
        self._known: dict[str, Known] = {}

    def enter(self, model: str, signatures: Signatures, false_alarms: float, moment: Moment) -> bool:
        """Enter the hours that have become complete, and judge those that ended just now; whether any was."""
        known = self._of(model)
        starts = self._complete(model, known, moment)
        if not starts:
            return False
        hours = self._cache.hours(model, Window(starts[0], EventTime(starts[-1] + 1)))
        days = []
        for at, some in groupby(starts, lambda start: window_of(start, "1d", self._zone).start):
            mine = list(some)
            day = known.last if known.last is not None and known.last.start == at else Day(at)
            tables = {version: _table(found.starts, found.table, mine) for version, found in hours.items()}
            slots = [self._slot(start) for start in mine]
            day = extended(day, mine, slots, moment.now, {v: t for v, t in tables.items() if t is not None})
            known.moments |= _moments([day])
            fresh = [start for start in mine if start + HOUR_US > moment.now - LIVE_US]
            if known.is_live and fresh:
                odd = self._judged(model, known, day, fresh, signatures, false_alarms)
                day, known.odd = msgspec.structs.replace(day, odd=(*day.odd, *odd)), [*known.odd, *odd]
            known.last = day
            days.append(day)
        self._days.put(model, days)
        return True

    def causes(self, model: str) -> list[Cause]:
        """What was unusual, one cause for what goes on, over all hours that are kept."""
        known = self._of(model)
        if known.upto is None:
            return []
        out = excluded(self._settings.calendar, [one.at for one in known.odd], self._zone)
        return causes_of(model, [one for one in known.odd if one.at not in out], known.upto)

    def upto(self, model: str) -> dict[tuple[str, CauseKind], EventTime]:
        """The newest hour that was judged, by version and kind."""
        known = self._of(model)
        kinds: tuple[CauseKind, ...] = ("seasonal", "quality")
        return {(odd.version, kind): known.upto for odd in known.odd for kind in kinds if known.upto is not None}

    def shown(self, model: str, signatures: Signatures, false_alarms: float) -> list[HourlySeries]:
        """Every series that is followed, those of the model first, as far as its hours have been entered."""
        known = self._of(model)
        key = (known.upto, false_alarms, tuple(signatures))
        if known.shown[0] != key:
            known.shown = (key, self._walked(model, signatures, false_alarms))
        return known.shown[1]

    def close(self) -> None:
        self._days.close()

    def _of(self, model: str) -> Known:
        if model not in self._known:
            days = self._days.days(model)
            odd = [one for day in days for one in day.odd]
            self._known[model] = Known(days[-1] if days else None, _moments(days), odd)
        return self._known[model]

    def _complete(self, model: str, known: Known, moment: Moment) -> list[EventTime]:
        """The hours after those that were entered that are over by now."""
        data = moment.now if known.is_live and moment.is_quiet else moment.data
        if known.upto is not None:
            first = EventTime(known.upto + HOUR_US)
        else:
            first = self._cache.oldest(model, EventTime(data - KEPT_US))
        if not first or data - first < HOUR_US:
            return []
        starts = hour_starts(Window(first, data), self._zone).tolist()
        # Without rows and long over: nobody looked then, so nobody knows that there were none.
        unseen = Window(EventTime(moment.newest + 1), EventTime(moment.now - LIVE_US))
        return [
            EventTime(start)
            for start in starts
            if closes_at(Window(EventTime(start), EventTime(start + HOUR_US))) <= data
            and not unseen.start <= start < unseen.end
        ]

    def _judged(
        self, model: str, known: Known, day: Day, fresh: Sequence[EventTime], signatures: Signatures, budget: float
    ) -> list[Odd]:
        key = (day.start, budget, tuple(signatures))
        if known.ahead[0] != key:
            known.ahead = (key, self._ahead(model, day.start, signatures, budget))
        today = series_of([day], signatures)
        places = [day.starts.index(start) for start in fresh]
        judged = {key: today[key] for key in known.ahead[1] if key in today}
        return odd_hours(day, self._hours(day.start), judged, known.ahead[1], places)

    def _ahead(self, model: str, at: EventTime, signatures: Signatures, budget: float) -> dict[Key, Ahead]:
        """What the hours of a day are held against, by series; those that are not known well enough are left out."""
        before = self._days.days(model, at)
        series = series_of(before, signatures)
        chosen = followed(series)
        out = self._excluded(before)
        slots = np.array([self._slot(EventTime(start)) for start in self._hours(at).tolist()], np.int64)
        share = budget * SHARE["seasonal"] / max(len(chosen), 1)
        found = {key: look_ahead(series[key], slots, share, out) for key in chosen}
        return {key: one for key, one in found.items() if not isinstance(one, NotEnoughData)}

    def _walked(self, model: str, signatures: Signatures, budget: float) -> list[HourlySeries]:
        days = self._days.days(model)
        series = series_of(days, signatures)
        chosen = followed(series)
        starts, out = tuple(start for day in days for start in day.starts), self._excluded(days)
        share = budget * SHARE["seasonal"] / max(len(chosen), 1)
        return [hourly_series(key, series[key], starts, seasonal(series[key], share, out)) for key in chosen]

    def _excluded(self, days: Sequence[Day]) -> NDArray[np.bool_]:
        starts = [start for day in days for start in day.starts]
        out = excluded(self._settings.calendar, starts, self._zone)
        return np.array([start in out for start in starts], np.bool_)

    def _hours(self, at: EventTime) -> NDArray[np.int64]:
        """The hours of the day that a moment lies in."""
        return hour_starts(window_of(at, "1d", self._zone), self._zone)

    def _slot(self, start: EventTime) -> int:
        at = moment_of(start, self._zone)
        return at.weekday() * 24 + at.hour


def _table(
    starts: NDArray[np.int64], table: NDArray[np.float64], wanted: Sequence[EventTime]
) -> NDArray[np.float64] | None:
    """The rows of some hours, zero for those that are not there; nothing where none is."""
    places = {int(start): row for row, start in enumerate(starts)}
    rows = [(k, places[start]) for k, start in enumerate(wanted) if start in places]
    if not rows:
        return None
    found = np.zeros((len(wanted), table.shape[1]))
    to, source = zip(*rows, strict=True)
    found[list(to)] = table[list(source)]
    return found


def _moments(days: Sequence[Day]) -> set[int]:
    """The hours of the clock at which hours with rows were entered."""
    return {day.entered[row] // HOUR_US for day in days for row in np.flatnonzero(day.is_busy).tolist()}
