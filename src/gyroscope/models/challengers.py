"""Versions that want to become champion: who proposed them, and what became of each; in `state.db`.

Retraining and people propose, the rollout loop takes the oldest that waits and closes it with a verdict. The routes say
where a challenger is on its way; here is only whether it waits, rolls or is done.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from gyroscope.clock import EventTime
from gyroscope.database import Database
from gyroscope.records import NotEnoughData

State = Literal["waiting", "rolling", "promoted", "rolled_back"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS challengers (
    number INTEGER PRIMARY KEY AUTOINCREMENT, model TEXT NOT NULL, version TEXT NOT NULL, origin TEXT NOT NULL,
    proposed_at INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, changed_at INTEGER NOT NULL
);
"""
_COLUMNS = "number, model, version, origin, proposed_at, state, reason, changed_at"


class Challenger(msgspec.Struct, frozen=True):
    """One version's try. `origin` says who proposed it, `reason` why it is in its state since `changed_at`."""

    number: int
    model: str
    version: str
    origin: str
    proposed_at: EventTime
    state: State
    reason: str
    changed_at: EventTime


class Challengers:
    """The tries of one home. Safe for many processes; each call is one transaction."""

    def __init__(self, state_db: Path) -> None:
        self._database = Database(
            state_db,
            "the challengers cannot be read or written",
            "check the owner, mode and the space left",
            _SCHEMA,
            synchronous="FULL",
        )

    def propose(self, model: str, version: str, origin: str, now: EventTime) -> Challenger:
        """Have a version wait for its turn; one that waits or rolls already is given back as it is."""
        open_one = [one for one in self.open(model) if one.version == version]
        if open_one:
            return open_one[0]
        values = (model, version, origin, now, "waiting", "proposed", now)
        with self._database.opened() as database:
            database.execute(
                "INSERT INTO challengers (model, version, origin, proposed_at, state, reason, changed_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                values,
            )
        return self.open(model)[-1]

    def turn(self, challenger: Challenger, state: State, reason: str, now: EventTime) -> None:
        """Write down what became of it."""
        with self._database.opened() as database:
            database.execute(
                "UPDATE challengers SET state = ?, reason = ?, changed_at = ? WHERE number = ?",
                (state, reason, now, challenger.number),
            )

    def open(self, model: str) -> list[Challenger]:
        """Those that wait or roll, the oldest first."""
        return [one for one in self.every(model) if one.state in ("waiting", "rolling")]

    def every(self, model: str) -> list[Challenger]:
        """Every try of a model, the oldest first."""
        with self._database.opened() as database:
            rows = database.execute(
                f"SELECT {_COLUMNS} FROM challengers WHERE model = ? ORDER BY number",  # noqa: S608  # ours
                (model,),
            ).fetchall()
        return [Challenger(*row) for row in rows]

    def rolling(self, model: str) -> Challenger | NotEnoughData:
        """The one that is on its way."""
        found = [one for one in self.open(model) if one.state == "rolling"]
        return found[0] if found else NotEnoughData(f"no challenger of {model} is on its way")
