"""The books of the labels: counted again from what is kept, and a subject's labels taken out of them for good.

Verification and erasure call it, beside whoever writes labels: SQLite orders them. It never adds a label.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from gyroscope.database import Database, transaction
from gyroscope.predictions.labels import file
from gyroscope.records import LabelState

ERASED = "erased"
"""Counted beside the states: erased labels are in none of them and not in their sum."""

AT_ONCE = 10_000
# A text is looked for in what cannot be read only when it is so long that hardly anybody else's holds it.
LEAST_SOUGHT = 8


def recount(home: Path, model: str) -> tuple[dict[str, int], dict[str, int]]:
    """(what the counts say, what is kept) by state; equal in a house that is well. Raises `StoreError`."""
    with _database(home).opened() as db:
        number = file.known_number(db, model)
        said = dict(db.execute("SELECT state, count FROM counts WHERE model = ?", (number,)).fetchall())
        kept = dict(db.execute("SELECT state, count(*) FROM kept WHERE model = ? GROUP BY state", (number,)).fetchall())
        found = {file.STATES[state]: count for state, count in kept.items()}
        found[file.REFUSED] = _one(db, "SELECT count(*) FROM refusals WHERE model = ?", number)
        found[file.DUPLICATE] = _one(db, "SELECT coalesce(sum(count), 0) FROM repeats WHERE model = ?", number)
    names = [state.value for state in LabelState]
    return {name: said.get(name, 0) for name in names}, {name: found.get(name, 0) for name in names}


def erase_labels(home: Path, model: str, request_ids: Sequence[str], texts: Sequence[str]) -> int:
    """Take out the labels of these requests, and whatever else names one of `texts`; how many were taken out.

    Their counts go with them, their windows are measured again, and not a byte of them stays in the file.
    """
    if not (home / "labels.db").exists():
        return 0
    with closing(_database(home).connect()) as db, _database(home).errors_named():
        db.execute("PRAGMA secure_delete = ON")
        with transaction(db):
            number = file.known_number(db, model)
            db.execute("CREATE TEMP TABLE subject(text TEXT PRIMARY KEY) WITHOUT ROWID")
            for start in range(0, len(request_ids), AT_ONCE):
                db.executemany(
                    "INSERT OR IGNORE INTO subject VALUES(?)", [(one,) for one in request_ids[start : start + AT_ONCE]]
                )
            erased = _erase_kept(db, number, texts) + _erase_refused(db, number, texts)
            db.execute("DROP TABLE subject")
        scrub(db)
    return erased


def scrub(db: sqlite3.Connection) -> None:
    """Write the file anew and empty its log: nothing that was deleted can be read from either."""
    db.execute("VACUUM")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _erase_kept(db: sqlite3.Connection, model: int, texts: Sequence[str]) -> int:
    named = " OR ".join(
        ["request_id IN (SELECT text FROM subject)", *["request_id = ? OR entity_key = ?" for _ in texts]]
    )
    values = [text for text in texts for _ in range(2)]
    rows = db.execute(
        f"SELECT arrival, state, day FROM kept WHERE model = ? AND ({named})",  # noqa: S608  # fixed text
        (model, *values),
    ).fetchall()
    for table in ("kept", "unsought"):
        db.executemany(f"DELETE FROM {table} WHERE arrival = ?", [(row[0],) for row in rows])  # noqa: S608  # fixed
    change = Counter(file.STATES[state] for _, state, _ in rows)
    change = Counter({state: -count for state, count in change.items()} | {ERASED: len(rows)})
    file.count(db, model, change)
    file.mark_days(db, model, {day for _, _, day in rows if day is not None})
    return len(rows)


def _erase_refused(db: sqlite3.Connection, model: int, texts: Sequence[str]) -> int:
    """A refused label is kept as the text that was sent."""
    kept = db.execute("SELECT rowid, label FROM refusals WHERE model = ?", (model,))
    erased = [(place,) for place, label in kept if texts and _is_named(label, texts)]
    db.executemany("DELETE FROM refusals WHERE rowid = ?", erased)
    file.count(db, model, Counter({file.REFUSED: -len(erased), ERASED: len(erased)}))
    return len(erased)


def _is_named(label: str, texts: Sequence[str]) -> bool:
    """Whether it names one of these; in what was not even JSON, or was cut, long texts are looked for everywhere."""
    try:
        fields = msgspec.json.decode(label, type=dict[str, object])
        named = [fields.get(name) for name in ("request_id", "entity_key")]
        return any(str(name) in texts for name in named if name is not None)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        quoted = [msgspec.json.encode(text).decode()[1:-1] for text in texts]
        return any(len(text) >= LEAST_SOUGHT and text in label for text in (*texts, *quoted))


def _one(db: sqlite3.Connection, query: str, model: int) -> int:
    return int(db.execute(query, (model,)).fetchone()[0])


def _database(home: Path) -> Database:
    return Database(
        home / "labels.db",
        "the labels cannot be read or written",
        "make room, then run gyro doctor",
        file.SCHEMA,
        synchronous="FULL",
    )
