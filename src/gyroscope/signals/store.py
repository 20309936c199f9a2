"""Series of numbers in SQLite: `put` is idempotent by series and time, so restating a window is putting it again.

Monitoring and control put, pages, reports and the API query; several processes may hold the same file open.
Never reads a clock: the age of machine-time points is counted from the newest point put.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from math import isfinite
from pathlib import Path

import msgspec

from gyroscope.clock import DAY_US, EventTime
from gyroscope.database import Database, transaction
from gyroscope.errors import StoreError
from gyroscope.records import NotEnoughData, Signal

MACHINE_TIME_NAMES = frozenset(
    {"requests_per_s", "latency_p50_s", "latency_p99_s", "errors_per_s", "alert", "desired_replicas"}
)
"""One point a second and model, kept for `MACHINE_TIME_KEPT_US`. Series of event time are kept for good."""

# Two days of four series a second are about 700,000 points, 30 MB; a month would be 450 MB beside 1 MB of results.
MACHINE_TIME_KEPT_US = 2 * DAY_US

_SCHEMA = """
CREATE TABLE IF NOT EXISTS signal_series (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, labels TEXT NOT NULL, UNIQUE (name, labels)
);
CREATE TABLE IF NOT EXISTS signal_points (
    series INTEGER NOT NULL, at INTEGER NOT NULL, value REAL, reason TEXT, low REAL, high REAL, n INTEGER NOT NULL,
    PRIMARY KEY (series, at), CHECK ((value IS NULL) <> (reason IS NULL))
) WITHOUT ROWID;
"""

_TOGETHER = 32
"""So many points are bound to one statement: the way into SQLite and back then costs little beside writing them."""

_UPSERT, _UPSERT_TOGETHER = (
    f"""
INSERT INTO signal_points (series, at, value, reason, low, high, n)
VALUES {", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * points)}
ON CONFLICT (series, at) DO UPDATE
SET value = excluded.value, reason = excluded.reason, low = excluded.low, high = excluded.high, n = excluded.n
"""  # noqa: S608  # nothing but marks
    for points in (1, _TOGETHER)
)

_PLACE = operator.itemgetter(0, 1)

Labels = tuple[tuple[str, str], ...]
_Row = tuple[int, int, float | None, str | None, float | None, float | None, int]


class Signals:
    """The store of signals in one SQLite file; safe to share between threads and processes."""

    def __init__(self, db: Path) -> None:
        self._writing, self._looking = threading.Lock(), threading.Lock()
        self._series: dict[str, dict[Labels, int]] = {}
        self._database = Database(
            db,
            "the signals cannot be read or written",
            "check free space and permissions, and that no other program keeps the file locked",
            _SCHEMA,
        )
        self._connection = self._database.connect()
        # Another one for readers: a writer may wait for a disk, and pages and scrapes must not wait with it.
        self._reader = self._database.connect()

    def put(self, signals: Iterable[Signal], *, instead_of: Iterable[Signal] = ()) -> None:
        """Write points in one transaction; a point of the same series and time is replaced.

        The points `instead_of` (only series and time count) are taken away in the same transaction: a reading
        that a restated window no longer has. Raises `StoreError` for a number that is not finite.
        """
        points, outdated = list(signals), list(instead_of)
        with self._transaction():
            gone = [(self._series_id(point.name, point.labels), point.at) for point in outdated]
            rows = [self._row(point) for point in points]
            self._connection.executemany("DELETE FROM signal_points WHERE series = ? AND at = ?", gone)
            self._write(sorted(rows, key=_PLACE))  # as they lie in the file
            old = _expired(points, rows)
            self._connection.executemany("DELETE FROM signal_points WHERE series = ? AND at < ?", old)

    def query(self, name: str, labels: Mapping[str, str] | None, start: EventTime, end: EventTime) -> list[Signal]:
        """The points of [start, end) of every series with this name and at least these labels, oldest first."""
        found: list[Signal] = []
        with self._reading():
            for series_labels, series in self._matching(name, labels):
                rows = self._reader.execute(
                    "SELECT * FROM signal_points WHERE series = ? AND at >= ? AND at < ?", (series, start, end)
                )
                found.extend(_signal(name, series_labels, row) for row in rows)
        return sorted(found, key=lambda signal: (signal.at, signal.labels))

    def latest(self, name: str, labels: Mapping[str, str] | None = None) -> Signal | NotEnoughData:
        """The newest point among the series with this name and at least these labels."""
        newest = self.newest(name, labels)
        if not newest:
            return NotEnoughData(f"nothing has been measured yet as {name}{dict(labels or {})}")
        return max(newest, key=lambda signal: signal.at)

    def newest(self, name: str, labels: Mapping[str, str] | None = None) -> list[Signal]:
        """The newest point of each series with this name and at least these labels."""
        found: list[Signal] = []
        with self._reading():
            for series_labels, series in self._matching(name, labels):
                rows = self._reader.execute(
                    "SELECT * FROM signal_points WHERE series = ? ORDER BY at DESC LIMIT 1", (series,)
                )
                found.extend(_signal(name, series_labels, row) for row in rows)
        return found

    def names(self) -> list[str]:
        """Every name that was ever put, sorted."""
        with self._reading():
            return [name for (name,) in self._reader.execute("SELECT DISTINCT name FROM signal_series ORDER BY 1")]

    def close(self) -> None:
        with self._writing, self._looking:
            self._connection.close()
            self._reader.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._writing, self._database.errors_named():
            try:
                with transaction(self._connection):
                    yield
            except BaseException:
                self._series.clear()  # ids given in a transaction that is undone are not ours to keep
                raise

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._looking, self._database.errors_named():
            yield

    def _write(self, rows: Sequence[_Row]) -> None:
        whole = len(rows) - len(rows) % _TOGETHER
        packs = (chain.from_iterable(rows[first : first + _TOGETHER]) for first in range(0, whole, _TOGETHER))
        self._connection.executemany(_UPSERT_TOGETHER, map(tuple, packs))
        self._connection.executemany(_UPSERT, rows[whole:])

    def _row(self, signal: Signal) -> _Row:
        value, low, high = signal.value, signal.low, signal.high
        if isinstance(value, NotEnoughData):
            known, reason = None, value.reason
        else:
            known, reason = float(value), None
        if not (isfinite(known or 0.0) and isfinite(low or 0.0) and isfinite(high or 0.0)):
            raise _not_finite(signal)
        return (self._series_id(signal.name, signal.labels), signal.at, known, reason, low, high, signal.n)

    def _series_id(self, name: str, labels: Labels) -> int:
        try:
            return self._series[name][labels]
        except KeyError:
            return self._series.setdefault(name, {}).setdefault(labels, self._made(name, _labels_text(labels)))

    def _made(self, name: str, labels: str) -> int:
        """The number of a series in the file, which has it from now on."""
        made = self._connection.execute(
            "INSERT OR IGNORE INTO signal_series (name, labels) VALUES (?, ?)", (name, labels)
        )
        if made.rowcount == 1 and made.lastrowid is not None:
            return made.lastrowid
        found = self._connection.execute("SELECT id FROM signal_series WHERE name = ? AND labels = ?", (name, labels))
        return int(found.fetchone()[0])

    def _matching(self, name: str, labels: Mapping[str, str] | None) -> list[tuple[Labels, int]]:
        wanted = set((labels or {}).items())
        rows = self._reader.execute("SELECT labels, id FROM signal_series WHERE name = ? ORDER BY labels", (name,))
        series = [(_labels_of(text), series) for text, series in rows.fetchall()]
        return [(series_labels, number) for series_labels, number in series if wanted <= set(series_labels)]


def _not_finite(point: Signal) -> StoreError:
    return StoreError(
        "a signal must be a finite number",
        where=f"{point.name}{dict(point.labels)}: value {point.value}, low {point.low}, high {point.high}",
        fix="put NotEnoughData with a reason when the number is not known",
    )


def _expired(points: Sequence[Signal], rows: Sequence[_Row]) -> list[tuple[int, int]]:
    """For each machine-time series touched, the age beyond which its points go."""
    newest: dict[int, int] = {}
    for point, row in zip(points, rows, strict=True):
        if point.name in MACHINE_TIME_NAMES:
            newest[row[0]] = max(newest.get(row[0], point.at), point.at)
    return [(series, at - MACHINE_TIME_KEPT_US) for series, at in newest.items()]


def _signal(name: str, labels: Labels, row: _Row) -> Signal:
    _, at, value, reason, low, high, n = row
    known = value if value is not None else NotEnoughData(reason or "")
    return Signal(name, EventTime(at), known, labels, low, high, n)


def _labels_text(labels: Labels) -> str:
    """One text per set of labels, whatever their order."""
    return msgspec.json.encode(sorted(labels)).decode()


def _labels_of(text: str) -> Labels:
    return msgspec.json.decode(text, type=Labels)
