"""From a moment of event time to the window it belongs to, by the calendar of a time zone.

The cuts are those of `models.blocks`, which cuts references: a window is held against windows of its own kind. None
but `7d` reaches over a midnight, so one day's rows fill it. Pure: fold, loop and pages call it; it never asks for now.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np

from gyroscope.clock import DAY_US, HOUR_US, SECOND_US, EventTime
from gyroscope.models.blocks import Blocks, block_starts
from gyroscope.records import Window

Length = Literal["1h", "6h", "1d", "7d"]

MINUTE_US = 60 * SECOND_US

# From a window's start to a moment that surely lies in the next one, clock changes included: a day has 23 to 25 hours,
# so 36 hours on is tomorrow. An hour needs no margin: hours are counted as they pass, and midnight ends the last one.
_INTO_NEXT_US = {"1h": HOUR_US, "6h": 9 * HOUR_US, "1d": 36 * HOUR_US, "7d": 7 * DAY_US + 36 * HOUR_US}

# A window waits 5 % of its length for rows that are under way: 72 minutes for a day, and never less than one.
_GRACE_DIVISOR = 20


def window_of(at: EventTime, length: Length, zone: str) -> Window:
    """The window that holds a moment.

    >>> from gyroscope.clock import iso, parse_event_time
    >>> spring = window_of(parse_event_time("2013-03-10T12:00:00-04:00"), "1d", "America/New_York")
    >>> iso(spring.start, "America/New_York"), (spring.end - spring.start) // HOUR_US
    ('2013-03-10T00:00:00-05:00', 23)
    """
    return _window_from(_start(at, length, zone), length, zone)


def cell_length(length: Length) -> Length:
    """The smallest stretch that is kept apart: the window, or the day where windows are longer, so that months add up.

    >>> cell_length("6h"), cell_length("7d")
    ('6h', '1d')
    """
    return "1d" if length == "7d" else length


def closes_at(window: Window) -> EventTime:
    """When the window is taken as complete; later rows restate it all the same.

    >>> closes_at(Window(EventTime(0), EventTime(HOUR_US))) - HOUR_US == 3 * MINUTE_US
    True
    """
    grace = max((window.end - window.start) // _GRACE_DIVISOR, MINUTE_US)
    return EventTime(window.end + grace)


@lru_cache(maxsize=4_096)
def _window_from(start: EventTime, length: Length, zone: str) -> Window:
    return Window(start, _start(EventTime(start + _INTO_NEXT_US[length]), length, zone))


@lru_cache(maxsize=65_536)  # cells begin at the same moments for every model and round
def _start(at: EventTime, length: Length, zone: str) -> EventTime:
    return EventTime(int(block_starts(np.array([at], np.int64), Blocks(zone, length))[0]))
