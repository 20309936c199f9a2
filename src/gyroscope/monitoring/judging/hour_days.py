"""Hours as they were when they ended, in `monitoring.db`: one record a day, the last 14 weeks of them.

Only `Seasons` writes. Rows that come later change none: what an hour is held against must have been seen as it is seen.
Losing these means that hours are entered again as they are known by then.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.clock import DAY_US, EventTime
from gyroscope.database import Database, transaction

KEPT_US = 98 * DAY_US
"""Six weeks teach what an hour of the week is like; eight more say how far such hours are off."""

MOST_DAYS = KEPT_US // DAY_US + 1
"""Kept by number, not by age: a clock that leaps ahead deletes nothing."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS hour_days (model TEXT, day INTEGER, record BLOB, PRIMARY KEY (model, day)) WITHOUT ROWID;
"""


Table = NDArray[np.float64]


class Odd(msgspec.Struct, frozen=True, array_like=True):
    """An hour that is further off than its series' noise: which, in words, and what it costs in rows a day.

    `version` is the one that answered most, or whose answers are meant; `harm_per_day` is negative where nobody knows.
    """

    at: EventTime
    kind: Literal["seasonal", "quality"]
    series: str
    version: str
    text: str
    score: float
    seen: float
    expected: float
    harm_per_day: float = -1.0
    pages: bool = True


class Day(msgspec.Struct, frozen=True, array_like=True):
    """The hours of one day by the calendar that have been entered, oldest first.

    `slots` are their hours of the week, `entered` the wall times of entering. `counts` holds by version the packed
    float64 table of `hours.columns_of`, one row an hour. `labels` says whether any came since the hour before, `future`
    how many rows of the future were known at the end.
    """

    start: EventTime
    starts: tuple[EventTime, ...] = ()
    slots: tuple[int, ...] = ()
    entered: tuple[EventTime, ...] = ()
    counts: dict[str, bytes] = {}
    odd: tuple[Odd, ...] = ()
    labels: tuple[bool, ...] = ()
    future: int = 0

    def table(self, version: str) -> Table:
        """The hours of a version that has any, (T, C)."""
        return np.frombuffer(self.counts[version], np.float64).reshape(len(self.starts), -1)

    @property
    def busiest(self) -> str:
        """The version that answered most; empty where none did."""
        answered = {version: float(self.table(version)[:, 0].sum()) for version in sorted(self.counts)}
        return max(answered, key=answered.__getitem__, default="")

    @property
    def is_busy(self) -> NDArray[np.bool_]:
        """Of each hour whether any row came, (T,)."""
        some = [self.table(version).any(axis=1) for version in self.counts]
        return np.logical_or.reduce(some) if some else np.zeros(len(self.starts), np.bool_)


def extended(day: Day, later: Day) -> Day:
    """The day with later hours of it."""
    width = {version: part.table(version).shape[1] for part in (day, later) for version in part.counts}
    counts = {
        version: b"".join(
            part.counts.get(version, np.zeros((len(part.starts), columns)).tobytes()) for part in (day, later)
        )
        for version, columns in width.items()
    }
    return Day(
        start=day.start,
        starts=(*day.starts, *later.starts),
        slots=(*day.slots, *later.slots),
        entered=(*day.entered, *later.entered),
        counts=counts,
        odd=(*day.odd, *later.odd),
        labels=(*day.labels, *later.labels),
        future=later.future,
    )


class HourDays:
    """The days of all models. One process writes; its threads may share it."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._database = Database(
            path, "the hours of the monitors cannot be read or written", "check free space and permissions", _SCHEMA
        )
        self._db = self._database.connect()

    def days(self, model: str, before: EventTime | None = None) -> list[Day]:
        """Those of the 14 weeks up to the newest, oldest first, or of the 14 weeks before a moment."""
        until = 1 << 62 if before is None else before
        newest = "coalesce(?, (SELECT max(day) FROM hour_days WHERE model = ?))"
        sql = f"SELECT record FROM hour_days WHERE model = ? AND day < ? AND day >= {newest} - ? ORDER BY day"  # noqa: S608
        with self._database.errors_named(), self._lock:
            rows = self._db.execute(sql, (model, until, before, model, KEPT_US)).fetchall()
        return [msgspec.msgpack.decode(packed, type=Day) for (packed,) in rows]

    def put(self, model: str, days: Sequence[Day]) -> None:
        """Write these in the place of what was known of them, and forget those that are too many by now."""
        if not days:
            return
        rows = [(model, day.start, msgspec.msgpack.encode(day)) for day in days]
        with self._database.errors_named(), self._lock, transaction(self._db):
            self._db.executemany("INSERT OR REPLACE INTO hour_days VALUES (?, ?, ?)", rows)
            newest = "SELECT day FROM hour_days WHERE model = ? ORDER BY day DESC LIMIT ?"
            sql = f"DELETE FROM hour_days WHERE model = ? AND day NOT IN ({newest})"  # noqa: S608  # fixed text
            self._db.execute(sql, (model, model, MOST_DAYS))

    def forget(self, model: str, since: EventTime) -> None:
        """Forget the days of a model that start at a moment or later."""
        with self._database.errors_named(), self._lock, transaction(self._db):
            self._db.execute("DELETE FROM hour_days WHERE model = ? AND day >= ?", (model, since))

    def close(self) -> None:
        with self._lock:
            self._db.close()
