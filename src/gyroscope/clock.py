"""The two clocks of the house, and the only place where the time is read.

`EventTime` is what the data says (windows, labels, monitors); `MachineTime` is what the machine's monotonic
clock says (latency, deadlines, health). mypy keeps them apart. Standard library only; nobody else calls `time`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NewType, cast
from zoneinfo import ZoneInfo

EventTime = NewType("EventTime", int)
"""Microseconds since 1970-01-01 UTC."""

MachineTime = NewType("MachineTime", int)
"""Nanoseconds of CLOCK_MONOTONIC: one clock for all processes of a machine, unaffected by jumps of the date."""

SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US
DAY_US = 24 * HOUR_US
SECOND_NS = 1_000_000_000


def wall_now() -> EventTime:
    """The date as event time: the default of a prediction that brings none, and when something was written down."""
    return time.time_ns() // 1_000  # type: ignore[return-value]  # calling the type costs more than the clock


machine_now = cast("Callable[[], MachineTime]", time.monotonic_ns)
"""The monotonic clock: for differences only. No function around it: a request reads it several times."""


def sleep(seconds: float) -> None:
    """Wait; here so that nobody else needs `time`."""
    time.sleep(seconds)


def parse_event_time(text: str) -> EventTime:
    """Read ISO 8601 (no zone means UTC) or seconds since the epoch.

    >>> parse_event_time("2013-03-01T00:00:00-05:00")
    1362114000000000
    >>> parse_event_time("1362114000.5")
    1362114000500000

    Raises `ValueError` when the text is neither, or lies outside the years 1 to 9999.
    """
    try:
        seconds = float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return event_time_of(moment)
    if not -62_135_596_800 <= seconds < 253_402_300_800:
        raise ValueError(f"{text!r} is not a time between the years 1 and 9999")
    return EventTime(round(seconds * SECOND_US))


def event_time_of(moment: datetime) -> EventTime:
    """An aware datetime as event time, exact to the microsecond.

    >>> event_time_of(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000000
    """
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return EventTime((delta.days * 86_400 + delta.seconds) * SECOND_US + delta.microseconds)


def moment_of(at: EventTime, zone: str = "UTC") -> datetime:
    """Event time as an aware datetime in a zone.

    >>> moment_of(EventTime(1362114000000000), "America/New_York").isoformat()
    '2013-03-01T00:00:00-05:00'
    """
    seconds, micros = divmod(at, SECOND_US)
    return datetime.fromtimestamp(seconds, ZoneInfo(zone)).replace(microsecond=micros)


def iso(at: EventTime, zone: str = "UTC") -> str:
    """Event time as ISO 8601 with its offset.

    >>> iso(EventTime(0))
    '1970-01-01T00:00:00+00:00'
    """
    return moment_of(at, zone).isoformat()


def day_of(at: EventTime, zone: str = "UTC") -> str:
    """The calendar day in a zone.

    >>> day_of(EventTime(1362114000000000 - 1), "America/New_York")
    '2013-02-28'
    """
    return moment_of(at, zone).date().isoformat()
