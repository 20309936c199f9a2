"""Taking one subject out of a model's log for good: rows, labels, index, and every copy in old files.

Only the holder of the recorder's lock calls it, after all segments were drained. What a subject is called is data of
strangers: it is bound to statements, never made part of one, and written into no log, not even that of the erasure.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal

import msgspec
from deltalake.exceptions import DeltaError

from gyroscope.database import Database
from gyroscope.errors import StoreError
from gyroscope.predictions.ids.index import OWED, IdIndex, ids_path
from gyroscope.predictions.keeping.blank import Wanted, blank, blank_file, wanted
from gyroscope.predictions.keeping.sweep import remove_now, trim_log
from gyroscope.predictions.keeping.upkeep import newest_metadata
from gyroscope.predictions.labels.books import erase_labels, scrub
from gyroscope.predictions.segments.look import number_of
from gyroscope.predictions.tables.durable import sync_checkpoint
from gyroscope.predictions.tables.rewrite import Change, Writer, commit, live_files, open_table
from gyroscope.predictions.tables.table import table_path

FIELDS = {"request-id": "request_id", "entity": "entity_key", "where-client": "client_id"}
ERRAND = "erase-"
"""How the file begins that asked for this; it goes when it is answered."""


class Subject(msgspec.Struct, frozen=True):
    """Whose rows: all with this request id, of this entity, or that this client sent."""

    by: Literal["request-id", "entity", "where-client"]
    value: str

    def __repr__(self) -> str:
        return f"Subject({self.by})"


class Erased(msgspec.Struct, frozen=True):
    """What went. `left_in` are files outside the table that still hold the value: see docs/operations.md."""

    rows: int
    requests: int
    labels: int
    files: int
    days: tuple[str, ...]
    removed_files: int
    left_in: tuple[str, ...]


def erase(home: Path, runtime: Path, model: str, subject: Subject) -> Erased:
    """Do it; a crash at any point is made good by doing it again. Raises `StoreError`."""
    path = table_path(home, model)
    delta = open_table(path)
    if delta is None:
        labels = erase_labels(home, model, [], _names(subject))
        return Erased(0, 0, labels, 0, (), 0, tuple(_left_in(home, runtime, subject.value)))
    condition, values = f"{FIELDS[subject.by]} = ?", [subject.value]
    with closing(Writer(path)) as writer:
        found = {file: ids for file in live_files(delta) if (ids := writer.ids(file, condition, values))}
        requests = sorted({one for ids in found.values() for one in ids})
        # Labels first: their requests are known from the rows, and are looked for again after a crash.
        labels = erase_labels(home, model, requests, _names(subject))
        kept = [writer.without(file, condition, values) for file in found]
    made = tuple(file for file in kept if file is not None)
    rows = sum(file.rows for file in found) - sum(file.rows for file in made)
    if found:
        commit(path, Change(tuple(found), made), newest_metadata(delta))
    removed = _forget_old_files(path)
    _forget_in_index(home, model, _whose(subject, requests))
    left = tuple(_left_in(home, runtime, subject.value))
    days = tuple(sorted({file.day for file in found}))
    return Erased(rows, len(requests), labels, len(found), days, removed, left)


def _whose(subject: Subject, requests: list[str]) -> Wanted:
    """Records of these requests, and those that name the subject where its kind is named."""
    field = FIELDS[subject.by]
    if field == "request_id":
        return wanted({field: [subject.value, *requests]})
    return wanted({"request_id": requests, field: [subject.value]})


def _names(subject: Subject) -> list[str]:
    """Labels name a request or an entity; which client sent a prediction they do not know."""
    return [] if subject.by == "where-client" else [subject.value]


def _forget_old_files(path: Path) -> int:
    """Files that were taken out, now or earlier, and the pages of the log, whose statistics quote the smallest ids."""
    delta = open_table(path)
    if delta is None:
        return 0
    try:
        delta.create_checkpoint()
    except (DeltaError, OSError) as error:
        raise _broken(path, error) from error
    sync_checkpoint(path, int(delta.version()))
    trim_log(path, keep=0)
    return remove_now(path, [file.path for file in live_files(delta)])


def _forget_in_index(home: Path, model: str, whose: Wanted) -> None:
    """The index is made again from the table; damaged records of the subject, and those set aside, are emptied."""
    with closing(IdIndex(ids_path(home, model))) as index:
        index.forget()
    path = ids_path(home, model) / OWED
    database = Database(path, "the list of damage cannot be written", "make room, then try again")
    with database.opened() as db:
        db.execute("PRAGMA secure_delete = ON")
        places = db.execute("SELECT rowid, segment, offset FROM damage").fetchall()
        for place, segment, offset in places:
            (data,) = db.execute("SELECT data FROM damage WHERE rowid = ?", (place,)).fetchone()
            # Damage at byte 0 is no head any more; what is looked for are the records in it.
            blanked = blank(data, number_of(Path(segment)), max(offset, 1), whose)
            if blanked != data:
                db.execute("UPDATE damage SET data = ? WHERE rowid = ?", (blanked, place))
        scrub(db)
    for copy in (home / "damage" / model).glob("*.seg"):
        blank_file(copy, whose)


def _left_in(home: Path, runtime: Path, value: str) -> Iterator[str]:
    """Where the value can still be read: segments that are being written to, logs, settings."""
    wanted = value.encode()
    for place in (home, runtime):
        for path in sorted(place.rglob("*")):
            is_looked_at = path.is_file() and not path.is_symlink() and not path.name.startswith(ERRAND)
            if is_looked_at and not path.parent.name.startswith("day=") and _holds(path, wanted):
                yield str(path)


def _holds(path: Path, wanted: bytes) -> bool:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return data.find(wanted) >= 0
    except (OSError, ValueError):
        return False  # gone, or empty


def _broken(path: Path, error: Exception) -> StoreError:
    return StoreError(
        f"a checkpoint of the table cannot be made: {error}",
        where=str(path),
        fix="make room and try again: rows are gone from the table, but not yet from its old files",
    )
