"""Incidents in SQLite, each with its journal: what monitors and rules say goes in, what people decide moves them.

Control hands in causes, `gyro incidents` and pages read and move. Several processes may use it; each call is one
transaction, with what notifiers are to be told, and what was acknowledged survives a power cut.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from gyroscope.alerts import outbox
from gyroscope.alerts.incident import MOVES, Incident, State, Transition, ranked
from gyroscope.alerts.notices import told
from gyroscope.alerts.reconcile import MONITORS, Changes, reconcile
from gyroscope.clock import DAY_US, EventTime, iso
from gyroscope.database import Database, transaction
from gyroscope.errors import InputError, did_you_mean
from gyroscope.records import Judged, Noise

_SCHEMA = """
CREATE TABLE IF NOT EXISTS incidents (id TEXT PRIMARY KEY, model TEXT NOT NULL, record TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS incidents_of_model ON incidents (model);
CREATE TABLE IF NOT EXISTS incident_journal (
    number INTEGER PRIMARY KEY, at INTEGER NOT NULL, incident TEXT NOT NULL, state TEXT NOT NULL,
    who TEXT NOT NULL, reason TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS journal_of_incident ON incident_journal (incident);
CREATE TRIGGER IF NOT EXISTS journal_stays BEFORE UPDATE ON incident_journal
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER IF NOT EXISTS journal_lasts BEFORE DELETE ON incident_journal
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TABLE IF NOT EXISTS epochs (
    model TEXT NOT NULL, version TEXT NOT NULL, since INTEGER NOT NULL, PRIMARY KEY (model, version, since)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS judged (
    model TEXT NOT NULL, source TEXT NOT NULL, record BLOB NOT NULL, PRIMARY KEY (model, source)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS incidents_snoozed ON incidents (json_extract(record, '$.snoozed_until'))
    WHERE json_extract(record, '$.snoozed_until') > 0;
"""

NOISE_SPAN_US = 30 * DAY_US


class Incidents:
    """All incidents of one home, and what `notifiers` (their names) are told of them."""

    def __init__(self, path: Path, notifiers: Sequence[str] = ()) -> None:
        self._notifiers = notifiers
        self._database = Database(
            path,
            "the incidents cannot be read or written",
            "check free space and permissions, and that no other program keeps the file locked",
            _SCHEMA + outbox.SCHEMA,
            synchronous="FULL",
        )

    def take(self, model: str, found: Judged, source: str = MONITORS) -> list[Transition]:
        """Bring the incidents of a model up to date with all that one source is sure of; what changed state.

        What other sources said last stands: a limit that is crossed by a column that broke is one incident with it.
        """
        with self._database.opened() as connection, transaction(connection):
            known = _read(connection, "WHERE model = ?", model)
            changes = reconcile(known, _with_others(connection, model, found, source))
            self._tell(connection, {one.id: one for one in known} | changes.incidents, changes, found.at)
            _write(connection, changes)
        return changes.transitions

    def wake(self, now: EventTime) -> int:
        """Tell of what still stands, and of what is over, where a snooze has ended; how many there were."""
        with self._database.opened() as connection:
            sql = "WHERE json_extract(record, '$.snoozed_until') > 0 AND json_extract(record, '$.snoozed_until') <= ?"
            if not _read(connection, sql, now):
                return 0
            with transaction(connection):
                woken = _read(connection, sql, now)
                changes = Changes()
                self._tell(connection, {one.id: one for one in woken}, changes, now)
                for one in woken:
                    changes.put(replace(changes.incidents.get(one.id, one), snoozed_until=EventTime(0)))
                _write(connection, changes)
        return len(woken)

    def all(self, model: str = "") -> list[Incident]:
        """Every incident of a model (of all models without one), what needs a person first."""
        with self._database.opened() as connection:
            return ranked(_read(connection, "WHERE model = ?", model) if model else _read(connection))

    def get(self, incident: str) -> Incident:
        """One by its id. Raises `InputError` (404) when there is none."""
        with self._database.opened() as connection:
            return _one(connection, incident)

    def journal(self, incident: str) -> list[Transition]:
        """How it came to its state, oldest first."""
        with self._database.opened() as connection:
            sql = "SELECT at, incident, state, who, reason FROM incident_journal WHERE incident = ? ORDER BY number"
            return [Transition(EventTime(row[0]), *row[1:]) for row in connection.execute(sql, (incident,))]

    def snooze(self, incident: str, until: EventTime, *, by: str, reason: str, at: EventTime) -> Incident:
        """Tell nobody of it until a moment of wall time; if it stands then, they are told once more.

        Raises `InputError` when there is no such incident, it does not stand, or the moment is over.
        """
        with self._database.opened() as connection, transaction(connection):
            found = _one(connection, incident)
            if not found.is_standing or until <= at:
                what = f"{found.id} is {found.state}" if not found.is_standing else f"{iso(until)} is over"
                raise InputError(
                    f"{what}: nothing to snooze",
                    where="incident",
                    fix="snooze one that stands, until a moment that comes",
                    status=409,
                )
            snoozed = replace(found, snoozed_until=until)
            line = Transition(at, incident, snoozed.state, by, f"snoozed until {iso(until)}: {reason}")
            _write(connection, Changes({snoozed.id: snoozed}, [line]))
        return snoozed

    def move(self, incident: str, state: State, *, by: str, reason: str, at: EventTime) -> Incident:
        """What a person decided. Moving it to the state it is in changes nothing.

        `accepted` also begins an epoch: from the change on, what is normal is learned anew. Raises `InputError` when
        there is no such incident, or it cannot come to this state any more.
        """
        with self._database.opened() as connection, transaction(connection):
            found = _one(connection, incident)
            if found.state == state:
                return found
            _check_move(found, state)
            moved = replace(found, state=state)
            changes = Changes({moved.id: moved}, [Transition(at, incident, state, by, reason)])
            self._tell(connection, changes.incidents, changes, at)
            _write(connection, changes)
            if state == "accepted":
                row = (found.model, found.version, found.since)
                connection.execute("INSERT OR IGNORE INTO epochs VALUES (?, ?, ?)", row)
        return changes.incidents[incident]

    def epochs(self, model: str, version: str) -> list[EventTime]:
        """From when on a version has a new normal, oldest first: each change that a person accepted."""
        with self._database.opened() as connection:
            sql = "SELECT since FROM epochs WHERE model = ? AND version = ? ORDER BY since"
            return [EventTime(since) for (since,) in connection.execute(sql, (model, version))]

    def called_noise(self, model: str, version: str) -> list[Noise]:
        """Which incidents of a version people called noise."""
        where = "WHERE model = ? AND json_extract(record, '$.state') = 'noise'"  # asked each round: few are decoded
        with self._database.opened() as connection:
            found = [one for one in _read(connection, where, model) if one.version == version]
        return [Noise(one.id, one.kind, one.opened) for one in sorted(found, key=lambda one: (one.opened, one.id))]

    def noise(self, model: str, upto: EventTime) -> int:
        """How many incidents of monitors that opened in the 30 days before a moment of event time were called noise.

        A rule fires where somebody drew a limit: it takes nothing of the budget of false alarms.
        """
        since = upto - NOISE_SPAN_US
        return sum(
            one.state == "noise" and one.kind != "rule" and since < one.opened <= upto and one.pages
            for one in self.all(model)
        )

    def _tell(
        self, connection: sqlite3.Connection, incidents: dict[str, Incident], changes: Changes, at: EventTime
    ) -> None:
        """Put into the outbox what is news, and into `changes` that it was told."""
        for incident in list(incidents.values()):
            now, notice = told(incident, at)
            if notice is not None:
                changes.put(now)
                outbox.post(connection, [notice], self._notifiers)


def _with_others(connection: sqlite3.Connection, model: str, found: Judged, source: str) -> Judged:
    """What one source says now, kept, together with what the others said last."""
    row = (model, source, msgspec.msgpack.encode(found))
    connection.execute("INSERT OR REPLACE INTO judged VALUES (?, ?, ?)", row)
    others = connection.execute("SELECT record FROM judged WHERE model = ? AND source <> ?", (model, source))
    for record in [msgspec.msgpack.decode(one, type=Judged) for (one,) in others.fetchall()]:
        found = replace(
            found,
            causes=found.causes + record.causes,
            upto=record.upto | found.upto,
            near_us=max(found.near_us, record.near_us),
        )
    return found


def _read(connection: sqlite3.Connection, where: str = "", *values: str | int) -> list[Incident]:
    rows = connection.execute(f"SELECT record FROM incidents {where}", values)  # noqa: S608  # fixed texts
    return [msgspec.json.decode(text, type=Incident) for (text,) in rows]


def _one(connection: sqlite3.Connection, incident: str) -> Incident:
    found = _read(connection, "WHERE id = ?", incident)
    if not found:
        known = [one.id for one in _read(connection)]
        raise InputError(
            f"no incident is called {incident!r}", where="incident", fix=did_you_mean(incident, known), status=404
        )
    return found[0]


def _check_move(found: Incident, state: State) -> None:
    if found.state not in MOVES.get(state, ()):
        raise InputError(
            f"{found.id} is {found.state} and cannot become {state}",
            where="incident",
            fix=f"only one that is {' or '.join(MOVES.get(state, ()))} can",
            status=409,
        )


def _write(connection: sqlite3.Connection, changes: Changes) -> None:
    rows: Sequence[tuple[str, str, str]] = [
        (one.id, one.model, msgspec.json.encode(one).decode()) for one in changes.incidents.values()
    ]
    connection.executemany("INSERT OR REPLACE INTO incidents VALUES (?, ?, ?)", rows)
    connection.executemany(
        "INSERT INTO incident_journal (at, incident, state, who, reason) VALUES (?, ?, ?, ?, ?)",
        [msgspec.structs.astuple(one) for one in changes.transitions],
    )
