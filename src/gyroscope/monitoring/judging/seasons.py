"""Predictions over time: each complete hour is entered once and, if it ended just now, held against those before.

`Judge` asks for every model after its windows. An hour that is not complete, or was read in with a history, alarms
nobody; what was found stays as it was found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.clock import HOUR_US, EventTime, moment_of
from gyroscope.models.blocks import Blocks, block_starts
from gyroscope.monitoring.cache import Cache
from gyroscope.monitoring.hours import Hours, hour_starts
from gyroscope.monitoring.judging.completeness import LIVE_US, Moment
from gyroscope.monitoring.judging.days import excluded
from gyroscope.monitoring.judging.followed_hours import HourlySeries, hourly_series
from gyroscope.monitoring.judging.hard_hours import (
    LABELS,
    REFUSED_SHARE,
    ROWS,
    active_hours,
    of_the_future,
    refused,
    stopped,
)
from gyroscope.monitoring.judging.hour_days import KEPT_US, Day, HourDays, Odd, extended
from gyroscope.monitoring.judging.hour_series import REQUESTS, Key, followed, series_of
from gyroscope.monitoring.judging.odd_hours import causes_of, odd_hours
from gyroscope.monitoring.judging.tracks import SHARE
from gyroscope.monitoring.windows import closes_at, window_of
from gyroscope.records import Cause, CauseKind, NotEnoughData, Signature, Window
from gyroscope.settings import Monitoring
from gyroscope.stats.quality import STALE_INTERVALS
from gyroscope.stats.seasonal import Ahead, look_ahead, seasonal

LEAST_MOMENTS = 3
"""A model is live once its rows came at three different hours of the clock: a history comes all at once."""

Signatures = Mapping[str, Signature]

Complaints = Callable[[str, Window], Mapping[str, int]]
"""What was said to those whose rows of a model were refused in a stretch of time, and how often."""


class Known(msgspec.Struct):
    """Of a model: its newest day, when its rows came, what was odd, and what the hours of today are held against.

    `busiest` is the version that answered most on the last day with rows: it stands for the model.
    """

    last: Day | None
    moments: set[int]
    odd: list[Odd]
    busiest: str = ""
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

    def __init__(self, settings: Monitoring, cache: Cache, path: Path, complaints: Complaints) -> None:
        self._settings = settings
        self._zone = settings.timezone
        self._cache = cache
        self._days = HourDays(path)
        self._complaints = complaints
        self._known: dict[str, Known] = {}
        self._labelled: set[str] = set()

    def labels_came(self, model: str) -> None:
        """Labels were joined since the last hour was entered."""
        self._labelled.add(model)

    def enter(self, model: str, signatures: Signatures, false_alarms: float, moment: Moment) -> None:
        """Enter the hours that have become complete, and judge those that ended just now."""
        try:
            self._enter(model, signatures, false_alarms, moment)
        except Exception:
            self._known.pop(model, None)  # the disk may not have taken it: what is known is what the disk knows
            raise

    def _enter(self, model: str, signatures: Signatures, false_alarms: float, moment: Moment) -> None:
        known = self._of(model)
        if known.upto is not None and known.upto > moment.now:
            # A clock had leapt ahead: the hours of today are entered again as they are, those after it in their time.
            self._days.forget(model, window_of(moment.now, "1d", self._zone).start)
            del self._known[model]
            known = self._of(model)
        starts = self._complete(model, known, moment)
        if not starts:
            return
        hours = self._cache.hours(model, Window(starts[0], EventTime(starts[-1] + 1)))
        future = self._cache.future(model)
        days: list[Day] = []
        midnights = block_starts(np.array(starts, np.int64), Blocks(self._zone, "1d")).tolist()
        for at, some in groupby(zip(midnights, starts, strict=True), lambda pair: pair[0]):
            later = self._day(EventTime(at), [start for _, start in some], hours, moment.now)
            is_last = later.starts[-1] == starts[-1]
            labels = (*later.labels[:-1], is_last and model in self._labelled)
            later = msgspec.structs.replace(later, future=future, labels=labels)
            known.moments |= _moments([later])
            rows_before = known.last.future if known.last is not None else later.future
            known.busiest = later.busiest or known.busiest
            known.last = extended(known.last, later) if known.last and known.last.start == at else later
            fresh = [start for start in later.starts if start + HOUR_US > moment.now - LIVE_US]
            if known.is_live and fresh:
                self._days.put(model, days)  # what is looked for goes back over them
                odd = self._odd(model, known, fresh, signatures, false_alarms)
                new = of_the_future(fresh[-1], later.future - rows_before, known.busiest)
                odd += [new] if new is not None else []
                known.odd = [one for one in [*known.odd, *odd] if one.at >= known.last.start - KEPT_US]
                known.last = msgspec.structs.replace(known.last, odd=(*known.last.odd, *odd))
            days.append(known.last)
        self._days.put(model, days)
        self._labelled.discard(model)

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
        versions = {known.busiest, *(odd.version for odd in known.odd)}
        return {(version, kind): known.upto for version in versions for kind in kinds if known.upto is not None}

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
            busiest = next((day.busiest for day in reversed(days) if day.busiest), "")
            self._known[model] = Known(days[-1] if days else None, _moments(days), odd, busiest)
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
        looked = known.last.entered[-1] if known.last is not None else moment.newest + 1
        unseen = Window(EventTime(min(moment.newest + 1, looked)), EventTime(moment.now - LIVE_US))
        hours = self._cache.hours(model, Window(first, data)) if unseen.start < unseen.end else {}
        busy = {start for one in hours.values() for start in one.starts.tolist()}
        return [
            EventTime(start)
            for start in starts
            if closes_at(Window(EventTime(start), EventTime(start + HOUR_US))) <= data
            and (start in busy or not unseen.start <= start < unseen.end)
        ]

    def _day(self, at: EventTime, starts: list[EventTime], hours: Mapping[str, Hours], now: EventTime) -> Day:
        """Some hours of a day as they are known now."""
        tables = {version: _table(found.starts, found.table, starts) for version, found in hours.items()}
        return Day(
            start=at,
            starts=tuple(starts),
            slots=tuple(self._slot(start) for start in starts),
            entered=(now,) * len(starts),
            counts={version: table.tobytes() for version, table in tables.items() if table is not None},
            labels=(False,) * len(starts),
        )

    def _odd(
        self, model: str, known: Known, fresh: Sequence[EventTime], signatures: Signatures, budget: float
    ) -> list[Odd]:
        """What is odd about some hours of the newest day."""
        day = known.last
        if day is None:
            return []
        key = (day.start, budget, tuple(signatures))
        if known.ahead[0] != key:
            known.ahead = (key, self._ahead(model, day.start, signatures, budget))
        today, ahead = series_of([day], signatures), known.ahead[1]
        judged = {key: (today[key], ahead[key]) for key in ahead if key in today}
        places = [day.starts.index(start) for start in fresh]
        found = odd_hours(day, self._hours(day.start), judged, places, known.busiest)
        columns = tuple(dict.fromkeys(name for one in signatures.values() for name in one.names))
        for place in places:
            found += self._refused(model, day, place, columns, known.busiest)
        return found + self._stopped(model, day, known.busiest, is_counted=Key(REQUESTS) in judged)

    def _refused(self, model: str, day: Day, place: int, columns: Sequence[str], busiest: str) -> list[Odd]:
        answered, errors = _traffic(day, place)
        if errors <= REFUSED_SHARE * answered:
            return []
        hours = [self._hour_before(model, day, place), (day, place)]
        told = [(_traffic(*hour)[0], self._complaints(model, _hour(*hour))) for hour in hours if hour is not None]
        found = refused(day.starts[place], told, columns, busiest)
        return [found] if found is not None else []

    def _hour_before(self, model: str, day: Day, place: int) -> tuple[Day, int] | None:
        """The last hour with rows before one of a day."""
        busy = np.flatnonzero(day.is_busy[:place])
        if busy.size:
            return day, int(busy[-1])
        last = next((one for one in reversed(self._days.days(model, day.start)) if one.is_busy.any()), None)
        return None if last is None else (last, int(np.flatnonzero(last.is_busy)[-1]))

    def _stopped(self, model: str, day: Day, busiest: str, *, is_counted: bool) -> list[Odd]:
        """Rows or labels that came and come no more; `is_counted`: whether hours without rows are known already."""
        at = day.starts[-1]
        days = [*self._days.days(model, day.start), day]
        window = window_of(at, self._settings.window, self._zone)
        length = window.end - window.start
        rows, labels = active_hours(days, ROWS), active_hours(days, LABELS)
        found = [] if is_counted else [stopped(ROWS, rows, at, length, busiest)]
        # Without rows there are no labels: only windows with rows say that these have stopped.
        waiting = np.unique(rows[rows > labels[-1]] // length) if labels.size >= LEAST_MOMENTS else labels
        if waiting.size > STALE_INTERVALS and at - rows[-1] < length:
            found.append(stopped(LABELS, labels, at, length, busiest))
        return [one for one in found if one is not None]

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


def _traffic(day: Day, place: int) -> tuple[float, float]:
    """Answered rows of an hour, and those with an error."""
    tables = [day.table(version)[place] for version in day.counts]
    return float(sum(row[0] for row in tables)), float(sum(row[1] for row in tables))


def _hour(day: Day, place: int) -> Window:
    return Window(day.starts[place], EventTime(day.starts[place] + HOUR_US))


def _table(
    starts: NDArray[np.int64], table: NDArray[np.float64], wanted: Sequence[EventTime]
) -> NDArray[np.float64] | None:
    """The rows of some hours, zero for those that are not there; nothing where none is."""
    asked = np.array(wanted, np.int64)
    places = np.searchsorted(starts, asked).clip(max=starts.size - 1)
    is_there = starts[places] == asked
    return np.where(is_there[:, np.newaxis], table[places], 0.0) if is_there.any() else None


def _moments(days: Sequence[Day]) -> set[int]:
    """The hours of the clock at which hours with rows were entered."""
    return {day.entered[row] // HOUR_US for day in days for row in np.flatnonzero(day.is_busy).tolist()}
