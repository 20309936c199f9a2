"""The journal of acts: what each loop decided, why, under which switch, and everything that it decided from.

The loops append, `gyro explain` and the pages read. Entries are never changed; whoever recomputes one needs its inputs
and nothing else. The newest of each loop and model are kept. It decides nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from gyroscope.clock import EventTime
from gyroscope.database import Database, transaction
from gyroscope.errors import StoreError, did_you_mean

Loop = Literal["scaling", "retraining", "rollouts", "incidents"]
"""`incidents`: what people decided about one."""

Mode = Literal["off", "propose", "act"]

KEPT = 2_000
"""Of each loop and subject. A decision of a rollout holds up to 20 KB, and there is one only when something changes:
this is years of them, in 40 MB at most."""

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS acts (
    number INTEGER PRIMARY KEY AUTOINCREMENT, loop TEXT NOT NULL, subject TEXT NOT NULL, action TEXT NOT NULL,
    reason TEXT NOT NULL, mode TEXT NOT NULL, inputs TEXT NOT NULL, at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS acts_of ON acts (loop, subject, number);
CREATE TRIGGER IF NOT EXISTS acts_stay BEFORE UPDATE ON acts
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
DROP TRIGGER IF EXISTS acts_last;
CREATE TRIGGER IF NOT EXISTS acts_kept BEFORE DELETE ON acts
    WHEN (SELECT count(*) FROM acts WHERE loop = OLD.loop AND subject = OLD.subject AND number > OLD.number) < {KEPT}
    BEGIN SELECT RAISE(ABORT, 'the newest acts of the journal stay'); END;
"""  # noqa: S608  # ours
_TRIM = """
DELETE FROM acts WHERE loop = :loop AND subject = :subject AND number <=
    (SELECT number FROM acts WHERE loop = :loop AND subject = :subject ORDER BY number DESC LIMIT 1 OFFSET :kept)
"""
_COLUMNS = "loop, subject, action, reason, mode, inputs, at, loop || '-' || number"


class Act(msgspec.Struct, frozen=True):
    """One entry. `subject` is the model, `inputs` the JSON of all that the loop's pure function was given.

    `mode` is the switch it was decided under: with `propose` the action was only said. `id` is given by the journal.
    """

    loop: Loop
    subject: str
    action: str
    reason: str
    mode: Mode
    inputs: str
    at: EventTime
    id: str = ""


class Journal:
    """The acts of one home, in `state.db`. Safe for many processes; each call is one transaction."""

    def __init__(self, state_db: Path) -> None:
        self._database = Database(
            state_db,
            "the journal cannot be read or written",
            "check its owner, mode and the space left",
            _SCHEMA,
            synchronous="FULL",
        )

    def append(self, act: Act) -> str:
        """Write an act down; the id it has from now on. The oldest beyond those that are kept goes."""
        values = (act.loop, act.subject, act.action, act.reason, act.mode, act.inputs, act.at)
        with self._database.opened() as database, transaction(database):
            cursor = database.execute(
                "INSERT INTO acts (loop, subject, action, reason, mode, inputs, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                values,
            )
            database.execute(_TRIM, {"loop": act.loop, "subject": act.subject, "kept": KEPT})
        return f"{act.loop}-{cursor.lastrowid}"

    def get(self, act_id: str) -> Act:
        """One act. Raises `StoreError` when there is none of this id."""
        loop, _, number = act_id.rpartition("-")
        with self._database.opened() as database:
            row = database.execute(
                f"SELECT {_COLUMNS} FROM acts WHERE number = ? AND loop = ?",  # noqa: S608  # ours
                (int(number) if number.isascii() and number.isdigit() else 0, loop),
            ).fetchone()
        if row is None:
            raise StoreError(
                f"the journal has no act {act_id!r}",
                where=str(self._database.path),
                fix=did_you_mean(act_id, [act.id for act in self.newest()]),
            )
        return _act(row)

    def newest(self, loop: str = "", subject: str = "", most: int = 20) -> list[Act]:
        """The newest acts, the newest first; empty texts take in every loop and subject."""
        with self._database.opened() as database:
            rows = database.execute(
                f"SELECT {_COLUMNS} FROM acts WHERE ? IN ('', loop) AND ? IN ('', subject)"  # noqa: S608  # ours
                " ORDER BY number DESC LIMIT ?",
                (loop, subject, most),
            ).fetchall()
        return [_act(row) for row in rows]


def _act(row: tuple[Loop, str, str, str, Mode, str, int, str]) -> Act:
    loop, subject, action, reason, mode, inputs, at, act_id = row
    return Act(loop, subject, action, reason, mode, inputs, EventTime(at), act_id)
