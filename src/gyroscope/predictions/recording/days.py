"""The calendar days of many event times at once: the partitions of the table.

`drain.py` calls it. A zone is asked once per hour of event time, not once per record.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gyroscope.clock import HOUR_US, EventTime, day_of
from gyroscope.predictions.ids.entries import day_number, day_text

REMEMBERED = 100_000
SPLIT = -(2**31)


class Days:
    """The days of one zone, as numbers since 1970-01-01."""

    def __init__(self, zone: str) -> None:
        self._zone = zone
        self._by_hour: dict[int, int] = {}

    def of(self, event_times: NDArray[np.int64]) -> NDArray[np.int32]:
        """The day of each event time (microseconds)."""
        if not len(event_times):
            return np.empty(0, np.int32)
        times = event_times.astype(np.int64)
        hours, codes = np.unique(times // HOUR_US, return_inverse=True)
        days = np.array([self._of_hour(hour) for hour in hours.tolist()], dtype=np.int64)[codes]
        split = np.flatnonzero(days == SPLIT)
        days[split] = [self._ask(at) for at in times[split].tolist()]
        return days.astype(np.int32)

    def _of_hour(self, hour: int) -> int:
        day = self._by_hour.get(hour)
        if day is None:
            edges = {self._ask(hour * HOUR_US), self._ask((hour + 1) * HOUR_US - 1)}
            # Zones begin their day inside an hour of UTC too (India, Nepal): then each time is asked for.
            day = edges.pop() if len(edges) == 1 else SPLIT
            if len(self._by_hour) >= REMEMBERED:
                self._by_hour.clear()
            self._by_hour[hour] = day
        return day

    def _ask(self, event_time: int) -> int:
        return day_number(day_of(EventTime(event_time), self._zone))


def days_of(numbers: NDArray[np.int32]) -> tuple[NDArray[np.int32], list[str]]:
    """Codes, and the text that each stands for."""
    unique, codes = np.unique(numbers, return_inverse=True)
    return codes.astype(np.int32), [day_text(int(number)) for number in unique]
