"""The index of request ids of one model: where each attempt lies, and what still has to be amended in the table.

The recorder writes it after each commit of the table, together with the table's version, so it can be caught up or made
again from the table at any time. Labels read it from another process. It never decides which attempt counts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self
from uuid import uuid4

from gyroscope.database import BUSY_TIMEOUT_S, Database, transaction
from gyroscope.errors import StoreError
from gyroscope.predictions.attempts import Attempt
from gyroscope.predictions.wal import Damage

SCHEMA = """
CREATE TABLE IF NOT EXISTS about(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attempts(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, request_id TEXT NOT NULL, attempt INTEGER NOT NULL, day TEXT NOT NULL,
  input_hash INTEGER NOT NULL, arrived_at INTEGER NOT NULL, rows INTEGER NOT NULL, answered INTEGER NOT NULL,
  conflict INTEGER NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS attempts_by_id ON attempts(request_id, attempt);
CREATE TABLE IF NOT EXISTS amendments(
  request_id TEXT NOT NULL, attempt INTEGER NOT NULL, answered INTEGER NOT NULL, conflict INTEGER NOT NULL,
  PRIMARY KEY(request_id, attempt)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS damage(
  segment TEXT NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL, reason TEXT NOT NULL, data BLOB NOT NULL,
  PRIMARY KEY(segment, offset));
"""
FIELDS = "request_id, attempt, day, input_hash, arrived_at, rows, answered, conflict"
SELECT_ATTEMPTS = f"SELECT {FIELDS} FROM attempts WHERE request_id IN"  # noqa: S608  # fixed names
INSERT_ATTEMPT = f"INSERT OR REPLACE INTO attempts({FIELDS}) VALUES(?,?,?,?,?,?,?,?)"
# SQLite allows 32,766 parameters a statement; a few thousand already cost nothing extra per id.
CHUNK = 8_000
KEPT_DAMAGE_BYTES = 1024 * 1024


class Place(NamedTuple):
    """Where the answered attempt of a request lies, and how many predictions it has."""

    request_id: str
    day: str
    rows: int


def ids_path(home: Path, model: str) -> Path:
    """Where the index of one model lies."""
    return home / "ids" / f"{model}.db"


class IdIndex:
    """One model's index; `reading` opens it for another process without ever creating it."""

    def __init__(self, path: Path) -> None:
        self._database = _database(path)
        self._db = self._database.connect()
        with self._database.errors_named():
            self._db.execute("PRAGMA cache_size = -65536")
            self._db.execute("INSERT OR IGNORE INTO about VALUES('epoch', ?)", (uuid4().hex,))

    @classmethod
    def reading(cls, path: Path) -> Self | None:
        """The index for a reader, or None while the recorder has not made one."""
        if not path.exists():
            return None
        index = cls.__new__(cls)
        index._database = _database(path)
        only_reading = f"{path.absolute().as_uri()}?mode=ro"
        with index._database.errors_named():
            index._db = sqlite3.connect(only_reading, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S)
        try:
            index.epoch  # noqa: B018  # a file that the recorder is only just making has no tables yet
        except (sqlite3.OperationalError, StoreError):
            index.close()
            return None
        return index

    def close(self) -> None:
        self._db.close()

    @property
    def epoch(self) -> str:
        """Changes when the index is made anew, so that a reader's place in `since` is no longer valid."""
        return self._about("epoch")

    @property
    def reflects(self) -> tuple[str, int]:
        """The table's id and version that this index has taken in; ("", -1) for none."""
        row = self._db.execute("SELECT value FROM about WHERE key = 'reflects'").fetchone()
        table_id, _, version = (row[0] if row else " -1").partition(" ")
        return table_id, int(version)

    def attempts(self, request_ids: Iterable[str]) -> dict[str, list[Attempt]]:
        """All known attempts at these requests."""
        found: dict[str, list[Attempt]] = {}
        for row in self._by_id(SELECT_ATTEMPTS, request_ids):
            found.setdefault(row[0], []).append(_attempt(row))
        return found

    def places(self, request_ids: Iterable[str]) -> dict[str, Place]:
        """Where these requests were answered; with two inputs under one id, the later one."""
        query = "SELECT request_id, day, rows FROM attempts WHERE answered AND rows > 0 AND request_id IN"
        return {row[0]: Place(*row) for row in self._by_id(query, request_ids, " ORDER BY arrived_at, attempt")}

    def since(self, seq: int, limit: int = CHUNK) -> tuple[list[str], int]:
        """Ids that were indexed or amended after `seq`, and the `seq` to ask with next."""
        rows = self._db.execute(
            "SELECT request_id, seq FROM attempts WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
        ).fetchall()
        return [row[0] for row in rows], rows[-1][1] if rows else seq

    def take_in(self, table: tuple[str, int], attempts: Sequence[Attempt], amendments: Sequence[Attempt]) -> None:
        """Write attempts as the table now has them, and the amendments that are still owed; one transaction.

        Each attempt given replaces what was known of it, with whatever was owed for it.
        """
        with transaction(self._db):
            self._db.executemany(
                INSERT_ATTEMPT,
                [
                    (a.request_id, a.attempt, a.day, a.input_hash, a.arrived_at, a.rows, a.answered, a.conflict)
                    for a in attempts
                ],
            )
            if self._db.execute("SELECT 1 FROM amendments LIMIT 1").fetchone():
                self._db.executemany(
                    "DELETE FROM amendments WHERE request_id = ? AND attempt = ?",
                    [(a.request_id, a.attempt) for a in attempts],
                )
            self._db.executemany(
                "INSERT OR REPLACE INTO amendments VALUES(?,?,?,?)",
                [(a.request_id, a.attempt, a.answered, a.conflict) for a in amendments],
            )
            self._db.execute("INSERT OR REPLACE INTO about VALUES('reflects', ?)", (f"{table[0]} {table[1]}",))

    def owed(self) -> list[Attempt]:
        """Attempts whose rows in the table must still be changed, as they shall become."""
        rows = self._db.execute(
            "SELECT a.request_id, a.attempt, a.day, a.input_hash, a.arrived_at, a.rows, o.answered, o.conflict"
            " FROM amendments o JOIN attempts a USING(request_id, attempt)"
        )
        return [_attempt(row) for row in rows]

    def forget(self) -> None:
        """Empty the index before it is made again from the table; damage stays."""
        with transaction(self._db):
            self._db.execute("DELETE FROM attempts")
            self._db.execute("DELETE FROM amendments")
            self._db.execute("DELETE FROM about WHERE key = 'reflects'")
            self._db.execute("UPDATE about SET value = ? WHERE key = 'epoch'", (uuid4().hex,))

    def keep_damage(self, segment: str, damages: Iterable[Damage]) -> None:
        """Write down what could not be read, with its bytes (the first MiB); the same damage twice is one."""
        self._db.executemany(
            "INSERT OR REPLACE INTO damage VALUES(?,?,?,?,?)",
            [(segment, d.offset, d.length, d.reason, d.data[:KEPT_DAMAGE_BYTES]) for d in damages],
        )

    def damage(self) -> list[tuple[str, int, int, str]]:
        """(segment, byte offset, length, reason) of everything that could not be read."""
        return self._db.execute(
            "SELECT segment, offset, length, reason FROM damage ORDER BY segment, offset"
        ).fetchall()

    def _by_id(self, query: str, request_ids: Iterable[str], order: str = "") -> list[tuple[Any, ...]]:
        every = list(request_ids)
        found: list[tuple[Any, ...]] = []
        for start in range(0, len(every), CHUNK):
            some = every[start : start + CHUNK]
            found += self._db.execute(f"{query} ({','.join('?' * len(some))}){order}", some).fetchall()
        return found

    def _about(self, key: str) -> str:
        row = self._db.execute("SELECT value FROM about WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise StoreError(
                f"the index of request ids has no {key}", where=str(self._database.path), fix="restart the recorder"
            )
        return str(row[0])


def _database(path: Path) -> Database:
    # Not FULL: what a power cut takes from the index is caught up from the table.
    return Database(
        path,
        "the index of request ids cannot be read or written",
        "move the file away: the recorder makes it again from the table",
        SCHEMA,
    )


def _attempt(row: tuple[Any, ...]) -> Attempt:
    request_id, number, day, hashed, arrived_at, rows, answered, conflict = row
    return Attempt(request_id, number, day, hashed, arrived_at, rows, bool(answered), bool(conflict))
