"""Blocks of event time: which calendar window of a zone each row of a reference belongs to.

References are cut here exactly as monitoring cuts production, so that one can be held against the other.
It never reads a clock; times come in as microseconds.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.clock import HOUR_US, EventTime, event_time_of
from gyroscope.errors import ModelError


class Blocks(msgspec.Struct, frozen=True):
    """How long a block is and by whose calendar: days begin at midnight, weeks on Monday, `6h` at 0, 6, 12 and 18."""

    zone: str = "UTC"
    length: Literal["1h", "6h", "1d", "7d"] = "1d"


def block_starts(event_times: NDArray[np.int64], blocks: Blocks) -> NDArray[np.int64]:
    """The start of each row's block, int64 microseconds.

    >>> start = block_starts(np.array([1362114000000000]), Blocks("America/New_York"))
    >>> int(start[0])
    1362114000000000

    Raises `ModelError` for an unknown zone or a moment outside the years 2 to 9998.
    """
    return _around(event_times, blocks)[0]


def block_ends(event_times: NDArray[np.int64], blocks: Blocks) -> NDArray[np.int64]:
    """The end of each row's block, int64 microseconds: the start of the one after it, whether anything is in that.

    >>> end = block_ends(np.array([1362114000000000]), Blocks("America/New_York"))
    >>> (int(end[0]) - 1362114000000000) / HOUR_US
    24.0

    Raises as `block_starts`.
    """
    return _around(event_times, blocks)[1]


def _around(event_times: NDArray[np.int64], blocks: Blocks) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    try:
        zone = ZoneInfo(blocks.zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ModelError(
            f"no time zone is called {blocks.zone!r}", where="zone", fix="a name such as America/New_York"
        ) from error
    if not len(event_times):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    first, last = (_utc_day(int(edge)) for edge in (event_times.min(), event_times.max()))
    edges = _edges(first - timedelta(days=7), last + timedelta(days=9), zone, blocks.length)
    after = np.searchsorted(edges, event_times, side="right")
    return edges[after - 1], edges[after]


def _utc_day(at_us: int) -> date:
    try:
        day = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)).date()
    except OverflowError:
        day = date.max
    if not 2 <= day.year <= 9_998:
        raise ModelError(f"{at_us} is no event time", where="event time", fix="microseconds since 1970-01-01 UTC")
    return day


def _edges(first: date, last: date, zone: ZoneInfo, length: str) -> NDArray[np.int64]:
    """Every start of a block between two days."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    if length == "7d":
        days = [day for day in days if day.weekday() == 0]
    hours = (0, 6, 12, 18) if length == "6h" else (0,)
    starts = np.array([_local(day, hour, zone) for day in days for hour in hours], np.int64)
    if length != "1h":
        return starts
    # Hours that pass, counted from each midnight: the hour that a clock change repeats has two blocks.
    pieces = [np.arange(a, b, HOUR_US) for a, b in pairwise(starts)]
    return np.concatenate(pieces)


def _local(day: date, hour: int, zone: ZoneInfo) -> EventTime:
    return event_time_of(datetime(day.year, day.month, day.day, hour, tzinfo=zone))
