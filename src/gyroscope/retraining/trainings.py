"""The trainings of one home, in `state.db`: what each was made of, how it ended, which version it made.

The loop writes, commands and pages read. The log and the result of each lie in a folder of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from gyroscope.clock import EventTime
from gyroscope.database import Database

State = Literal["running", "done", "failed"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS trainings (
    number INTEGER PRIMARY KEY AUTOINCREMENT, model TEXT NOT NULL, because TEXT NOT NULL, started_at INTEGER NOT NULL,
    data TEXT NOT NULL, rows INTEGER NOT NULL, state TEXT NOT NULL, said TEXT NOT NULL, version TEXT NOT NULL
);
"""
_COLUMNS = "number, model, because, started_at, data, rows, state, said, version"


class Training(msgspec.Struct, frozen=True):
    """One training. `because` names the act and the reason, `started_at` is event time, `data` a digest of the rows.

    `said` is what went wrong, or what the trainer's log ended with; `version` is the challenger that came of it.
    """

    number: int
    model: str
    because: str
    started_at: EventTime
    data: str
    rows: int
    state: State = "running"
    said: str = ""
    version: str = ""


class Trainings:
    """Safe for many processes; each call is one transaction."""

    def __init__(self, state_db: Path) -> None:
        self._database = Database(
            state_db,
            "the trainings cannot be read or written",
            "check the owner, mode and the space left",
            _SCHEMA,
            synchronous="FULL",
        )

    def begin(self, model: str, because: str, at: EventTime, data: str, rows: int) -> Training:
        """Write down that a training begins, before it does."""
        with self._database.opened() as database:
            cursor = database.execute(
                "INSERT INTO trainings (model, because, started_at, data, rows, state, said, version)"
                " VALUES (?, ?, ?, ?, ?, 'running', '', '')",
                (model, because, at, data, rows),
            )
        return Training(int(cursor.lastrowid or 0), model, because, at, data, rows)

    def end(self, training: Training, state: State, said: str, version: str = "") -> None:
        """Write down how it ended."""
        with self._database.opened() as database:
            database.execute(
                "UPDATE trainings SET state = ?, said = ?, version = ? WHERE number = ?",
                (state, said, version, training.number),
            )

    def every(self, model: str = "") -> list[Training]:
        """The trainings of a model, or of all, the oldest first."""
        with self._database.opened() as database:
            rows = database.execute(
                f"SELECT {_COLUMNS} FROM trainings WHERE ? IN ('', model) ORDER BY number",  # noqa: S608  # ours
                (model,),
            ).fetchall()
        return [Training(*row) for row in rows]
