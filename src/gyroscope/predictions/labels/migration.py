"""Labels of the first format, which knew no entities and no past, are taken over when the file is opened.

It happens wholly or not at all, and once. What the first format did not keep is not there: the time of a label that
had a version too, and when a label was joined.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import numpy as np

from gyroscope.database import transaction
from gyroscope.predictions.ids.entries import day_number
from gyroscope.predictions.ids.keys import id_keys
from gyroscope.predictions.labels import file
from gyroscope.predictions.labels.index import LabelIndex, row_hashes

AT_ONCE = 50_000
CODES = {name: code for code, name in file.STATES.items()}
BY_VERSION, BY_TIME = 2, 1
OLD_TABLES = ("labels", "refused", "totals", "dirty", "seen", "arrivals")
# Ages first, so that labels without a version or time, which come first, keep the order in which they arrived. A
# superseded label lies where the one lies that won.
OLD_LABELS = (
    "SELECT request_id, row, value, kind, number, state, coalesce(day, (SELECT w.day FROM labels w WHERE"
    " w.model = l.model AND w.request_id = l.request_id AND w.row = l.row AND w.state = 'joined')), received_at"
    " FROM labels l WHERE model = ? ORDER BY kind, number"
)


def migrate(db: sqlite3.Connection) -> None:
    """Everything into the tables of today; the old ones are gone afterwards. Costs one look when there are none."""
    if _is_first_format(db):
        with transaction(db):
            if _is_first_format(db):  # nobody else was quicker
                _take_over(db)


def _take_over(db: sqlite3.Connection) -> None:
    index = LabelIndex()
    for (model,) in db.execute("SELECT DISTINCT model FROM totals").fetchall():
        number = file.number_of(db, model)
        newest = db.execute("SELECT coalesce(max(received_at), 0) FROM labels WHERE model = ?", (model,)).fetchone()[0]
        rows = db.execute(OLD_LABELS, (model,))
        while some := rows.fetchmany(AT_ONCE):
            _take_over_labels(db, number, some, index)
        for state, count in db.execute("SELECT state, count FROM totals WHERE model = ?", (model,)).fetchall():
            db.execute("INSERT INTO counts VALUES(?,?,?)", (number, state, count))
            if state == file.DUPLICATE and count:
                db.execute("INSERT INTO repeats VALUES(?,?,?)", (number, newest, count))
        db.execute(
            "INSERT INTO refusals SELECT ?, received_at, position, label, reason FROM refused WHERE model = ?",
            (number, model),
        )
        file.mark_days(db, number, _days(db.execute("SELECT day FROM dirty WHERE model = ?", (model,))))
    for table in OLD_TABLES:
        db.execute(f"DROP TABLE {table}")


def _is_first_format(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master WHERE name = 'labels' AND type = 'table'").fetchone() is not None


def _take_over_labels(db: sqlite3.Connection, model: int, some: list[tuple[object, ...]], index: LabelIndex) -> None:
    first = file.take_arrivals(db, len(some))
    db.executemany(
        "INSERT INTO kept(arrival, model, request_id, row, value, version, labeled_at, state, day, received_at,"
        " joined_at) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, iif(?9 IS NULL, NULL, ?10))",
        [
            (
                *(first + place, model, request_id, row, value),
                *(age if kind == BY_VERSION else None, age if kind == BY_TIME else None),
                *(CODES[str(state)], None if day is None else day_number(str(day)), received_at),
            )
            for place, (request_id, row, value, kind, age, state, day, received_at) in enumerate(some)
        ],
    )
    keys = id_keys([str(label[0]) for label in some])
    hashes = row_hashes(keys, np.array([label[1] for label in some], dtype=np.int64))
    index.add(db, model, hashes, np.arange(first, first + len(some), dtype=np.int64))


def _days(rows: Iterable[tuple[str]]) -> list[int]:
    return [day_number(day) for (day,) in rows]
