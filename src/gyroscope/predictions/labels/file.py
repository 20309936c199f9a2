"""The tables of `labels.db` and every statement that reads or changes them.

`labels.py` decides, this file writes down. Labels lie in the order of arrival, so a batch is written in one stretch;
who needs one by its request asks `index.py`.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gyroscope.clock import EventTime
from gyroscope.predictions.labels import index as label_index
from gyroscope.predictions.labels.columns import Checked
from gyroscope.predictions.labels.groups import JOINED, PENDING, QUARANTINED, SUPERSEDED, Kept, Target, restated_days
from gyroscope.records import LabelState

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS models(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS kept(
  arrival INTEGER PRIMARY KEY, model INTEGER NOT NULL, request_id TEXT NOT NULL, row INTEGER NOT NULL, value NOT NULL,
  version INTEGER, labeled_at INTEGER, state INTEGER NOT NULL, received_at INTEGER NOT NULL, day INTEGER,
  joined_at INTEGER, entity_key TEXT, said_at INTEGER, at INTEGER, found_at INTEGER);
CREATE INDEX IF NOT EXISTS kept_by_day ON kept(model, day) WHERE day IS NOT NULL;
CREATE INDEX IF NOT EXISTS kept_waiting ON kept(model, received_at) WHERE state = {PENDING};
CREATE INDEX IF NOT EXISTS kept_by_entity ON kept(model, entity_key) WHERE entity_key IS NOT NULL;
CREATE TABLE IF NOT EXISTS unsought(arrival INTEGER PRIMARY KEY, model INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS sought(model INTEGER NOT NULL, file TEXT NOT NULL, PRIMARY KEY(model, file)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refusals(
  model INTEGER NOT NULL, received_at INTEGER NOT NULL, position INTEGER NOT NULL, label TEXT NOT NULL,
  reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS repeats(
  model INTEGER NOT NULL, received_at INTEGER NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY(model, received_at)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counts(
  model INTEGER NOT NULL, state TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY(model, state)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS restate(
  model INTEGER NOT NULL, day INTEGER NOT NULL, handed_out INTEGER NOT NULL, PRIMARY KEY(model, day)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS revisions(
  model INTEGER NOT NULL, day INTEGER NOT NULL, revision INTEGER NOT NULL, PRIMARY KEY(model, day)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS met(model INTEGER PRIMARY KEY, epoch TEXT NOT NULL, token INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS last_arrival(number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS source_files(
  source TEXT NOT NULL, path TEXT NOT NULL, stamp TEXT NOT NULL, PRIMARY KEY(source, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS source_cursors(source TEXT PRIMARY KEY, cursor TEXT NOT NULL) WITHOUT ROWID;
{label_index.SCHEMA}
"""
STATES = {
    JOINED: LabelState.JOINED.value,
    PENDING: LabelState.PENDING.value,
    QUARANTINED: LabelState.QUARANTINED.value,
    SUPERSEDED: LabelState.SUPERSEDED.value,
}
DUPLICATE, REFUSED = LabelState.DUPLICATE.value, LabelState.REFUSED.value
FIELDS = (
    "arrival, request_id, row, value, version, labeled_at, state, received_at, day, joined_at,"
    " entity_key, said_at, at, found_at"
)
IN_LIST = "arrival IN (SELECT value FROM json_each(?))"
REFUSED_CHARACTERS = 2_000


class Lonely(NamedTuple):
    """Labels that are the only ones of their rows, and where each of them belongs."""

    given: Checked
    arrivals: NDArray[np.int64]
    states: NDArray[np.int64]
    days: list[int | None]


class Lying(NamedTuple):
    """What has to be known of a label to move it to its prediction."""

    arrival: int
    request_id: str
    row: int
    state: int
    day: int | None


def number_of(db: sqlite3.Connection, model: str) -> int:
    """The number that stands for a model here, given at its first label; for transactions."""
    db.execute("INSERT OR IGNORE INTO models(name) VALUES(?)", (model,))
    return known_number(db, model)


def known_number(db: sqlite3.Connection, model: str) -> int:
    """The same for readers: 0, which no model has, when nothing was ever written about it."""
    row = db.execute("SELECT id FROM models WHERE name = ?", (model,)).fetchone()
    return int(row[0]) if row else 0


def take_arrivals(db: sqlite3.Connection, count: int) -> int:
    """Set so many numbers of arrival aside; the first of them."""
    row = db.execute("SELECT number FROM last_arrival").fetchone()
    last = int(row[0]) if row else 0
    db.execute("UPDATE last_arrival SET number = ?" if row else "INSERT INTO last_arrival VALUES(?)", (last + count,))
    return last + 1


def insert_lonely(db: sqlite3.Connection, model: int, labels: Lonely, now: EventTime) -> None:
    """Write labels that have no company; what they share is part of the statement, so that less is bound to it."""
    given = labels.given
    db.executemany(
        "INSERT INTO kept(arrival, model, request_id, row, value, version, labeled_at, state, received_at, day,"
        f" joined_at) VALUES(?, {model:d}, ?, ?, ?, ?, ?, ?, {now:d}, ?8, iif(?8 IS NULL, NULL, {now:d}))",  # numbers
        zip(
            labels.arrivals.tolist(),
            given.request_ids,
            given.rows.tolist(),
            given.values,
            repeat(None) if given.versions is None else given.versions,
            repeat(None) if given.labeled_at is None else given.labeled_at,
            labels.states.tolist(),
            labels.days,
            strict=False,
        ),
    )


def read_rows(db: sqlite3.Connection, arrivals: Iterable[int]) -> list[tuple[Any, ...]]:
    """Labels by their arrival, as rows of FIELDS."""
    wanted = json.dumps(list(arrivals))
    query = f"SELECT {FIELDS} FROM kept WHERE {IN_LIST} ORDER BY arrival"  # noqa: S608  # fixed names
    return db.execute(query, (wanted,)).fetchall()


def identity_of(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Equal for the same statement, however its value was spelled and wherever it has been joined since."""
    return row[1:6] if row[10] is None else (row[10:12], *row[2:6])


def target_of(row: tuple[Any, ...]) -> Target:
    """The request and row that a label belongs to."""
    return row[1], row[2]


def read_kept(db: sqlite3.Connection, arrivals: Iterable[int]) -> list[Kept]:
    """Labels by their arrival."""
    return list(map(kept_of, read_rows(db, arrivals)))


def kept_of(row: Sequence[Any]) -> Kept:
    """A label from a row of FIELDS."""
    arrival, request_id, number, value, version, labeled_at, state, received_at, day, *more = row
    joined_at, entity_key, said_at, at, found_at = more
    return Kept(
        arrival,
        value,
        version,
        labeled_at,
        request_id,
        number,
        state,
        received_at,
        day,
        joined_at,
        entity_key,
        said_at,
        at,
        found_at,
        (state, day, request_id),
    )


def write_kept(db: sqlite3.Connection, model: int, labels: Sequence[Kept]) -> None:
    """Write new labels and changed ones, with the counts and the days to restate that follow."""
    new = [kept for kept in labels if kept.before is None]
    old = [kept for kept in labels if kept.before is not None]
    db.executemany(
        f"INSERT INTO kept(model, {FIELDS}) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",  # fixed names
        [
            (
                *(model, k.arrival, k.request_id, k.row, k.value, k.version, k.labeled_at, k.state, k.received_at),
                *(k.day, k.joined_at, k.entity_key, k.said_at, k.at, k.found_at),
            )
            for k in new
        ],
    )
    db.executemany(
        "UPDATE kept SET request_id = ?, state = ?, day = ?, joined_at = ?, found_at = ? WHERE arrival = ?",
        [(k.request_id, k.state, k.day, k.joined_at, k.found_at, k.arrival) for k in old],
    )
    change = Counter(STATES[kept.state] for kept in labels)
    change.subtract(STATES[kept.before[0]] for kept in labels if kept.before is not None)
    count(db, model, change)
    mark_days(db, model, set[int]().union(*map(restated_days, labels)))


def read_places(db: sqlite3.Connection, arrivals: Iterable[int]) -> list[Lying]:
    """Where labels lie now; those of entities whose prediction is not known have none."""
    wanted = json.dumps(list(arrivals))
    query = f"SELECT arrival, request_id, row, state, day FROM kept WHERE {IN_LIST} ORDER BY arrival"  # noqa: S608  # fixed
    return list(map(Lying._make, db.execute(query, (wanted,))))


def move(db: sqlite3.Connection, moved: Iterable[tuple[int, int, int, int]]) -> None:
    """Give labels a state and a day: (state, day, now, arrival)."""
    db.executemany("UPDATE kept SET state = ?, day = ?, joined_at = coalesce(joined_at, ?) WHERE arrival = ?", moved)


def seek(db: sqlite3.Connection, model: int, arrivals: Iterable[int]) -> None:
    """The predictions of these labels of entities are yet to be looked for."""
    db.executemany("INSERT OR REPLACE INTO unsought VALUES(?,?)", [(arrival, model) for arrival in arrivals])


def sought(db: sqlite3.Connection, arrivals: Iterable[int]) -> None:
    """These labels of entities have been looked for in all files."""
    db.execute(f"DELETE FROM unsought WHERE {IN_LIST}", (json.dumps(list(arrivals)),))  # noqa: S608  # fixed text


def count(db: sqlite3.Connection, model: int, change: Counter[str]) -> None:
    db.executemany(
        "INSERT INTO counts VALUES(?1,?2,?3) ON CONFLICT(model, state) DO UPDATE SET count = count + ?3",
        [(model, state, number) for state, number in change.items() if number],
    )


def count_repeats(db: sqlite3.Connection, model: int, repeated: int, now: EventTime) -> None:
    if repeated:
        count(db, model, Counter({DUPLICATE: repeated}))
        db.execute(
            "INSERT INTO repeats VALUES(?1,?2,?3) ON CONFLICT(model, received_at) DO UPDATE SET count = count + ?3",
            (model, now, repeated),
        )


def mark_days(db: sqlite3.Connection, model: int, days: Iterable[int]) -> None:
    """The labels of these days have changed: their windows are to be measured again."""
    changed = [(model, day) for day in days]
    db.executemany("INSERT OR REPLACE INTO restate VALUES(?,?,0)", changed)
    db.executemany(
        "INSERT INTO revisions VALUES(?,?,1) ON CONFLICT(model, day) DO UPDATE SET revision = revision + 1", changed
    )


def refuse(db: sqlite3.Connection, model: int, rows: Sequence[tuple[int, str, str]], now: EventTime) -> None:
    """Count and keep what cannot be a label: position in its call, its text, the reason."""
    count(db, model, Counter({REFUSED: len(rows)}))
    db.executemany(
        "INSERT INTO refusals VALUES(?,?,?,?,?)",
        [(model, now, position, _kept_text(text), _kept_text(reason)) for position, text, reason in rows],
    )


def _kept_text(text: str) -> str:
    """As much as a person needs to find the sender; halves of characters, which SQLite refuses, as their numbers."""
    return text[:REFUSED_CHARACTERS].encode("utf-8", "backslashreplace").decode()
