"""The small database beside the index of ids: amendments that the table still lacks, and what could not be read.

`ids.py` calls it. Unlike the index this cannot be made again from the table, so it is kept apart and small.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from gyroscope.database import Database, transaction
from gyroscope.predictions.recording.attempts import Attempt
from gyroscope.predictions.segments.scan import Damage

SCHEMA = """
CREATE TABLE IF NOT EXISTS amendments(
  request_id TEXT NOT NULL, attempt INTEGER NOT NULL, day TEXT NOT NULL, input_hash INTEGER NOT NULL,
  arrived_at INTEGER NOT NULL, rows INTEGER NOT NULL, answered INTEGER NOT NULL, conflict INTEGER NOT NULL,
  PRIMARY KEY(request_id, attempt)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS damage(
  segment TEXT NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL, reason TEXT NOT NULL, data BLOB NOT NULL,
  PRIMARY KEY(segment, offset, reason));
CREATE TABLE IF NOT EXISTS drained(
  segment TEXT PRIMARY KEY, records INTEGER NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counts(name TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
"""
KEPT_DAMAGE_BYTES = 1024 * 1024
# A segment's successor follows it at once, so these are hours of the busiest model.
KEPT_SEGMENTS = 10_000


class Owed:
    """One model's amendments, damage and counts; for one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._database = Database(
            path,
            "the list of amendments and damage cannot be read or written",
            "make room or mend the folder; the recorder tries again",
            SCHEMA,
            synchronous="FULL",
        )
        self._db = self._database.connect()
        self._is_owing = bool(self.amendments())

    def close(self) -> None:
        self._db.close()

    def owe(self, amendments: Sequence[Attempt]) -> None:
        """Write down attempts whose rows in the table must become as they are here."""
        if not amendments:
            return
        self._is_owing = True
        with self._database.errors_named(), transaction(self._db):
            self._db.executemany(
                "INSERT OR REPLACE INTO amendments VALUES(?,?,?,?,?,?,?,?)",
                [
                    (a.request_id, a.attempt, a.day, a.input_hash, a.arrived_at, a.rows, a.answered, a.conflict)
                    for a in amendments
                ],
            )

    def paid(self, attempts: Sequence[Attempt]) -> None:
        """The table has these attempts as they were owed."""
        with self._database.errors_named(), transaction(self._db):
            self._db.executemany(
                "DELETE FROM amendments WHERE request_id = ? AND attempt = ?",
                [(a.request_id, a.attempt) for a in attempts],
            )
        self._is_owing = bool(self.amendments())

    def amendments(self) -> list[Attempt]:
        """What is owed."""
        with self._database.errors_named():
            rows = self._db.execute("SELECT * FROM amendments").fetchall()
        return [Attempt(*row[:6], *map(bool, row[6:])) for row in rows]

    @property
    def is_owing(self) -> bool:
        return self._is_owing

    def forget(self) -> None:
        """What is owed will be found again when the index is made again; damage stays."""
        with self._database.errors_named():
            self._db.execute("DELETE FROM amendments")
        self._is_owing = False

    def keep_damage(self, segment: str, damages: Iterable[Damage]) -> None:
        """Write down what could not be read, with its bytes (the first MiB); the same damage twice is one."""
        rows = [(segment, d.offset, d.length, d.reason, d.data[:KEPT_DAMAGE_BYTES]) for d in damages]
        if rows:
            with self._database.errors_named(), transaction(self._db):
                self._db.executemany("INSERT OR REPLACE INTO damage VALUES(?,?,?,?,?)", rows)

    def damage(self) -> list[tuple[str, int, int, str]]:
        """(segment, byte offset, length, reason) of everything that could not be read."""
        with self._database.errors_named():
            return self._db.execute(
                "SELECT segment, offset, length, reason FROM damage ORDER BY segment, offset, reason"
            ).fetchall()

    def drained(self, number: int) -> int | None:
        """How many records a segment had that was drained and deleted; None when that is not known."""
        with self._database.errors_named():
            row = self._db.execute("SELECT records FROM drained WHERE segment = ?", (f"{number:016x}",)).fetchone()
        return None if row is None else int(row[0])

    def remembers_since(self) -> int:
        """The number of the first segment that is known to have been drained; none: a number above all others."""
        with self._database.errors_named():
            row = self._db.execute("SELECT min(segment) FROM drained").fetchone()
        return 2**64 if row[0] is None else int(row[0], 16)

    def note_drained(self, segments: Sequence[tuple[int, int]]) -> None:
        """(number, records) of segments that are about to be deleted."""
        with self._database.errors_named(), transaction(self._db):
            self._db.executemany(
                "INSERT OR REPLACE INTO drained SELECT ?, ?, 1 + coalesce(max(at), 0) FROM drained",
                [(f"{number:016x}", records) for number, records in segments],
            )
            self._db.execute("DELETE FROM drained WHERE at <= (SELECT max(at) FROM drained) - ?", (KEPT_SEGMENTS,))

    def damages(self) -> int:
        """How many stretches could not be read."""
        with self._database.errors_named():
            return int(self._db.execute("SELECT count(*) FROM damage").fetchone()[0])

    def count(self, name: str, more: int) -> None:
        """Add to a count that outlives the process."""
        if more:
            with self._database.errors_named():
                self._db.execute(
                    "INSERT INTO counts VALUES(?1,?2) ON CONFLICT(name) DO UPDATE SET count = count + ?2", (name, more)
                )

    def counts(self) -> dict[str, int]:
        """Every count by its name."""
        with self._database.errors_named():
            return dict(self._db.execute("SELECT name, count FROM counts").fetchall())

    def adopt(self, spine: Path) -> None:
        """Take the damage over from the file of format 1, and remove it: everything else in it is in the table."""
        if not spine.exists():
            return
        with self._database.errors_named():
            self.keep_rows(_old_damage(spine))
            for suffix in ("", "-wal", "-shm"):
                spine.with_name(spine.name + suffix).unlink(missing_ok=True)

    def keep_rows(self, rows: list[tuple[Any, ...]]) -> None:
        with transaction(self._db):
            self._db.executemany("INSERT OR REPLACE INTO damage VALUES(?,?,?,?,?)", rows)


def _old_damage(spine: Path) -> list[tuple[Any, ...]]:
    try:
        with closing(sqlite3.connect(spine)) as old:
            return old.execute("SELECT segment, offset, length, reason, data FROM damage").fetchall()
    except sqlite3.DatabaseError:
        return []
