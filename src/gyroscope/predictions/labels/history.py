"""What was believed about labels at an earlier moment: states and joined values as of then.

Labels are never changed but for where they stand, so the past is computed from what is kept: a label counts from when
it was received, as joined from when it was joined, and wins among those that were there. Reads only.
"""

from __future__ import annotations

import sqlite3
from collections import Counter

from gyroscope.clock import EventTime
from gyroscope.predictions.labels import file
from gyroscope.predictions.labels.groups import JOINED, PENDING, QUARANTINED, SUPERSEDED, Kept, Target
from gyroscope.predictions.labels.order import latest

Value = tuple[str, int, float | str]
"""Request id, row, value."""


def values_then(db: sqlite3.Connection, model: int, day: int, then: EventTime) -> list[Value]:
    """What was joined to the predictions of a day."""
    query = f"SELECT {file.FIELDS} FROM kept WHERE model = ? AND day = ? AND joined_at <= ?"  # noqa: S608  # fixed names
    groups = _groups(db.execute(query, (model, day, then)))
    return [(request_id, row, latest(group).value) for (request_id, row), group in groups.items()]


def counts_then(db: sqlite3.Connection, model: int, then: EventTime, wait_us: int) -> Counter[str]:
    """How many labels were in each state."""
    joined, distinct = db.execute(
        "SELECT coalesce(sum(count), 0), count(*) FROM (SELECT count(*) AS count FROM kept"
        " WHERE model = ? AND joined_at <= ? GROUP BY request_id, row)",
        (model, then),
    ).fetchone()
    query = (
        f"SELECT {file.FIELDS} FROM kept WHERE model = ? AND received_at <= ?"  # noqa: S608  # fixed names
        " AND (joined_at IS NULL OR joined_at > ?)"
    )
    waiting = _groups(db.execute(query, (model, then, then)))
    superseded = joined - distinct + sum(len(group) - 1 for group in waiting.values())
    late = sum(latest(group).received_at < then - wait_us for group in waiting.values())
    repeated = _sum(db, "SELECT sum(count) FROM repeats WHERE model = ? AND received_at <= ?", model, then)

    refused = _sum(db, "SELECT count(*) FROM refusals WHERE model = ? AND received_at <= ?", model, then)
    return Counter(
        {
            file.STATES[JOINED]: distinct,
            file.STATES[PENDING]: len(waiting) - late,
            file.STATES[QUARANTINED]: late,
            file.STATES[SUPERSEDED]: superseded,
            file.DUPLICATE: repeated,
            file.REFUSED: refused,
        }
    )


def _groups(rows: sqlite3.Cursor) -> dict[Target, list[Kept]]:
    groups: dict[Target, list[Kept]] = {}
    for row in rows:
        kept = file.kept_of(row)
        groups.setdefault(kept.target, []).append(kept)
    return groups


def _sum(db: sqlite3.Connection, query: str, *parameters: int) -> int:
    return int(db.execute(query, parameters).fetchone()[0] or 0)
