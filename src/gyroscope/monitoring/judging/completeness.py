"""Which windows are complete: in rows once time has passed them, in labels once these are mature.

`Judge` enters only such windows: an incomplete one never alarms. It reads the cache and changes nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence, Set
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from gyroscope.clock import DAY_US, EventTime, event_time_of
from gyroscope.monitoring.cache import Cache
from gyroscope.monitoring.coverage import PAST_US, coverage_of
from gyroscope.monitoring.windows import closes_at, window_of
from gyroscope.records import Window
from gyroscope.settings import Monitoring
from gyroscope.stats.performance import LEAST_COVERAGE

LIVE_US = 2 * DAY_US
"""A model whose newest row is younger than this is live; older rows are a history that was read in later."""


class Moment(msgspec.Struct, frozen=True):
    """`now` is wall time, `data` how far the time of a model's data has surely come, `newest` that of its newest row.

    It `is_quiet` when no row has come for minutes.
    """

    now: EventTime
    data: EventTime
    newest: EventTime = EventTime(0)
    is_quiet: bool = False


def moment_of_data(newest: EventTime, now: EventTime, *, is_quiet: bool) -> Moment:
    """Time is as far as the newest row; where rows of a live model have stopped coming, it goes on with the clock.

    >>> moment_of_data(EventTime(5), EventTime(9), is_quiet=False).data
    5
    >>> moment_of_data(EventTime(5), EventTime(9), is_quiet=True).data
    9
    """
    is_live = is_quiet and newest <= now <= newest + LIVE_US
    return Moment(now, now if is_live else EventTime(min(now, newest)), newest, is_quiet)


def behind(moment: Moment, backlog: Set[str], zone: str) -> Moment:
    """While files of some days are still to be folded, time is as far as the first of these days.

    >>> behind(Moment(EventTime(9), EventTime(1 << 60)), {"1970-01-02"}, "UTC").data == DAY_US
    True
    """
    starts = [event_time_of(datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))) for day in backlog]
    return msgspec.structs.replace(moment, data=min([moment.data, *starts]), is_quiet=moment.is_quiet and not starts)


class Completeness:
    """Asks the cache of one home."""

    def __init__(self, cache: Cache, settings: Monitoring) -> None:
        self._cache = cache
        self._settings = settings

    def rows(self, model: str, version: str, moment: Moment) -> list[Window]:
        """The windows of a version whose rows are there, oldest first, up to the first that is still being measured."""
        return self.ended(model, version, moment)[0]

    def ended(self, model: str, version: str, moment: Moment) -> tuple[list[Window], list[Window]]:
        """The windows of `rows`, and those from the first on that is still being measured."""
        dirty = min((cell.start for cell in self._cache.dirty(model) if cell.version == version), default=None)
        windows = dict.fromkeys(
            window_of(cell.start, self._settings.window, self._settings.timezone)
            for cell, scored in self._cache.scored_by_cell(model, version).items()
            if scored
        )
        over = [window for window in windows if closes_at(window) <= moment.data]
        measured = sum(dirty is None or window.end <= dirty for window in over)
        return over[:measured], over[measured:]

    def labels(
        self, model: str, version: str, complete: Sequence[Window], moment: Moment, known: Set[EventTime]
    ) -> list[tuple[Window, int]]:
        """Those of some complete windows whose labels are mature, with their scored rows; `known` are left out."""
        waiting = [window for window in complete if window.start not in known]
        if not waiting:
            return []
        cells = self._cache.arrivals(
            model, version, Window(EventTime(waiting[0].start - PAST_US), EventTime(waiting[-1].end))
        )
        starts, ripe = sorted(cells), []
        for window in waiting:
            first, last = bisect_left(starts, window.start), bisect_left(starts, window.end)
            mine = [cells[at] for at in starts[first:last]]
            scored = sum(rows for rows, _ in mine)
            # Windows that never get their labels wait for ever: what costs is asked of the others only.
            if sum(found.n for _, found in mine) > LEAST_COVERAGE * scored:
                past = bisect_left(starts, window.start - PAST_US)
                near = {at: cells[at] for at in starts[past:last]}
                ripe += [(window, scored)] if coverage_of(window, near, moment.data).is_mature else []
        return ripe
