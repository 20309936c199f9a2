"""Every outcome that was ever sent, each in exactly one state, and the join with predictions.

Control calls `add` for what comes in and `settle` before it measures; several processes may, SQLite orders them. The
index of request ids is read here and never written; the tables are not touched.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.clock import DAY_US, EventTime
from gyroscope.database import Database, transaction
from gyroscope.errors import LabelError
from gyroscope.predictions.ids import IdIndex, Place, ids_path
from gyroscope.predictions.label_order import Standing, digest, read_value, standing
from gyroscope.records import Label, LabelState, Signature

SCHEMA = """
CREATE TABLE IF NOT EXISTS labels(
  model TEXT NOT NULL, request_id TEXT NOT NULL, row INTEGER NOT NULL, digest BLOB NOT NULL, value NOT NULL,
  kind INTEGER NOT NULL, number INTEGER NOT NULL, tie BLOB NOT NULL, state TEXT NOT NULL, day TEXT,
  received_at INTEGER NOT NULL, copies INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY(model, request_id, row, digest)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS labels_joined ON labels(model, day) WHERE state = 'joined';
CREATE INDEX IF NOT EXISTS labels_pending ON labels(model, received_at) WHERE state = 'pending';
CREATE TABLE IF NOT EXISTS refused(
  model TEXT NOT NULL, received_at INTEGER NOT NULL, position INTEGER NOT NULL, label TEXT NOT NULL,
  reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS totals(
  model TEXT NOT NULL, state TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY(model, state)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dirty(
  model TEXT NOT NULL, day TEXT NOT NULL, handed_out INTEGER NOT NULL, PRIMARY KEY(model, day)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seen(model TEXT PRIMARY KEY, epoch TEXT NOT NULL, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS arrivals(last INTEGER NOT NULL);
CREATE TEMP TABLE IF NOT EXISTS wanted(request_id TEXT, row INTEGER);
"""
# Ids are random, so 500 labels touch about a thousand pages: 64 MiB keep them at hand, and the log is folded into the
# file every 32 MiB instead of every 4.
ROOM = "PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 8000;"
JOINED, PENDING, QUARANTINED = LabelState.JOINED.value, LabelState.PENDING.value, LabelState.QUARANTINED.value
DUPLICATE, SUPERSEDED, REFUSED = LabelState.DUPLICATE.value, LabelState.SUPERSEDED.value, LabelState.REFUSED.value
FIELDS = ("request_id", "row", "digest", "value", "kind", "number", "tie", "state", "day", "received_at", "copies")
REFUSED_CHARACTERS = 2_000
Key = tuple[str, int]


class LabelReport(msgspec.Struct, frozen=True):
    """What became of one call's labels: how many are in each state, and the refused ones by position with reason."""

    received: int
    counts: dict[str, int]
    refused: tuple[tuple[int, str], ...] = ()


class _Kept(msgspec.Struct):
    """One label as it is stored."""

    request_id: str
    row: int
    digest: bytes
    value: float | str
    standing: Standing
    state: str
    day: str | None
    received_at: int
    copies: int = 0


class Labels:
    """The labels of all models of one home; safe for several processes and threads."""

    def __init__(self, home: Path, signature_of: Callable[[str], Signature], *, wait_days: int = 30) -> None:
        """`signature_of(model)` says what a label of that model may be and raises for a model that is not known."""
        self._home = home
        self._signature_of = signature_of
        self._wait_us = wait_days * DAY_US
        self._lock = threading.Lock()
        self._database = Database(
            home / "labels.db",
            "the labels cannot be read or written",
            "make room, then run gyro doctor",
            SCHEMA,
            synchronous="FULL",
        )
        # Kept open: closing the last connection folds the log into the file, which costs more than 500 labels do.
        self._db = self._database.connect()
        with self._database.errors_named():
            self._db.executescript(ROOM)

    def add(self, model: str, labels: Sequence[Label], now: EventTime) -> LabelReport:
        """Take labels in, in the order of arrival; when this returns they are on disk.

        The last label of a row wins, by `label_order.standing`; a statement that is already there is a duplicate,
        whatever came between (to return to an earlier value, send a version or a time).
        """
        signature = self._signature_of(model)
        valid: list[tuple[Label, float | str, bytes]] = []
        refused: list[tuple[int, str]] = []
        for position, label in enumerate(labels):
            try:
                value = read_value(label, signature)
                valid.append((label, value, digest(label, value)))
            except LabelError as error:
                refused.append((position, error.what))
        texts = [(at, json.dumps(msgspec.to_builtins(labels[at])), reason) for at, reason in refused]
        with self._transaction() as db:
            counts = self._take_in(db, model, valid, now)
            counts[REFUSED] += len(refused)
            _refuse(db, model, texts, now)
        return LabelReport(len(labels), {state.value: counts[state.value] for state in LabelState}, tuple(refused))

    def refuse(self, model: str, rows: Sequence[tuple[int, str, str]], now: EventTime) -> None:
        """Count and keep rows that could not even be read as labels: (position in the call, its text, the reason)."""
        self._signature_of(model)
        if rows:
            with self._transaction() as db:
                _refuse(db, model, rows, now)

    def settle(self, model: str, now: EventTime) -> set[str]:
        """Join labels that waited for predictions indexed since; return all days whose windows must be restated.

        A day is returned again by every call until `restated` says that it was dealt with, so a crash loses none.
        Labels that waited longer than `wait_days` become quarantined; they still join when their prediction comes.
        """
        index = IdIndex.reading(ids_path(self._home, model))
        if index is not None:
            with contextlib.closing(index):
                while self._settle_some(model, index):
                    pass
        with self._transaction() as db:
            late = db.execute(
                "UPDATE labels SET state = ? WHERE model = ? AND state = 'pending' AND received_at < ?",
                (QUARANTINED, model, now - self._wait_us),
            ).rowcount
            _count(db, model, Counter({PENDING: -late, QUARANTINED: late}))
            db.execute("UPDATE dirty SET handed_out = 1 WHERE model = ?", (model,))
            return {row[0] for row in db.execute("SELECT day FROM dirty WHERE model = ?", (model,))}

    def restated(self, model: str, days: Iterable[str]) -> None:
        """These days, as `settle` returned them, are dealt with; one that got a label since stays to be done."""
        with self._transaction() as db:
            db.executemany(
                "DELETE FROM dirty WHERE model = ? AND day = ? AND handed_out", [(model, day) for day in days]
            )

    def counts(self, model: str) -> dict[str, int]:
        """How many labels are in each state; the sum is how many were ever received."""
        with self._reading() as db:
            found = dict(db.execute("SELECT state, count FROM totals WHERE model = ?", (model,)).fetchall())
        return {state.value: found.get(state.value, 0) for state in LabelState}

    def of_day(self, model: str, day: str) -> tuple[NDArray[np.object_], NDArray[np.int64], NDArray[np.float64]]:
        """(request ids, rows, values) of the labels joined to predictions of one day.

        Values are 0/1, numbers, or the index in the signature's classes; a class that it has lost is left out.
        """
        with self._reading() as db:
            found = db.execute(
                "SELECT request_id, row, value FROM labels WHERE model = ? AND day = ? AND state = 'joined'",
                (model, day),
            ).fetchall()
        code = {name: index for index, name in enumerate(self._signature_of(model).classes)}
        if code:
            found = [(request_id, row, code[value]) for request_id, row, value in found if value in code]
        return (
            np.array([row[0] for row in found], dtype=object),
            np.array([row[1] for row in found], dtype=np.int64),
            np.array([row[2] for row in found], dtype=np.float64),
        )

    def refused(self, model: str, limit: int = 100) -> list[tuple[int, str, str]]:
        """The newest refused labels: (position in its call, the label as JSON, the reason)."""
        with self._reading() as db:
            return db.execute(
                "SELECT position, label, reason FROM refused WHERE model = ? ORDER BY rowid DESC LIMIT ?",
                (model, limit),
            ).fetchall()

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _take_in(
        self, db: sqlite3.Connection, model: str, valid: list[tuple[Label, float | str, bytes]], now: EventTime
    ) -> Counter[str]:
        """Place every label among those of its row; the count of what became of these labels."""
        known = _rows(db, model, {(label.request_id, label.row) for label, _, _ in valid})
        places = self._places(model, {label.request_id for label, _, _ in valid})
        arrival = db.execute("SELECT coalesce(max(last), 0) FROM arrivals").fetchone()[0]
        changes = _Changes()
        taken: list[_Kept | None] = []
        for label, value, said in valid:
            arrival += 1
            row = known.setdefault((label.request_id, label.row), {})
            if said in row:
                changes.repeat(row[said])
                taken.append(None)
                continue
            new = _Kept(label.request_id, label.row, said, value, standing(label, value, said, arrival), "", None, now)
            _place(row, new, places.get(label.request_id), changes)
            row[said] = new
            taken.append(new)
        db.execute("DELETE FROM arrivals")
        db.execute("INSERT INTO arrivals VALUES(?)", (arrival,))
        changes.write(db, model)
        return Counter(DUPLICATE if kept is None else kept.state for kept in taken)

    def _places(self, model: str, request_ids: Iterable[str]) -> dict[str, Place]:
        """Read inside the write transaction: an id indexed after this will be met by the next `settle`."""
        index = IdIndex.reading(ids_path(self._home, model))
        if index is None:
            return {}
        with contextlib.closing(index):
            return index.places(request_ids)

    def _settle_some(self, model: str, index: IdIndex) -> bool:
        """Look at one batch of newly indexed ids; False when there are none left."""
        with self._transaction() as db:
            row = db.execute("SELECT epoch, seq FROM seen WHERE model = ?", (model,)).fetchone()
            epoch = index.epoch
            seq = row[1] if row and row[0] == epoch else 0
            request_ids, reached = index.since(seq)
            if not request_ids:
                return False
            changes = _Changes()
            places = index.places(request_ids)
            for kept in _winners(db, model, places):
                _join(kept, places[kept.request_id], changes)
            changes.write(db, model)
            db.execute("INSERT OR REPLACE INTO seen VALUES(?,?,?)", (model, epoch, reached))
            return True

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._database.errors_named():
            yield self._db

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One writer at a time, all or nothing; on disk when it is left."""
        with self._reading() as db, transaction(db):
            yield db


class _Changes:
    """What a transaction will write: labels, totals and the days that have to be restated."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int, bytes], _Kept] = {}
        self._totals: Counter[str] = Counter()
        self._days: set[str] = set()

    def repeat(self, kept: _Kept) -> None:
        kept.copies += 1
        self._totals[DUPLICATE] += 1
        self._kept[kept.request_id, kept.row, kept.digest] = kept

    def move(self, kept: _Kept, state: str, day: str | None) -> None:
        """A label gets a state and a day; joined days, the old and the new, are to be restated."""
        if kept.state:
            self._totals[kept.state] -= 1
        self._totals[state] += 1
        self._days |= {known for known in (kept.day, day) if known is not None}
        kept.state, kept.day = state, day
        self._kept[kept.request_id, kept.row, kept.digest] = kept

    def write(self, db: sqlite3.Connection, model: str) -> None:
        db.executemany(
            "INSERT OR REPLACE INTO labels VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
            [
                (model, k.request_id, k.row, k.digest, k.value, *k.standing, k.state, k.day, k.received_at, k.copies)
                for k in self._kept.values()
            ],
        )
        db.executemany("INSERT OR REPLACE INTO dirty VALUES(?,?,0)", [(model, day) for day in self._days])
        _count(db, model, self._totals)


def _place(row: dict[bytes, _Kept], new: _Kept, place: Place | None, changes: _Changes) -> None:
    """Put a new label among those of its row: it wins, or it is superseded from the start."""
    winner = next((kept for kept in row.values() if kept.state != SUPERSEDED), None)
    if winner is not None and winner.standing > new.standing:
        changes.move(new, SUPERSEDED, None)
        return
    if winner is not None:
        changes.move(winner, SUPERSEDED, None)
    if place is not None and new.row < place.rows:
        changes.move(new, JOINED, place.day)
    else:
        changes.move(new, PENDING, None)


def _join(kept: _Kept, place: Place, changes: _Changes) -> None:
    """Join what waited; follow a prediction whose answered attempt now lies in another day."""
    if kept.row < place.rows and (kept.state, kept.day) != (JOINED, place.day):
        changes.move(kept, JOINED, place.day)


def _rows(db: sqlite3.Connection, model: str, keys: set[Key]) -> dict[Key, dict[bytes, _Kept]]:
    """All labels of these rows, by digest."""
    db.execute("DELETE FROM wanted")
    db.executemany("INSERT INTO wanted VALUES(?,?)", sorted(keys))
    found: dict[Key, dict[bytes, _Kept]] = {}
    query = (
        f"SELECT {', '.join('l.' + name for name in FIELDS)} FROM wanted w CROSS JOIN labels l"  # noqa: S608  # fixed names
        " ON l.model = ? AND l.request_id = w.request_id AND l.row = w.row"
    )
    for row in db.execute(query, (model,)):
        kept = _kept(row)
        found.setdefault((kept.request_id, kept.row), {})[kept.digest] = kept
    return found


def _winners(db: sqlite3.Connection, model: str, request_ids: Iterable[str]) -> list[_Kept]:
    """The labels of these requests that are not superseded."""
    db.execute("DELETE FROM wanted")
    db.executemany("INSERT INTO wanted(request_id) VALUES(?)", [(request_id,) for request_id in request_ids])
    query = (
        f"SELECT {', '.join('l.' + name for name in FIELDS)} FROM wanted w CROSS JOIN labels l"  # noqa: S608  # fixed names
        " ON l.model = ? AND l.request_id = w.request_id AND l.state != 'superseded'"
    )
    return [_kept(row) for row in db.execute(query, (model,))]


def _kept(row: tuple[Any, ...]) -> _Kept:
    request_id, number, said, value, kind, order, tie, state, day, received_at, copies = row
    return _Kept(request_id, number, said, value, Standing(kind, order, tie), state, day, received_at, copies)


def _count(db: sqlite3.Connection, model: str, changes: Counter[str]) -> None:
    db.executemany(
        "INSERT INTO totals VALUES(?1,?2,?3) ON CONFLICT(model, state) DO UPDATE SET count = count + ?3",
        [(model, state, change) for state, change in changes.items() if change],
    )


def _refuse(db: sqlite3.Connection, model: str, rows: Sequence[tuple[int, str, str]], now: EventTime) -> None:
    _count(db, model, Counter({REFUSED: len(rows)}))
    db.executemany(
        "INSERT INTO refused VALUES(?,?,?,?,?)",
        [(model, now, position, _kept_text(text), _kept_text(reason)) for position, text, reason in rows],
    )


def _kept_text(text: str) -> str:
    """As much as a person needs to find the sender; halves of characters, which SQLite refuses, as their numbers."""
    return text[:REFUSED_CHARACTERS].encode("utf-8", "backslashreplace").decode()
