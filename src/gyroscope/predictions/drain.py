"""One model's way from segments to table and index; `recorder.py` decides when.

Rows and offsets travel in one commit; the index follows and can always be caught up from the table; a segment is
deleted only when it is sealed and all of it is committed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from gyroscope.clock import EventTime, day_of
from gyroscope.predictions.attempts import Attempt, input_hash, judge
from gyroscope.predictions.columns import Logged, arrow_table, group_columns
from gyroscope.predictions.commits import Commits
from gyroscope.predictions.ids import IdIndex
from gyroscope.predictions.segments import Piece, read_pieces
from gyroscope.predictions.wal import Damage, Layout, Record
from gyroscope.records import Version

HOUR_US = 3_600 * 1_000_000


class Drain:
    """Reads back where the table is when made, brings the index up to it, and then moves both forward."""

    def __init__(
        self, *, segments: Path, table: Path, ids: Path, version_of: Callable[[str], Version], zone: str
    ) -> None:
        self._segments = segments
        self._version_of = version_of
        self._versions: dict[str, tuple[Version, Layout]] = {}
        self._day = _Days(zone)
        self._commits = Commits(table)
        self._offsets = self._commits.offsets()
        self._ids = IdIndex(ids)
        self._catch_up()

    def close(self) -> None:
        self._ids.close()

    def reread(self) -> None:
        """Go on from a table that upkeep has changed: other files, perhaps fewer days, no new attempt."""
        self._commits.reopen()
        self._ids.take_in(self._commits.identity, [], [])

    def run_once(self) -> tuple[int, int]:
        """(rows written, commits made)."""
        pieces = self._readable(read_pieces(self._segments, self._offsets))
        rows = self._record(pieces)
        commits = int(rows > 0)
        owed = self._ids.owed()
        if owed:
            self._amend(owed)
            commits += 1
        self._delete(pieces)
        return rows, commits

    def _record(self, pieces: list[Piece]) -> int:
        for piece in pieces:
            self._ids.keep_damage(piece.name, piece.damages)
        logged, amendments = self._judge(pieces)
        if not logged:
            return 0
        known = self._commits.columns()
        groups = [
            group_columns([item for item in logged if item.version == name], version.signature, layout, known)
            for name, (version, layout) in self._versions.items()
            if any(item.version == name for item in logged)
        ]
        offsets = self._next_offsets(pieces)
        self._commits.append(arrow_table(groups), offsets)
        self._offsets = offsets
        self._ids.take_in(self._commits.identity, [item.attempt for item in logged], amendments)
        return sum(item.record.rows for item in logged)

    def _judge(self, pieces: list[Piece]) -> tuple[list[Logged], list[Attempt]]:
        """Number the new attempts in the order of their arrival; say which earlier ones have to change."""
        logged = [
            Logged(record, self._attempt(record), piece.replica, piece.version)
            for piece in pieces
            for record in piece.records
        ]
        logged.sort(key=lambda item: item.record.arrival_time)
        earlier = self._ids.attempts({item.record.request_id for item in logged})
        every: dict[str, list[Attempt]] = {}
        for item in logged:
            attempts = every.setdefault(item.attempt.request_id, earlier.get(item.attempt.request_id, []).copy())
            item.attempt.attempt = len(attempts) + 1
            attempts.append(item.attempt)
        new = {id(item.attempt) for item in logged}
        return logged, [
            changed for attempts in every.values() if len(attempts) > 1 for changed in _settle(attempts, new)
        ]

    def _attempt(self, record: Record) -> Attempt:
        return Attempt(
            request_id=record.request_id,
            attempt=1,
            day=self._day.of(record.event_time),
            input_hash=input_hash(record),
            arrived_at=record.arrival_time,
            rows=record.rows if record.outputs and record.status < 400 else 0,
        )

    def _amend(self, owed: list[Attempt]) -> None:
        self._commits.amend(owed, self._offsets)
        self._ids.take_in(self._commits.identity, owed, [])

    def _delete(self, pieces: list[Piece]) -> None:
        """Everything of these pieces is committed or written down as damage."""
        for piece in pieces:
            if piece.done:
                (self._segments / piece.name).unlink(missing_ok=True)

    def _next_offsets(self, pieces: list[Piece]) -> dict[str, int]:
        """Offsets of segments that still exist; the others were deleted after they were drained."""
        kept = {name: end for name, end in self._offsets.items() if (self._segments / name).exists()}
        return kept | {piece.name: piece.end for piece in pieces}

    def _readable(self, pieces: list[Piece]) -> list[Piece]:
        """Load the versions that the pieces need; a record of another schema than its version's is damage."""
        checked = []
        for piece in pieces:
            if piece.records and piece.version not in self._versions:
                version = self._version_of(piece.version)
                self._versions[piece.version] = (version, Layout(version.signature))
            checked.append(self._with_schema(piece))
        return checked

    def _with_schema(self, piece: Piece) -> Piece:
        if not piece.records:
            return piece
        schema_id = self._versions[piece.version][1].schema_id
        strange = [record for record in piece.records if record.schema_id != schema_id]
        if not strange:
            return piece
        return msgspec.structs.replace(
            piece,
            records=[record for record in piece.records if record.schema_id == schema_id],
            damages=piece.damages + [_strange(record) for record in strange],
        )

    def _catch_up(self) -> None:
        """Bring the index to the table's version: after a crash, or when it was lost."""
        identity = self._commits.identity
        table_id, version = self._ids.reflects
        if (table_id, version) == identity or (version < 0 and identity[1] < 0):
            return
        if table_id != identity[0] or version > identity[1]:
            self._ids.forget()
            version = -1
        attempts = self._commits.attempts_since(version)
        if attempts is None:
            self._ids.forget()
            attempts = self._commits.attempts_since(-1) or []
        self._ids.take_in(identity, attempts, [])
        changed = [
            change
            for of_one in self._ids.attempts({attempt.request_id for attempt in attempts}).values()
            if len(of_one) > 1
            for change in _settle(of_one, set())
        ]
        self._ids.take_in(identity, [], changed)


class _Days:
    """The calendar day of many event times; a zone is asked once per hour of event time."""

    def __init__(self, zone: str) -> None:
        self._zone = zone
        self._by_hour: dict[int, str] = {}

    def of(self, event_time: int) -> str:
        day = self._by_hour.get(event_time // HOUR_US)
        return day if day is not None else self._ask(event_time)

    def _ask(self, event_time: int) -> str:
        hour = event_time // HOUR_US
        first = day_of(EventTime(event_time), self._zone)
        edges = (hour * HOUR_US, (hour + 1) * HOUR_US - 1)
        if len(self._by_hour) > 100_000:
            self._by_hour.clear()
        # Zones begin their day inside an hour of UTC too (India, Nepal): then this hour is asked each time.
        if all(day_of(EventTime(edge), self._zone) == first for edge in edges):
            self._by_hour[hour] = first
        return first


def _settle(attempts: list[Attempt], new: set[int]) -> list[Attempt]:
    """Set the flags of new attempts; return earlier ones, as they shall become, whose flags in the table differ."""
    changed = []
    flags = judge(attempts)
    for attempt in attempts:
        answered, conflict = flags[attempt.attempt]
        if id(attempt) in new:
            attempt.answered, attempt.conflict = answered, conflict
        elif (attempt.answered, attempt.conflict) != (answered, conflict):
            changed.append(msgspec.structs.replace(attempt, answered=answered, conflict=conflict))
    return changed


def _strange(record: Record) -> Damage:
    # Of a record that is whole but not of this version, the ids are kept: enough to find who wrote it.
    about = f"{record.request_id}\n{record.event_time}\n{record.status}".encode()
    return Damage(record.offset, record.length, "schema", about)
