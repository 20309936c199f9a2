"""The hourly series of a model for people: what came, where it was expected to lie, and since when it is judged.

`Seasons` makes these for the page of a model and `gyro monitor show`. Pure; it alarms nobody.
"""

from __future__ import annotations

import msgspec
import numpy as np

from gyroscope.clock import DAY_US, EventTime
from gyroscope.monitoring.judging.hour_series import LATENCY, Key
from gyroscope.records import NotEnoughData, Signal
from gyroscope.stats.seasonal import Anomalies, Series

SHOWN_US = 14 * DAY_US

WORDS = (
    "not judged yet: what an hour is like takes two weeks of them",
    "judged by the hour of the day; the hour of the week is known after six weeks",
    "judged by the hour of the week",
)


class HourlySeries(msgspec.Struct, frozen=True):
    """One series of hours: how many are known, how they are judged, in words, and the newest two weeks as signals.

    `version` is empty for a series of the model. The interval of a signal is where the hour alone would page nobody; it
    has none where nothing was expected.
    """

    name: str
    version: str
    hours: int
    judged: str
    points: tuple[Signal, ...]


def hourly_series(
    key: Key, series: Series, starts: tuple[EventTime, ...], walked: Anomalies | NotEnoughData
) -> HourlySeries:
    """A series as it was walked over; `starts` are those of all of its hours."""
    known = np.isfinite(series.y)
    first = int(np.searchsorted(np.array(starts, np.int64), starts[-1] - SHOWN_US)) if starts else 0
    grade = 0 if isinstance(walked, NotEnoughData) else int(walked.grades[-1])
    points = tuple(_point(key, series, at, start, walked) for at, start in enumerate(starts) if at >= first)
    return HourlySeries(key.name, key.version, int(known.sum()), WORDS[grade], points)


def _point(key: Key, series: Series, at: int, start: EventTime, walked: Anomalies | NotEnoughData) -> Signal:
    labels = (("series", key.name), *((("version", key.version),) if key.version else ()))
    y = float(series.y[at])
    value = key.natural(y) if np.isfinite(y) else NotEnoughData("nothing to take a value of in this hour")
    if isinstance(walked, NotEnoughData) or not np.isfinite(walked.low[at]):
        return Signal("hourly", start, value, labels)
    low, high = (key.natural(float(end)) for end in (walked.low[at], walked.high[at]))
    is_count = series.kind == "count"
    return Signal("hourly", start, value, labels, max(low, 0.0) if is_count or key.name == LATENCY else low, high)
