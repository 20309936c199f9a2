"""From a moment of event time to the window it belongs to, by the calendar of a time zone.

The windows of one length cut time without gap or overlap, and none but `7d` reaches over a midnight, so that one day's
rows are enough to fill it. Pure: fold, loop and pages call it; it never asks what time it is.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from gyroscope.clock import SECOND_US, EventTime, event_time_of, moment_of
from gyroscope.records import Window

Length = Literal["1h", "6h", "1d", "7d"]

MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US

GRACE_SHARE_DIVISOR = 20
"""A window waits 5 % of its length for rows that are under way, and never less than a minute."""


def window_of(at: EventTime, length: Length, zone: str) -> Window:
    """The window that holds a moment.

    >>> from gyroscope.clock import iso, parse_event_time
    >>> spring = window_of(parse_event_time("2013-03-10T12:00:00-04:00"), "1d", "America/New_York")
    >>> iso(spring.start, "America/New_York"), (spring.end - spring.start) // HOUR_US
    ('2013-03-10T00:00:00-05:00', 23)
    """
    day = moment_of(at, zone).date()
    if length == "7d":
        monday = day - timedelta(days=day.weekday())
        return Window(_midnight(monday, zone), _midnight(monday + timedelta(days=7), zone))
    edges = window_edges(day.isoformat(), length, zone)
    after = next(i for i, edge in enumerate(edges) if edge > at)
    return Window(edges[after - 1], edges[after])


def window_edges(day: str, length: Length, zone: str) -> tuple[EventTime, ...]:
    """Where the windows of a calendar day begin, and the next midnight last; a `7d` window is cut into its days.

    >>> len(window_edges("2013-03-10", "1h", "America/New_York")) - 1
    23
    """
    return _edges(day, length, zone)


def split(times: NDArray[np.int64], edges: tuple[EventTime, ...]) -> NDArray[np.int64]:
    """For each moment the number of its window between the edges of its day."""
    return np.clip(np.searchsorted(np.asarray(edges), times, side="right") - 1, 0, len(edges) - 2)


def closes_at(window: Window) -> EventTime:
    """When the window is taken as complete; later rows restate it all the same.

    >>> closes_at(Window(EventTime(0), EventTime(HOUR_US))) - HOUR_US == 3 * MINUTE_US
    True
    """
    grace = max((window.end - window.start) // GRACE_SHARE_DIVISOR, MINUTE_US)
    return EventTime(window.end + grace)


def days_of(window: Window, zone: str) -> list[str]:
    """The calendar days a window touches, in order.

    >>> days_of(Window(EventTime(0), EventTime(2 * 24 * HOUR_US)), "UTC")
    ['1970-01-01', '1970-01-02']
    """
    if window.end <= window.start:
        return []
    first = moment_of(window.start, zone).date()
    last = moment_of(EventTime(window.end - 1), zone).date()
    return [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]


@lru_cache(maxsize=4_096)
def _edges(day: str, length: Length, zone: str) -> tuple[EventTime, ...]:
    this = date.fromisoformat(day)
    start, end = _midnight(this, zone), _midnight(this + timedelta(days=1), zone)
    if length == "1h":  # hours that pass, so the hour that a clock change repeats has two windows
        return (*(EventTime(edge) for edge in range(start, end, HOUR_US)), end)
    if length == "6h":
        return (start, *(_local(this, hour, zone) for hour in (6, 12, 18)), end)
    return (start, end)


def _midnight(day: date, zone: str) -> EventTime:
    return _local(day, 0, zone)


def _local(day: date, hour: int, zone: str) -> EventTime:
    """The first moment at which that hour begins; where a clock change skips it, the moment of the change."""
    return event_time_of(datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo(zone)))
