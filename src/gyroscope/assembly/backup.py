"""`gyro backup`: the whole state of a home in one file, taken while everything runs.

In this order: segments, databases, tables. A record that was acknowledged before is in the copied segment or in the
copied table, and the offsets in the table's newest commit say which, so a restored recorder takes each exactly once.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO

import msgspec

import gyroscope
from gyroscope.assembly.archive import FORMAT, Manifest, Packer
from gyroscope.assembly.house import House
from gyroscope.assembly.snapshot import snapshot
from gyroscope.clock import iso, wall_now
from gyroscope.errors import StoreError
from gyroscope.predictions.keeping.upkeep import newest_metadata, offsets_of
from gyroscope.predictions.segments.copy import end_of, segment_copy
from gyroscope.predictions.tables.commits import RECENT
from gyroscope.predictions.tables.rewrite import open_table, sync

HOME, SEGMENTS, SETTINGS = "home", "segments", "gyroscope.yaml"
STAGE = ".backup-"
NOT_COPIED = {"run", "logs", "segments"}
"""What belongs to the processes of this machine. Segments are copied by themselves."""

AUDIT = "audit.log"
SQLITE = b"SQLite format 3\0"


class BackupReport(msgspec.Struct, frozen=True):
    """What a backup holds; `tables` maps models to the version of their table."""

    path: str
    bytes: int
    files: int
    segments: int
    tables: dict[str, int]
    has_keys: bool


def backup(house: House, target: Path, *, with_keys: bool = True) -> BackupReport:
    """Write one, whole or not at all, readable by its owner alone. Serving and recording go on.

    Raises `StoreError` when there is something at `target`, when it lies in the home, or when the disk is too small.
    """
    _check(house, target)
    began_at = iso(wall_now())
    with (
        _part(target) as part,
        _stage(house.home) as stage,
        tempfile.TemporaryDirectory(dir=target.parent) as scratch,
        closing(Packer(part, is_zipped=target.name.endswith("gz"))) as packer,
    ):
        copied = _copy_segments(house, Path(scratch) / SEGMENTS)
        _add_databases(packer, house.home, Path(scratch), with_keys=with_keys)
        waiting = _still_there(house, copied)
        tables = {path.name: snapshot(path, stage / path.name) for path in _tables(house.home)}
        segments = _add_segments(packer, waiting, {model: _offsets(stage / model) for model in tables})
        for name in _files(stage):
            packer.add(f"{HOME}/tables/{name}", stage / name)
        _add_files(packer, house.home, with_keys=with_keys)
        packer.add(SETTINGS, house.settings_path)
        packer.finish(Manifest(FORMAT, gyroscope.__version__, began_at, tables, with_keys, ()))
    size = target.stat().st_size
    return BackupReport(str(target), size, len(packer.members), segments, tables, with_keys)


def _check(house: House, target: Path) -> None:
    if not target.name.endswith((".tar", ".tar.gz", ".tgz")):
        raise StoreError("a backup is a .tar, .tar.gz or .tgz", where=str(target), fix="name it so")
    if target.exists():
        raise StoreError("there is something there already", where=str(target), fix="choose another name")
    if not target.parent.is_dir():
        raise StoreError("there is no such folder", where=str(target.parent), fix="make it first")
    if target.resolve().is_relative_to(house.home.resolve()):
        raise StoreError("a backup inside the home would be lost with it", where=str(target), fix="another disk")
    wanted = sum(path.stat().st_size for path in house.home.rglob("*") if path.is_file() and not path.is_symlink())
    free = shutil.disk_usage(target.parent).free
    if wanted > free:
        raise StoreError(
            f"a backup takes up to {wanted:,} bytes, {free:,} are free",
            where=str(target.parent),
            fix="make room there, or choose another disk",
        )


@contextmanager
def _part(target: Path) -> Iterator[IO[bytes]]:
    """A file under another name that gets its own when all is on the disk."""
    part = target.with_name(f".{target.name}.part")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.rename(target)
        sync(target.parent)
    except OSError as error:
        raise StoreError(f"the backup cannot be written: {error}", where=str(target), fix="make room") from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _stage(home: Path) -> Iterator[Path]:
    """A folder in the home for second names of files that the recorder may remove meanwhile."""
    for left in home.glob(f"{STAGE}*"):
        _remove_if_left(left)
    stage = Path(tempfile.mkdtemp(prefix=STAGE, dir=home))
    fd = os.open(stage, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield stage
    finally:
        os.close(fd)
        shutil.rmtree(stage, ignore_errors=True)


def _remove_if_left(folder: Path) -> None:
    """Of a backup that was killed: nobody holds its lock."""
    with suppress(OSError):
        fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
        finally:
            os.close(fd)


def _copy_segments(house: House, scratch: Path) -> list[Path]:
    """Of both places, first of all; one that the recorder deletes meanwhile is wholly in the table."""
    copies = []
    for place in (house.segments, house.home / SEGMENTS):
        for path in sorted(place.glob("*/*.seg")):
            with suppress(FileNotFoundError):
                data = segment_copy(path)
                copies.append(scratch / path.parent.name / path.name)
                copies[-1].parent.mkdir(parents=True, exist_ok=True)
                copies[-1].write_bytes(data)
    return copies


def _still_there(house: House, copies: list[Path]) -> list[Path]:
    """Without those that were drained and deleted since: the table has all of them, and its next commits forget so."""
    places = (house.segments, house.home / SEGMENTS)
    return [path for path in copies if any((place / path.parent.name / path.name).exists() for place in places)]


def _add_segments(packer: Packer, copies: list[Path], offsets: dict[str, dict[str, int]]) -> int:
    """Those that hold something which the copied table does not."""
    count = 0
    for path in copies:
        model = path.parent.name
        if offsets.get(model, {}).get(path.name, 0) < end_of(path):
            packer.add(f"{HOME}/{SEGMENTS}/{model}/{path.name}", path)
            count += 1
    return count


def _offsets(table: Path) -> dict[str, int]:
    """Segment -> how far the copied table has it; what was deleted lately is in its last commits only."""
    delta = open_table(table)
    if delta is None:
        return {}
    offsets = offsets_of(newest_metadata(delta))
    for entry in delta.history(RECENT):
        for name, end in offsets_of(entry).items():
            offsets[name] = max(end, offsets.get(name, 0))
    return offsets


def _add_databases(packer: Packer, home: Path, scratch: Path, *, with_keys: bool) -> None:
    """Before the tables: what is still owed to a table must not be younger than the table."""
    for name in _kept(home, with_keys=with_keys):
        path = home / name
        if _is_database(path):
            copy = scratch / "copy.db"
            _copy_database(path, copy)
            packer.add(f"{HOME}/{name}", copy)
            copy.unlink()


def _copy_database(path: Path, copy: Path) -> None:
    """In one read transaction, which holds up no writer."""
    try:
        reading = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        with closing(reading) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise StoreError(f"a database cannot be copied: {error}", where=str(path), fix="run gyro doctor") from error


def _add_files(packer: Packer, home: Path, *, with_keys: bool) -> None:
    for name in _kept(home, with_keys=with_keys):
        with suppress(FileNotFoundError):
            if not _is_database(home / name):
                packer.add(f"{HOME}/{name}", home / name)


def _kept(home: Path, *, with_keys: bool) -> list[str]:
    """Files of the home that a backup holds, but for the tables themselves and what is made again from them."""
    return [name for name in _files(home) if _is_kept(Path(name), with_keys=with_keys)]


def _is_kept(path: Path, *, with_keys: bool) -> bool:
    top, name = path.parts[0], path.name
    if path.parts == ("logs", AUDIT):
        return True
    if top in NOT_COPIED or top.startswith(STAGE) or (top == "keys" and not with_keys):
        return False
    if name.endswith((".lock", "-wal", "-shm", "-journal", ".new", ".synced")):
        return False
    if top == "tables":
        return len(path.parts) == 2
    if top == "ids":
        return name.endswith(".db")
    return not any(part.startswith(".adding-") for part in path.parts)


def _files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()
    )


def _tables(home: Path) -> list[Path]:
    tables = home / "tables"
    return sorted(path for path in tables.iterdir() if path.is_dir()) if tables.is_dir() else []


def _is_database(path: Path) -> bool:
    with suppress(OSError), path.open("rb") as file:
        return file.read(len(SQLITE)) == SQLITE
    return False
