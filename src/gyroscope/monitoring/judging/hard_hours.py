"""What is broken in an hour that ended just now, whatever other weeks were like: rows or labels stopped, rows refused,
rows of the future.

`Seasons` asks for hours of live traffic. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.clock import DAY_US, HOUR_US, EventTime
from gyroscope.monitoring.judging.hour_days import Day, Odd
from gyroscope.monitoring.judging.hour_series import REQUESTS
from gyroscope.stats.quality import Finding, future_time, refused_column, stale

ROWS, LABELS, STAMPS = REQUESTS, "labels", "time stamps"

LEAST_SPAN_US = 7 * DAY_US
"""Before a week has been seen nobody knows whether a weekend is silence."""

LONGER = 1.5
"""Silence is told of when it is half as long again as it ever was."""

LEAST_REFUSED, REFUSED_SHARE = 20, 0.3
"""As for values out of range: fewer may be one client's fault, and the error share has evidence of its own."""


def stopped(what: str, active: NDArray[np.int64], at: EventTime, window_us: int, version: str) -> Odd | None:
    """Silence up to the end of an hour, given the starts of all hours with rows (or labels), oldest first.

    >>> week = np.arange(200, dtype=np.int64) * HOUR_US
    >>> found = stopped("labels", week, EventTime(300 * HOUR_US), 24 * HOUR_US, "v")
    >>> found.text
    'labels: the last are 4.2 windows old'
    >>> stopped("labels", week, EventTime(270 * HOUR_US), 24 * HOUR_US, "v") is None
    True
    """
    before = active[active <= at]
    if before.size < 2 or before[-1] - before[0] < LEAST_SPAN_US:
        return None
    silent, longest = at - int(before[-1]), int(np.diff(before).max())
    found = stale(int(before[-1]) + HOUR_US, at + HOUR_US, window_us)
    if found is None or silent <= LONGER * longest:
        return None
    return _odd(at, what, version, f"{what}: {found.reason}", found, 0.0)


def refused(
    at: EventTime, hours: Sequence[tuple[float, Mapping[str, int]]], columns: Sequence[str], version: str
) -> Odd | None:
    """The column because of which most rows of two hours were refused; None where no complaint names one.

    `hours` are the last two with rows: all rows that were answered, with an error too, and the complaints. What failed
    without a complaint is no column's fault; one client that sends nonsense for an hour breaks no column.

    >>> hours = [(30.0, {"inputs[0]: missing 'age'": 12}), (40.0, {"inputs[0]: missing 'age'": 20})]
    >>> refused(EventTime(0), hours, ["age"], "v").series
    'age'
    >>> refused(EventTime(0), hours[1:], ["age"], "v") is None
    True
    """
    told = [sum(complaints.values()) for _, complaints in hours]
    enough = [one > REFUSED_SHARE * answered for one, (answered, _) in zip(told, hours, strict=True)]
    if len(hours) < 2 or not all(enough) or sum(told) < LEAST_REFUSED:
        return None
    together: Counter[str] = sum((Counter(complaints) for _, complaints in hours), Counter())
    found = refused_column(columns, together)
    if found is None:
        return None
    text = f"{found.column}: {found.reason}; {told[-1]:,} of {hours[-1][0]:,.0f} requests of the hour were refused"
    return _odd(at, found.column, version, text, found, told[-1] * 24.0)


def of_the_future(at: EventTime, rows: int, version: str) -> Odd | None:
    """Rows stamped later than they came, known since the last hour; they inform and wake nobody."""
    found = future_time(rows)
    if found is None:
        return None
    return msgspec.structs.replace(_odd(at, STAMPS, version, f"{STAMPS}: {found.reason}", found, -1.0), pages=False)


def active_hours(days: Sequence[Day], what: str) -> NDArray[np.int64]:
    """The starts of the hours in which rows, or labels, came."""
    marked = [(day.starts, day.is_busy if what == ROWS else np.array(day.labels, np.bool_)) for day in days]
    found = [np.array(starts, np.int64)[mask] for starts, mask in marked]
    return np.concatenate(found) if found else np.empty(0, np.int64)


def _odd(at: EventTime, series: str, version: str, text: str, found: Finding, harm_per_day: float) -> Odd:
    figure = next(iter(found.figures.values()), 0.0)
    return Odd(at, "quality", series, version, text, 0.0, figure, 0.0, harm_per_day)
