"""What is already folded, in `monitoring.db`: folds per (file, version, cell), their merge per cell, and tallies.

A cell is the smallest stretch kept apart: the window, or the day where windows are longer. Files never change and folds
merge exactly, so a cell is the merge over the files that are there now: rows that came late, attempts that were demoted
and crashes all restate it. Only the loop writes. Losing this file costs time and no number but the journal.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from gyroscope.clock import EventTime
from gyroscope.database import Database, transaction
from gyroscope.monitoring.fold import Cell, Fold
from gyroscope.records import Window
from gyroscope.stats.performance import Outcomes
from gyroscope.stats.profiles import Profile

# Part of the meaning of every row here: a change of what a fold counts throws the cache away.
FORMAT = 1

_FOLD = "answered INTEGER, errors INTEGER, scored INTEGER, positives INTEGER, newest INTEGER, profile BLOB"
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS files (model TEXT, path TEXT, day TEXT, PRIMARY KEY (model, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS folds (
    model TEXT, version TEXT, start INTEGER, day TEXT, path TEXT, {_FOLD}, PRIMARY KEY (model, version, start, path)
);
CREATE INDEX IF NOT EXISTS folds_of_file ON folds (model, path);
CREATE TABLE IF NOT EXISTS cells (
    model TEXT, version TEXT, start INTEGER, day TEXT, {_FOLD}, PRIMARY KEY (model, version, start)
);
CREATE INDEX IF NOT EXISTS cells_of_day ON cells (model, day);
CREATE TABLE IF NOT EXISTS tallies (
    model TEXT, version TEXT, start INTEGER, outcomes BLOB, PRIMARY KEY (model, version, start)
);
CREATE TABLE IF NOT EXISTS dirty (
    model TEXT, version TEXT, start INTEGER, day TEXT, has_new_rows INTEGER, PRIMARY KEY (model, version, start)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS standards (model TEXT, version TEXT, digest TEXT, PRIMARY KEY (model, version));
CREATE TABLE IF NOT EXISTS journal (at INTEGER, model TEXT, version TEXT, decision TEXT, reason TEXT, evidence TEXT);
"""
_DERIVED = ("files", "folds", "cells", "tallies", "dirty", "standards")
# One transaction: nobody meets the new format without its tables.
_MAKE_ANEW = f"""
BEGIN IMMEDIATE;
{"".join(f"DROP TABLE IF EXISTS {table};" for table in _DERIVED)}
{_SCHEMA}
PRAGMA user_version = {FORMAT};
COMMIT;
"""


class Entry(msgspec.Struct, frozen=True):
    """One line of the journal: a decision, why, and on what."""

    at: EventTime
    model: str
    version: str
    decision: str
    reason: str
    evidence: str


class Cache:
    """The cache of all models of one home. One process writes; its threads may share it."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._database = Database(
            path,
            "the cache of the monitors cannot be used",
            "check free space; the file may be deleted, it is made again from tables and labels",
        )
        self._db = self._database.connect()
        if self._rows("PRAGMA user_version")[0][0] != FORMAT:
            with self._database.errors_named():
                self._db.executescript(_MAKE_ANEW)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: what was folded and what it made dirty are written together."""
        with self._database.errors_named(), self._lock, transaction(self._db):
            yield

    def files(self, model: str) -> set[str]:
        """The paths of all files that are folded."""
        return {path for (path,) in self._rows("SELECT path FROM files WHERE model = ?", model)}

    def add_file(self, model: str, path: str, day: str, folds: Mapping[Cell, Fold]) -> None:
        """Keep a file's folds and merge them into their cells; one that is there already is replaced, not doubled."""
        if self._rows("SELECT 1 FROM files WHERE model = ? AND path = ?", model, path):
            self.drop_file(model, path)
        self._many("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", [(model, path, day)])
        for cell, fold in folds.items():
            key = (model, cell.version, cell.start, cell.day)
            self._many("INSERT OR REPLACE INTO folds VALUES (?,?,?,?,?,?,?,?,?,?,?)", [(*key, path, *_packed(fold))])
            known = self.cells(model, cell.version, Window(cell.start, EventTime(cell.start + 1)))
            self._put_cell(model, cell, [*known, fold])
        self.mark_dirty(model, folds, has_new_rows=True)

    def drop_file(self, model: str, path: str) -> None:
        """A file that is no longer part of the table: its cells are merged anew from the others."""
        gone = self._rows("SELECT version, start, day FROM folds WHERE model = ? AND path = ?", model, path)
        self._many("DELETE FROM folds WHERE model = ? AND path = ?", [(model, path)])
        self._many("DELETE FROM files WHERE model = ? AND path = ?", [(model, path)])
        cells = [Cell(*row) for row in gone]
        for cell in cells:
            left = self._rows(
                f"{_SELECT} folds WHERE model=? AND version=? AND start=?", model, cell.version, cell.start
            )
            self._put_cell(model, cell, [_unpacked(row) for row in left])
        self.mark_dirty(model, cells, has_new_rows=True)

    def drop_version(self, model: str, version: str) -> None:
        """Drop every file with rows of a version: its bins have changed, so all of them are folded anew."""
        for (path,) in self._rows("SELECT DISTINCT path FROM folds WHERE model = ? AND version = ?", model, version):
            self.drop_file(model, path)

    def cells(self, model: str, version: str, window: Window) -> list[Fold]:
        """The cells of a version that start inside a window, oldest first."""
        condition = "model = ? AND version = ? AND start >= ? AND start < ? ORDER BY start"
        rows = self._rows(f"{_SELECT} cells WHERE {condition}", model, version, window.start, window.end)
        return [_unpacked(row) for row in rows]

    def cells_of_day(self, model: str, day: str) -> list[Cell]:
        rows = self._rows("SELECT version, start, day FROM cells WHERE model = ? AND day = ?", model, day)
        return [Cell(*row) for row in rows]

    def scored_by_cell(self, model: str, version: str) -> dict[Cell, int]:
        """How many scored rows each cell of a version has, oldest first."""
        rows = self._rows(
            "SELECT version, start, day, scored FROM cells WHERE model = ? AND version = ? ORDER BY start",
            *(model, version),
        )
        return {Cell(*row[:3]): row[3] for row in rows}

    def newest(self, model: str) -> EventTime:
        """The latest event time of any row, 0 when there is none."""
        return EventTime(self._rows("SELECT coalesce(max(newest), 0) FROM cells WHERE model = ?", model)[0][0])

    def put_tallies(self, model: str, tallies: Mapping[Cell, Outcomes]) -> None:
        rows = [(model, cell.version, cell.start, outcomes.to_bytes()) for cell, outcomes in tallies.items()]
        self._many("INSERT OR REPLACE INTO tallies VALUES (?, ?, ?, ?)", rows)

    def drop_tallies(self, model: str, cells: Iterable[Cell]) -> None:
        rows = [(model, cell.version, cell.start) for cell in cells]
        self._many("DELETE FROM tallies WHERE model = ? AND version = ? AND start = ?", rows)

    def tallies(self, model: str, version: str, window: Window) -> list[Outcomes]:
        """The outcomes of the cells of a version that start inside a window, oldest first."""
        rows = self._rows(
            "SELECT outcomes FROM tallies WHERE model = ? AND version = ? AND start >= ? AND start < ? ORDER BY start",
            *(model, version, window.start, window.end),
        )
        return [Outcomes.from_bytes(packed) for (packed,) in rows]

    def mark_dirty(self, model: str, cells: Iterable[Cell], *, has_new_rows: bool) -> None:
        """These cells are to be measured again: everything, or only what labels change."""
        rows = [(model, cell.version, cell.start, cell.day, has_new_rows) for cell in cells]
        self._many(
            "INSERT INTO dirty VALUES (?, ?, ?, ?, ?) ON CONFLICT (model, version, start) "
            "DO UPDATE SET has_new_rows = max(has_new_rows, excluded.has_new_rows)",
            rows,
        )

    def dirty(self, model: str) -> dict[Cell, bool]:
        """Every cell to be measured, oldest first, and whether its rows have changed."""
        rows = self._rows("SELECT version, start, day, has_new_rows FROM dirty WHERE model = ? ORDER BY start", model)
        return {Cell(*row[:3]): bool(row[3]) for row in rows}

    def mark_clean(self, model: str, cells: Iterable[Cell]) -> None:
        rows = [(model, cell.version, cell.start) for cell in cells]
        self._many("DELETE FROM dirty WHERE model = ? AND version = ? AND start = ?", rows)

    def standard(self, model: str, version: str) -> str:
        """The digest of the reference that a version's folds were made for; empty when they were made without one."""
        rows = self._rows("SELECT digest FROM standards WHERE model = ? AND version = ?", model, version)
        return str(rows[0][0]) if rows else ""

    def put_standard(self, model: str, version: str, digest: str) -> None:
        self._many("INSERT OR REPLACE INTO standards VALUES (?, ?, ?)", [(model, version, digest)])

    def write_down(self, entry: Entry) -> None:
        self._many("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?)", [msgspec.structs.astuple(entry)])

    def journal(self, model: str) -> list[Entry]:
        """Every decision about a model, oldest first."""
        return [Entry(*row) for row in self._rows("SELECT * FROM journal WHERE model = ? ORDER BY rowid", model)]

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _put_cell(self, model: str, cell: Cell, folds: list[Fold]) -> None:
        key = (model, cell.version, cell.start)
        if not folds:
            self._many("DELETE FROM cells WHERE model = ? AND version = ? AND start = ?", [key])
            return
        whole = folds[0]
        for fold in folds[1:]:
            whole = whole.merge(fold)
        self._many("INSERT OR REPLACE INTO cells VALUES (?,?,?,?,?,?,?,?,?,?)", [(*key, cell.day, *_packed(whole))])

    def _many(self, sql: str, rows: Sequence[tuple[object, ...]]) -> None:
        with self._database.errors_named(), self._lock:
            self._db.executemany(sql, rows)

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with self._database.errors_named(), self._lock:
            return self._db.execute(sql, values).fetchall()


_SELECT = "SELECT answered, errors, scored, positives, newest, profile FROM"


def _packed(fold: Fold) -> tuple[int, int, int, int, int, bytes]:
    return (fold.answered, fold.errors, fold.scored, fold.positives, fold.newest, fold.profile.to_bytes())


def _unpacked(row: tuple[Any, ...]) -> Fold:
    answered, errors, scored, positives, newest, packed = row
    return Fold(
        profile=Profile.from_bytes(packed),
        answered=answered,
        errors=errors,
        scored=scored,
        positives=positives,
        newest=newest,
    )
