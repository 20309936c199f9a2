"""What is already folded, in `monitoring.db`: folds per (file, version, cell), their merge per cell, and tallies.

A cell is the smallest stretch kept apart: the window, or the day where windows are longer. Files never change and folds
merge exactly, so a cell is the merge over the files that are there now: rows that came late, attempts that were demoted
and crashes all restate it. Only the loop writes. Losing this file costs time and no number but the journal.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, reduce
from pathlib import Path
from typing import Any

import msgspec

from gyroscope.clock import HOUR_US, EventTime
from gyroscope.database import Database, transaction
from gyroscope.monitoring.fold import Cell, Fold
from gyroscope.monitoring.hours import Hours
from gyroscope.monitoring.tally import Packed
from gyroscope.records import Window
from gyroscope.stats.attribution import FeatureLosses
from gyroscope.stats.performance import Arrivals, Outcomes, SegmentOutcomes
from gyroscope.stats.profiles import Profile

# Part of the meaning of every row here: a change of what a fold counts throws the cache away.
FORMAT = 5

LONGEST_CELL_US = 25 * HOUR_US
"""A day on which clocks go back."""

_COUNTS = (
    "answered",
    "errors",
    "scored",
    "shadow",
    "positives",
    "answered_squares",
    "scored_squares",
    "newest",
    "future",
)
# Windows that are unpacked together: what one costs falls no further, and the bytes of each are kept meanwhile.
_TOGETHER = 32

# Profiles come last: a query that asks for hours reads no page of them.
_FOLD = f"{', '.join(f'{name} INTEGER' for name in _COUNTS)}, hours BLOB, profile BLOB"
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS files (
    model TEXT, path TEXT, day TEXT, is_let_go INTEGER DEFAULT 0, PRIMARY KEY (model, path)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS folds (
    model TEXT, version TEXT, start INTEGER, day TEXT, path TEXT, {_FOLD}, PRIMARY KEY (model, version, start, path)
);
CREATE INDEX IF NOT EXISTS folds_of_file ON folds (model, path);
CREATE TABLE IF NOT EXISTS cells (
    model TEXT, version TEXT, start INTEGER, day TEXT, {_FOLD}, PRIMARY KEY (model, version, start)
);
CREATE INDEX IF NOT EXISTS cells_of_day ON cells (model, day);
CREATE TABLE IF NOT EXISTS tallies (
    model TEXT, version TEXT, start INTEGER, outcomes BLOB, arrivals BLOB, losses BLOB, segments BLOB,
    PRIMARY KEY (model, version, start)
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

    def files(self, model: str) -> dict[str, str]:
        """The paths of all files that are folded and not let go, each with its day."""
        return dict(self._rows("SELECT path, day FROM files WHERE model = ? AND NOT is_let_go", model))

    def replace(self, model: str, gone: Iterable[str], new: Sequence[tuple[str, str, Mapping[Cell, Fold]]]) -> None:
        """Files (path, day, folds) come in the place of others; cells that are the same as before stay clean.

        A file that is there already is replaced, not doubled.
        """
        known = [path for path, _, _ in new if self._rows("SELECT 1 FROM files WHERE model=? AND path=?", model, path)]
        left = self._forget(model, [*gone, *known])
        touched = {*left, *(cell for _, _, folds in new for cell in folds)}
        before = {cell: self._cell(model, cell) for cell in touched}
        for path, day, folds in new:
            self._many("INSERT INTO files(model, path, day) VALUES (?, ?, ?)", [(model, path, day)])
            rows = [(model, cell.version, cell.start, cell.day, path, *_packed(fold)) for cell, fold in folds.items()]
            self._many(_PUT_FOLD, rows)
        for cell, row in before.items():
            if cell in left:
                self._put_cell(model, cell, self._folds(model, cell))
            else:
                stayed = _unpacked([row] if row else [])
                self._put_cell(model, cell, [*stayed, *(folds[cell] for _, _, folds in new if cell in folds)])
        changed = [cell for cell, row in before.items() if _measured(self._cell(model, cell)) != _measured(row)]
        self.mark_dirty(model, changed, has_new_rows=True)

    def let_go(self, model: str, paths: Iterable[str]) -> None:
        """These files were deleted on purpose, whole days of them: what was folded and measured stays."""
        self._many("UPDATE files SET is_let_go = 1 WHERE model = ? AND path = ?", [(model, path) for path in paths])

    def days_let_go(self, model: str) -> set[str]:
        """The days that have lost rows on purpose: their labels can no longer be tallied from the table."""
        return {day for (day,) in self._rows("SELECT DISTINCT day FROM files WHERE model = ? AND is_let_go", model)}

    def drop_version(self, model: str, version: str) -> None:
        """Drop every file with rows of a version: its bins have changed, so all of them are folded anew.

        What cannot be folded anew, because its day was deleted, keeps its signals and loses its cells.
        """
        found = self._rows(
            "SELECT DISTINCT path, is_let_go FROM folds JOIN files USING (model, path) WHERE model = ? AND version = ?",
            *(model, version),
        )
        self.replace(model, [path for path, is_let_go in found if not is_let_go], ())
        keys = [(model, version, path) for path, is_let_go in found if is_let_go]
        for key in keys:
            cells = self._rows("SELECT start FROM folds WHERE model = ? AND version = ? AND path = ?", *key)
            self._many("DELETE FROM cells WHERE model=? AND version=? AND start=?", [(*key[:2], s) for (s,) in cells])
        self._many("DELETE FROM folds WHERE model = ? AND version = ? AND path = ?", keys)

    def cells(self, model: str, version: str, windows: Sequence[Window]) -> list[list[Fold]]:
        """Of each window the cells of a version that start inside it, oldest first."""
        condition = "model = ? AND version = ? AND start >= ? AND start < ? ORDER BY start"
        sql, found = f"{_SELECT} cells WHERE {condition}", list[list[Fold]]()
        for first in range(0, len(windows), _TOGETHER):
            part = windows[first : first + _TOGETHER]
            rows = [self._rows(sql, model, version, window.start, window.end) for window in part]
            folds = iter(_unpacked([row for some in rows for row in some]))
            found += [[next(folds) for _ in some] for some in rows]
        return found

    def hours(self, model: str, stretch: Window) -> dict[str, Hours]:
        """By version the hours that start in a stretch of time; versions without any are left out."""
        since = stretch.start - LONGEST_CELL_US
        condition = "model = ? AND start > ? AND start < ? ORDER BY start"
        found: dict[str, Hours] = {}
        for version, packed in self._rows(
            f"SELECT version, hours FROM cells WHERE {condition}",  # noqa: S608  # fixed
            *(model, since, stretch.end),
        ):
            some = Hours.from_bytes(packed).within(stretch)
            if some.starts.size:
                found[version] = found[version].merge(some) if version in found else some
        return found

    def oldest(self, model: str, since: EventTime) -> EventTime:
        """The first hour at or after a moment that has a row of any version; 0 when there is none."""
        found = self.hours(model, Window(since, EventTime(1 << 62)))
        return EventTime(min((int(one.starts[0]) for one in found.values()), default=0))

    def future(self, model: str) -> int:
        """How many rows are stamped later than they came."""
        return int(self._rows("SELECT coalesce(sum(future), 0) FROM cells WHERE model = ?", model)[0][0])

    def cells_of_days(self, model: str, days: Iterable[str]) -> list[Cell]:
        """The cells of all versions on some days."""
        sql = "SELECT version, start, day FROM cells WHERE model = ? AND day IN (SELECT value FROM json_each(?))"
        return [Cell(*row) for row in self._rows(sql, model, msgspec.json.encode(list(days)).decode())]

    def scored_by_cell(self, model: str, version: str) -> dict[Cell, int]:
        """How many scored rows each cell of a version has, oldest first."""
        rows = self._rows(
            "SELECT version, start, day, scored FROM cells WHERE model = ? AND version = ? ORDER BY start",
            *(model, version),
        )
        return {Cell(*row[:3]): row[3] for row in rows}

    def scored_by_start(self, model: str, window: Window) -> dict[EventTime, int]:
        """How many scored rows all versions of a model have together in each cell of a stretch, by its start."""
        rows = self._rows(
            "SELECT start, sum(scored) FROM cells WHERE model = ? AND start >= ? AND start < ? "
            "GROUP BY start ORDER BY start",
            *(model, window.start, window.end),
        )
        return {EventTime(start): scored for start, scored in rows}

    def newest(self, model: str) -> EventTime:
        """The latest event time of any row, 0 when there is none."""
        return EventTime(self._rows("SELECT coalesce(max(newest), 0) FROM cells WHERE model = ?", model)[0][0])

    def put_tallies(self, model: str, tallies: Mapping[Cell, Packed]) -> None:
        rows = [(model, cell.version, cell.start, *packed) for cell, packed in tallies.items()]
        self._many("INSERT OR REPLACE INTO tallies VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def drop_tallies(self, model: str, cells: Iterable[Cell]) -> None:
        rows = [(model, cell.version, cell.start) for cell in cells]
        self._many("DELETE FROM tallies WHERE model = ? AND version = ? AND start = ?", rows)

    def tallies(self, model: str, version: str, window: Window) -> list[Outcomes]:
        """The outcomes of the cells of a version that start inside a window, oldest first."""
        return [_outcomes(packed) for packed in self.packed_tallies(model, version, window).values()]

    def packed_tallies(self, model: str, version: str, window: Window) -> dict[EventTime, bytes]:
        """The same by start of the cell, as they lie in the file."""
        rows = self._rows(
            "SELECT start, outcomes FROM tallies "
            "WHERE model = ? AND version = ? AND start >= ? AND start < ? ORDER BY start",
            *(model, version, window.start, window.end),
        )
        return {EventTime(start): packed for start, packed in rows}

    def losses(self, model: str, version: str, window: Window) -> list[FeatureLosses]:
        """What the labelled rows of the cells of a version in a window lost, by feature; all on the same bins."""
        rows = self._rows(
            "SELECT losses FROM tallies JOIN cells USING (model, version, start) "
            "WHERE model = ? AND version = ? AND start >= ? AND start < ? ORDER BY start",
            *(model, version, window.start, window.end),
        )
        return [FeatureLosses.from_bytes(packed) for (packed,) in rows]

    def labelled(self, model: str, version: str, window: Window) -> list[tuple[Outcomes, SegmentOutcomes]]:
        """The outcomes of the cells of a version in a window, in all and by segment, oldest first."""
        rows = self._rows(
            "SELECT outcomes, segments FROM tallies "
            "WHERE model = ? AND version = ? AND start >= ? AND start < ? ORDER BY start",
            *(model, version, window.start, window.end),
        )
        return [(_outcomes(outcomes), _segments(segments)) for outcomes, segments in rows]

    def segments(self, model: str, version: str, window: Window) -> list[SegmentOutcomes]:
        """The outcomes by segment of the cells of a version in a window, oldest first."""
        rows = self._rows(
            "SELECT segments FROM tallies WHERE model = ? AND version = ? AND start >= ? AND start < ? ORDER BY start",
            *(model, version, window.start, window.end),
        )
        return [_segments(packed) for (packed,) in rows]

    def arrivals(self, model: str, version: str, window: Window) -> dict[EventTime, tuple[int, Arrivals]]:
        """By start of each cell of a version in a window: its scored rows, and when their labels came."""
        rows = self._rows(
            "SELECT start, scored, arrivals FROM tallies JOIN cells USING (model, version, start) "
            "WHERE model = ? AND version = ? AND start >= ? AND start < ?",
            *(model, version, window.start, window.end),
        )
        return {EventTime(start): (scored, _arrivals(packed)) for start, scored, packed in rows}

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

    def _forget(self, model: str, paths: Sequence[str]) -> dict[Cell, None]:
        """Delete files and their folds; the cells that these were part of."""
        cells: dict[Cell, None] = {}
        for path in paths:
            found = self._rows("SELECT version, start, day FROM folds WHERE model = ? AND path = ?", model, path)
            cells |= dict.fromkeys(Cell(*row) for row in found)
        keys = [(model, path) for path in paths]
        self._many("DELETE FROM folds WHERE model = ? AND path = ?", keys)
        self._many("DELETE FROM files WHERE model = ? AND path = ?", keys)
        return cells

    def _cell(self, model: str, cell: Cell) -> tuple[Any, ...] | None:
        found = self._rows(f"{_SELECT} cells WHERE {_OF_CELL}", model, cell.version, cell.start)
        return found[0] if found else None

    def _folds(self, model: str, cell: Cell) -> list[Fold]:
        rows = self._rows(f"{_SELECT} folds WHERE {_OF_CELL}", model, cell.version, cell.start)
        return _unpacked(rows)

    def _put_cell(self, model: str, cell: Cell, folds: list[Fold]) -> None:
        key = (model, cell.version, cell.start)
        if not folds:
            self._many("DELETE FROM cells WHERE model = ? AND version = ? AND start = ?", [key])
            return
        whole = _packed(reduce(Fold.merge, folds))
        self._many(_PUT_CELL, [(*key, cell.day, *whole)])

    def _many(self, sql: str, rows: Sequence[tuple[object, ...]]) -> None:
        with self._database.errors_named(), self._lock:
            self._db.executemany(sql, rows)

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with self._database.errors_named(), self._lock:
            return self._db.execute(sql, values).fetchall()


# Windows without labels, the most where labels are late, all have the same bytes; what is read is never changed.
_outcomes = lru_cache(maxsize=512)(Outcomes.from_bytes)
_segments = lru_cache(maxsize=512)(SegmentOutcomes.from_bytes)
_arrivals = lru_cache(maxsize=4_096)(Arrivals.from_bytes)

_WIDTH = len(_COUNTS) + 2
_SELECT = f"SELECT {', '.join(_COUNTS)}, hours, profile FROM"  # fixed names
_OF_CELL = "model = ? AND version = ? AND start = ?"
_PUT_FOLD = f"INSERT INTO folds VALUES ({', '.join('?' * (5 + _WIDTH))})"  # noqa: S608  # nothing but marks
_PUT_CELL = f"INSERT OR REPLACE INTO cells VALUES ({', '.join('?' * (4 + _WIDTH))})"  # noqa: S608  # as above


def _measured(row: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    """All but the hours: their sums of floats depend on the order of files in the last digit, and no window on them."""
    return None if row is None else (*row[:-2], row[-1])


def _packed(fold: Fold) -> tuple[int | bytes, ...]:
    return (*(getattr(fold, name) for name in _COUNTS), fold.hours.to_bytes(), fold.profile.to_bytes())


def _unpacked(rows: Sequence[tuple[Any, ...]]) -> list[Fold]:
    profiles = Profile.read_all([row[-1] for row in rows])
    return [
        Fold(profile=profile, hours=Hours.from_bytes(row[-2]), **dict(zip(_COUNTS, row[:-2], strict=True)))
        for row, profile in zip(rows, profiles, strict=True)
    ]
