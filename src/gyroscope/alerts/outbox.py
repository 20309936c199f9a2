"""The outbox: every notice for every notifier, kept until it is delivered or given up.

The store puts rows in within the transaction that changes the incident, so that neither is there without the other;
`delivery.py` takes them out. It sends nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from gyroscope.alerts.notices import Notice
from gyroscope.clock import SECOND_US, EventTime
from gyroscope.database import Database

Progress = Literal["waiting", "delivered", "given up"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, notifier TEXT NOT NULL, incident TEXT NOT NULL,
    at INTEGER NOT NULL, notice TEXT NOT NULL, progress TEXT NOT NULL DEFAULT 'waiting',
    tries INTEGER NOT NULL DEFAULT 0, next_at INTEGER NOT NULL, said TEXT NOT NULL DEFAULT '', UNIQUE (key, notifier)
);
CREATE INDEX IF NOT EXISTS outbox_waiting ON outbox (notifier, next_at) WHERE progress = 'waiting';
CREATE INDEX IF NOT EXISTS outbox_of_incident ON outbox (incident);
"""

LONGEST_WAIT_US = 3_600 * SECOND_US
"""No try is put off for longer; what seems to be was written before the clock was set back, and is due."""


class Letter(msgspec.Struct, frozen=True):
    """One notice for one notifier, and how its delivery stands; `next_at` is wall time, `said` the newest failure."""

    number: int
    notifier: str
    notice: Notice
    progress: Progress = "waiting"
    tries: int = 0
    next_at: EventTime = EventTime(0)
    said: str = ""


class Outbox:
    """The letters of one home, in the file of its incidents. Safe for many processes."""

    def __init__(self, path: Path) -> None:
        self._database = Database(
            path,
            "the outbox cannot be read or written",
            "check free space and permissions, and that no other program keeps the file locked",
            SCHEMA,
        )

    @contextmanager
    def desk(self, notifier: str) -> Iterator[Desk]:
        """The letters of one notifier, over one connection: between an answer and its note lies a commit, no more.

        That one waits for no disk: a killed process loses no note, and a power cut costs at worst that a letter comes
        again. Who writes letters (`store.py`) does wait for it.
        """
        with self._database.opened() as connection:
            yield Desk(self._database, connection, notifier)

    def of(self, incident: str) -> list[Letter]:
        """Everything that was to be told of an incident, oldest first."""
        with self._database.opened() as connection:
            return _letters(connection, "WHERE incident = ? ORDER BY number", (incident,))

    def count(self, notifier: str, progress: Progress) -> int:
        """How many letters of a notifier stand so."""
        with self._database.opened() as connection:
            sql = "SELECT COUNT(*) FROM outbox WHERE notifier = ? AND progress = ?"
            return int(connection.execute(sql, (notifier, progress)).fetchone()[0])


class Desk:
    """What waits for one notifier. For one thread."""

    def __init__(self, database: Database, connection: sqlite3.Connection, notifier: str) -> None:
        self._database = database
        self._connection = connection
        self._notifier = notifier

    def due(self, now: EventTime, most: int) -> list[Letter]:
        """The letters whose time has come, the longest due first; of an incident only the oldest that waits.

        One that overtook another would tell a receiver that an incident is over, and then that it opened. The one that
        was in hand when control was killed has been due for longest, for those before it have a new time: whether it
        was taken nobody knows, and it comes again at once, while a receiver surely remembers its key.
        """
        return _letters(
            self._connection,
            "WHERE notifier = ? AND progress = 'waiting' AND (next_at <= ? OR next_at > ?)"
            " AND NOT EXISTS (SELECT 1 FROM outbox AS older WHERE older.incident = outbox.incident"
            " AND older.notifier = outbox.notifier AND older.progress = 'waiting' AND older.number < outbox.number)"
            " ORDER BY next_at, number LIMIT ?",
            (self._notifier, now, now + LONGEST_WAIT_US, most),
        )

    def standing(self) -> list[Letter]:
        """What the notifier was told that stands: of each incident the newest letter, if it is a delivered opening."""
        return _letters(
            self._connection,
            "WHERE notifier = ? AND progress = 'delivered' AND json_extract(notice, '$.happened') = 'opened'"
            " AND NOT EXISTS (SELECT 1 FROM outbox AS newer WHERE newer.incident = outbox.incident"
            " AND newer.notifier = outbox.notifier AND newer.number > outbox.number) ORDER BY number",
            (self._notifier,),
        )

    def keep(self, letter: Letter) -> None:
        """Write down how its delivery stands now. Raises `StoreError`, on a full disk."""
        with self._database.errors_named():
            self._connection.execute(
                "UPDATE outbox SET progress = ?, tries = ?, next_at = ?, said = ? WHERE number = ?",
                (letter.progress, letter.tries, letter.next_at, letter.said, letter.number),
            )


def post(connection: sqlite3.Connection, notices: Iterable[Notice], notifiers: Iterable[str]) -> None:
    """Put each notice in for each notifier, in the transaction of whoever calls; what is there already stays."""
    names = tuple(notifiers)
    connection.executemany(
        "INSERT OR IGNORE INTO outbox (key, notifier, incident, at, notice, next_at) VALUES (?, ?, ?, ?, ?, ?)",
        [
            (one.key, name, one.incident, one.at, msgspec.json.encode(one).decode(), one.at)
            for one in notices
            for name in names
        ],
    )


def _letters(connection: sqlite3.Connection, where: str, values: tuple[object, ...]) -> list[Letter]:
    rows = connection.execute(
        f"SELECT number, notifier, notice, progress, tries, next_at, said FROM outbox {where}",  # noqa: S608  # ours
        values,
    )
    return [
        Letter(number, notifier, msgspec.json.decode(notice, type=Notice), progress, tries, EventTime(next_at), said)
        for number, notifier, notice, progress, tries, next_at, said in rows
    ]
