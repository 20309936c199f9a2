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
from gyroscope.records import CauseKind, Window
from gyroscope.stats.quality import Finding

Source = Literal["rows", "labels"]
SOURCES: tuple[Source, ...] = ("rows", "labels")
"""What the window was complete in: its rows soon after its end, its labels when they are mature."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entered (
    model TEXT, version TEXT, basis TEXT, source TEXT, start INTEGER, record BLOB,
    PRIMARY KEY (model, version, basis, source, start)
);
CREATE TABLE IF NOT EXISTS quieter (
    model TEXT, version TEXT, incident TEXT, record BLOB, PRIMARY KEY (model, version, incident)
);
"""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """What one complete window said.

    `rows` are its scored rows and `traffic` their share of the model's, by which versions share the budget: as it was
    when the window was entered, so that rows of other versions that come later change no replay. `streams` holds y and
    its variance within by name, `findings` what was broken, `outcomes` the packed outcomes of a window of labels,
    `estimates` value and interval of metrics without labels, `segments` the points of segments with labels.
    """

    window: Window
    rows: int
    streams: dict[str, tuple[float, float]] = {}
    findings: tuple[Finding, ...] = ()
    outcomes: bytes = b""
    estimates: dict[str, tuple[float, float, float]] = {}
    traffic: float = 1.0
    segments: dict[str, tuple[float, float, float]] = {}


class Quieter(msgspec.Struct, frozen=True, array_like=True):
    """The series of an incident that was called noise; they weigh less in windows that start after `after`."""

    incident: str
    kind: CauseKind
    after: EventTime
    names: tuple[str, ...]


class Entered:
    """The entered windows of all models. One process writes; its threads may share it."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._database = Database(
            path, "the entered windows cannot be read or written", "check free space and permissions", _SCHEMA
        )
        self._db = self._database.connect()
        self._known: dict[tuple[str, str, str, Source], list[Entry]] = {}

    def add(self, model: str, version: str, basis: str, source: Source, entries: Sequence[Entry]) -> None:
        """Enter windows that are not there yet, in any order."""
        if not entries:
            return
        known = self.entries(model, version, basis, source)
        rows = [(model, version, basis, source, entry.window.start, msgspec.msgpack.encode(entry)) for entry in entries]
        with self._database.errors_named(), self._lock, transaction(self._db):
            self._db.executemany("INSERT OR IGNORE INTO entered VALUES (?, ?, ?, ?, ?, ?)", rows)
        known.extend(entries)
        known.sort(key=lambda entry: entry.window.start)

    def entries(self, model: str, version: str, basis: str, source: Source) -> list[Entry]:
        """All of them, oldest first; read once, as nobody else writes."""
        key = (model, version, basis, source)
        if key not in self._known:
            self._known[key] = [msgspec.msgpack.decode(packed, type=Entry) for (packed,) in self._rows(*key)]
        return self._known[key]

    def starts(self, model: str, version: str, basis: str, source: Source) -> list[EventTime]:
        """The starts of all of them, oldest first."""
        return [entry.window.start for entry in self.entries(model, version, basis, source)]

    def keep_only(self, model: str, version: str, basis: str) -> None:
        """Drop what was entered against another normal."""
        for key in [key for key in self._known if key[:2] == (model, version) and key[2] != basis]:
            del self._known[key]
        with self._database.errors_named(), self._lock, transaction(self._db):
            condition = "model = ? AND version = ? AND basis <> ?"
            self._db.execute(f"DELETE FROM entered WHERE {condition}", (model, version, basis))  # noqa: S608  # fixed

    def make_quieter(self, model: str, version: str, one: Quieter) -> None:
        """Keep what a verdict moves; a second time changes nothing."""
        row = (model, version, one.incident, msgspec.msgpack.encode(one))
        with self._database.errors_named(), self._lock, transaction(self._db):
            self._db.execute("INSERT OR IGNORE INTO quieter VALUES (?, ?, ?, ?)", row)

    def quieter(self, model: str, version: str) -> tuple[Quieter, ...]:
        """All of a version, in the order they were kept."""
        sql = "SELECT record FROM quieter WHERE model = ? AND version = ? ORDER BY rowid"
        with self._database.errors_named(), self._lock:
            rows = self._db.execute(sql, (model, version)).fetchall()
        return tuple(msgspec.msgpack.decode(packed, type=Quieter) for (packed,) in rows)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _rows(self, *key: str) -> list[tuple[Any]]:
        condition = "model = ? AND version = ? AND basis = ? AND source = ? ORDER BY start"
        with self._database.errors_named(), self._lock:
            return self._db.execute(f"SELECT record FROM entered WHERE {condition}", key).fetchall()  # noqa: S608
