"""One model's way from segments to table and index; `recorder.py` decides when.

Rows and offsets travel in one commit; the index follows and can always be caught up from the table; a segment is
deleted only when it is sealed and all of it is committed.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from gyroscope.errors import ModelError
from gyroscope.predictions.ids.catch_up import catch_up
from gyroscope.predictions.ids.index import IdIndex
from gyroscope.predictions.recording.attempts import Attempt
from gyroscope.predictions.recording.columns import Column, Origin, arrow_table, version_columns
from gyroscope.predictions.recording.days import Days, days_of
from gyroscope.predictions.recording.decoded import Decoded, Odd, decode
from gyroscope.predictions.recording.numbering import Numbered, number
from gyroscope.predictions.segments.scan import Damage
from gyroscope.predictions.segments.waiting import Piece, Segments
from gyroscope.predictions.segments.wal import Layout
from gyroscope.predictions.tables.commits import Commits
from gyroscope.predictions.tables.rewrite import sync
from gyroscope.records import Version

LOG = logging.getLogger(__name__)

UNKNOWN_VERSION = "unknown version"


class Places(NamedTuple):
    """Where one model's segments, table and index lie, and where segments go that nobody can read."""

    segments: Sequence[Path]
    table: Path
    ids: Path
    damage: Path


class Cycle(NamedTuple):
    """What one cycle did; `is_more`: it came forward, though perhaps without a row, and there is more to read."""

    rows: int
    commits: int
    is_more: bool


class Drain:
    """Reads back where the table is when made, brings the index up to it, and then moves both forward."""

    def __init__(self, places: Places, version_of: Callable[[str], Version], zone: str) -> None:
        self._places = places
        self._version_of = version_of
        self._versions: dict[str, tuple[Version, Layout]] = {}
        self._days = Days(zone)
        self._segments = Segments(places.segments)
        self._commits = Commits(places.table)
        self._offsets = self._commits.offsets()
        self._ids = IdIndex(places.ids)
        catch_up(self._ids, self._commits.table, places.table)

    def close(self) -> None:
        self._ids.close()

    def run_once(self) -> Cycle:
        """Read, commit, index, amend, delete: a kill between any two neither loses nor doubles a row."""
        before = self._offsets
        pieces, is_more = self._segments.read(before)
        for piece in pieces:
            self._ids.keep_damage(piece.name, piece.damages)
        rows = self._record([piece for piece in pieces if self._is_readable(piece)])
        commits = int(rows > 0)
        owed = self._ids.owed()
        if owed:
            self._amend(owed)
            commits += 1
        self._delete(pieces)
        # A batch nobody can read yet is read again: at the pace of commits, or whoever waits for the rest never ends.
        came_forward = self._offsets != before or any(piece.done for piece in pieces)
        return Cycle(rows, commits, is_more and came_forward)

    def reread(self) -> None:
        """Somebody in this process, upkeep or an erasure, made a commit that added no record: see it."""
        self._commits.refresh()
        self._ids.take_in(self._commits.identity, [], [])

    def damage(self) -> int:
        """How many stretches of segments could not be read, ever."""
        return self._ids.damages()

    def counts(self) -> dict[str, int]:
        """What was counted beside the rows: `repeated` ingested records."""
        return self._ids.counts()

    def _record(self, pieces: list[Piece]) -> int:
        """Commit the records of these pieces and index them; the number of rows."""
        names = sorted({piece.version for piece in pieces if len(piece.scan.offsets)})
        parts = {name: self._decode(name, pieces) for name in names}
        days = {name: self._days.of(part.headers["event_time"]) for name, part in parts.items()}
        numbered = number(list(parts.values()), list(days.values()), self._ids)
        offsets = self._next_offsets(pieces)
        if len(numbered.entries):
            table = arrow_table(
                [
                    self._columns(parts[name], numbered, place, Origin(name, _replicas(pieces), *days_of(days[name])))
                    for place, name in enumerate(names)
                    if numbered.verdicts[place].is_kept.any()
                ]
            )
            self._commits.append(table, offsets)
            self._ids.take_in_entries(self._commits.identity, numbered.high, numbered.entries, numbered.amendments)
        self._offsets = offsets
        self._ids.count("repeated", numbered.repeated)
        return table.num_rows if len(numbered.entries) else 0

    def _decode(self, version: str, pieces: list[Piece]) -> Decoded:
        """The records of one version; those of another schema than its own are damage."""
        layout = self._versions[version][1]
        scans = [(source, piece.scan) for source, piece in enumerate(pieces) if piece.version == version]
        decoded, strange = decode(scans, layout)
        for odd in strange:
            self._ids.keep_damage(pieces[odd.source].name, _strange(pieces[odd.source], odd))
        return decoded

    def _columns(self, part: Decoded, numbered: Numbered, place: int, origin: Origin) -> dict[str, Column]:
        layout = self._versions[origin.version][1]
        return version_columns(part, numbered.verdicts[place], origin, layout, self._commits.columns())

    def _amend(self, owed: list[Attempt]) -> None:
        self._commits.amend(owed, self._offsets)
        self._ids.take_in(self._commits.identity, owed, [])

    def _delete(self, pieces: list[Piece]) -> None:
        """Everything of these pieces is committed or written down as damage."""
        done = [piece for piece in pieces if piece.done]
        if done:
            self._check_chain(done)
        for piece in done:
            piece.path.unlink(missing_ok=True)
        self._segments.forget(piece.name for piece in done)

    def _check_chain(self, done: list[Piece]) -> None:
        """A process names in each segment the one it wrote before: one that is gone, or was longer, is missed."""
        books = self._ids.books
        first_known = books.remembers_since()
        books.note_drained([(piece.number, piece.scan.sequence) for piece in done])
        waiting = {path.stem.rpartition("-")[2] for path in self._segments.paths()}
        for piece in done:
            head = piece.head()
            if head is None or not head.previous or f"{head.previous:016x}" in waiting - _numbers(done):
                continue
            records = books.drained(head.previous)
            if records is None and head.previous >= first_known:
                reason = f"segment {head.previous:016x} is missing"
            elif records is not None and records != head.previous_records:
                reason = f"segment {head.previous:016x} had {records} of {head.previous_records} records"
            else:
                continue
            self._ids.keep_damage(piece.name, [Damage(0, 0, reason, b"")])

    def _next_offsets(self, pieces: list[Piece]) -> dict[str, int]:
        """Offsets of segments that still exist; the others were deleted after they were drained."""
        there = {path.name for path in self._segments.paths()}
        kept = {name: end for name, end in self._offsets.items() if name in there}
        return kept | {piece.name: piece.end for piece in pieces}

    def _is_readable(self, piece: Piece) -> bool:
        """Load the version of a piece; without it the segment is set aside, so that it holds up nobody else."""
        if piece.version in self._versions or not len(piece.scan.offsets):
            return True
        try:
            version = self._version_of(piece.version)
        except ModelError as error:
            if piece.done:
                LOG.warning("%s cannot be read and is set aside: %s", piece.name, error)
                self._set_aside(piece)
            return False
        self._versions[piece.version] = (version, Layout(version.signature))
        return True

    def _set_aside(self, piece: Piece) -> None:
        """Keep a segment where a person finds it: moved back, it is drained once the version is there."""
        self._places.damage.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._places.damage / piece.name
        shutil.copyfile(piece.path, path)
        path.chmod(0o600)
        sync(path)
        sync(self._places.damage)
        scan = piece.scan
        self._ids.keep_damage(piece.name, [Damage(scan.start, len(scan.data), UNKNOWN_VERSION, b"")])


def _numbers(pieces: list[Piece]) -> set[str]:
    return {f"{piece.number:016x}" for piece in pieces}


def _replicas(pieces: list[Piece]) -> list[str]:
    return [piece.replica for piece in pieces]


def _strange(piece: Piece, odd: Odd) -> list[Damage]:
    """Of records that are whole but not of this version, all bytes are kept."""
    scan = piece.scan
    return [
        Damage(scan.start + int(at), int(length), "schema", scan.data[at : at + length])
        for at, length in zip(scan.offsets[odd.which], scan.headers["length"][odd.which], strict=True)
    ]
