"""Windows as they were when they were entered into the evidence, in `monitoring.db`: late rows and labels change none.

Only `Judge` writes. Replaying these gives the same alarms after every restart; losing them means that windows are
entered again as they are known by then.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from gyroscope.clock import EventTime
from gyroscope.database import Database, transaction
from gyroscope.records import Window
from gyroscope.stats.quality import Finding

Source = Literal["rows", "labels"]
SOURCES: tuple[Source, ...] = ("rows", "labels")
"""What the window was complete in: its rows soon after its end, its labels when they are mature."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entered (
    model TEXT, version TEXT, basis TEXT, source TEXT, start INTEGER, record BLOB,
    PRIMARY KEY (model, version, basis, source, start)
);
"""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """What one complete window said.

    `rows` are its scored rows. `streams` holds y and its variance within by name, `findings` what was broken,
    `outcomes` the packed outcomes of a window of labels, `estimates` value and interval of metrics without labels.
    """

    window: Window
    rows: int
    streams: dict[str, tuple[float, float]] = {}
    findings: tuple[Finding, ...] = ()
    outcomes: bytes = b""
    estimates: dict[str, tuple[float, float, float]] = {}


class Entered:
    """The entered windows of all models. One process writes; its threads may share it."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._database = Database(
            path, "the entered windows cannot be read or written", "check free space and permissions", _SCHEMA
        )
        self._db = self._database.connect()

    def add(self, model: str, version: str, basis: str, source: Source, entries: Sequence[Entry]) -> None:
        """Enter windows; one that is there already stays as it is."""
        rows = [(model, version, basis, source, entry.window.start, msgspec.msgpack.encode(entry)) for entry in entries]
        with self._database.errors_named(), self._lock, transaction(self._db):
            self._db.executemany("INSERT OR IGNORE INTO entered VALUES (?, ?, ?, ?, ?, ?)", rows)

    def entries(self, model: str, version: str, basis: str, source: Source) -> list[Entry]:
        """All of them, oldest first."""
        rows = self._rows("record", model, version, basis, source)
        return [msgspec.msgpack.decode(packed, type=Entry) for (packed,) in rows]

    def starts(self, model: str, version: str, basis: str, source: Source) -> list[EventTime]:
        """The starts of all of them, oldest first."""
        return [EventTime(start) for (start,) in self._rows("start", model, version, basis, source)]

    def keep_only(self, model: str, version: str, basis: str) -> None:
        """Drop what was entered against another normal."""
        with self._database.errors_named(), self._lock, transaction(self._db):
            condition = "model = ? AND version = ? AND basis <> ?"
            self._db.execute(f"DELETE FROM entered WHERE {condition}", (model, version, basis))  # noqa: S608  # fixed

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _rows(self, column: str, *key: str) -> list[tuple[Any]]:
        condition = "model = ? AND version = ? AND basis = ? AND source = ? ORDER BY start"
        with self._database.errors_named(), self._lock:
            return self._db.execute(f"SELECT {column} FROM entered WHERE {condition}", key).fetchall()  # noqa: S608
