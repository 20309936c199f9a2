"""Putting other files in the place of files of a table, in one commit: for compaction, retention and erasure.

Only the holder of the recorder's lock calls it. New files are on disk before the commit names them; what the commit
takes out stays on disk until `sweep.py` removes it, because readers may still hold it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

import duckdb
import msgspec
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from gyroscope.clock import EventTime, iso, wall_now
from gyroscope.errors import StoreError
from gyroscope.predictions.tables.sums import note_sums

# A recorder stays below 500 MB with this beside its batch; a merge streams, so it rarely needs a tenth of it.
MEMORY_MIB = 200


class LiveFile(msgspec.Struct, frozen=True):
    """One file that the newest version of a table names; `path` is relative to the table's folder."""

    path: str
    day: str
    bytes: int
    rows: int
    modified_ms: int
    stats: str = ""
    """What the commit that adds it says of its rows, as JSON; nothing of one that lies there already."""


class Change(msgspec.Struct, frozen=True):
    """What one commit does. `is_data` is False where the rows stay the same."""

    remove: tuple[LiveFile, ...]
    add: tuple[LiveFile, ...] = ()
    is_data: bool = True


def open_table(path: Path) -> DeltaTable | None:
    """The table, or None before its first commit. Raises `StoreError`."""
    try:
        return DeltaTable(str(path))
    except TableNotFoundError:
        return None
    except DeltaError as error:
        raise _broken(path, "opened", error) from error


def live_files(delta: DeltaTable) -> list[LiveFile]:
    """The files of the version that `delta` stands at, by day, oldest first."""
    actions = delta.get_add_actions(flatten=True)
    names = ("path", "partition.day", "size_bytes", "num_records", "modification_time")
    columns = [actions[name].to_pylist() for name in names]
    files = [
        LiveFile(
            path, day, size, rows, int(modified.timestamp() * 1000) if hasattr(modified, "timestamp") else modified
        )
        for path, day, size, rows, modified in zip(*columns, strict=True)
    ]
    return sorted(files, key=lambda file: (file.day, file.modified_ms, file.path))


class Writer:
    """Writes merged or thinned files beside those of one table."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._duck = duckdb.connect(config={"threads": 1, "memory_limit": f"{MEMORY_MIB}MiB"})
        self._duck.execute("SET TimeZone = 'UTC'")

    def close(self) -> None:
        self._duck.close()

    def merge(self, files: Sequence[LiveFile]) -> LiveFile:
        """One file with the rows of all these, which are of one day, in their order."""
        return self._copy(files, "true", [])

    def without(self, file: LiveFile, condition: str, values: Sequence[str]) -> LiveFile | None:
        """The file without the rows of a condition; None when nothing is left. Values are bound, never pasted."""
        made = self._copy([file], f"({condition}) IS NOT TRUE", values)
        if made.rows:
            return made
        (self._path / made.path).unlink()
        return None

    def ids(self, file: LiveFile, condition: str, values: Sequence[str]) -> list[str]:
        """The request ids of the rows that meet a condition."""
        query = f"SELECT DISTINCT request_id FROM {_source(1)} WHERE {_numbered(condition)}"  # noqa: S608  # values are bound
        with self._errors_named():
            return [row[0] for row in self._duck.execute(query, [[str(self._path / file.path)], *values]).fetchall()]

    def _copy(self, files: Sequence[LiveFile], condition: str, values: Sequence[str]) -> LiveFile:
        folder = self._path / Path(files[0].path).parent
        name = f"part-{uuid4().hex}.zstd.parquet"
        paths = [str(self._path / file.path) for file in files]
        with self._errors_named():
            written = self._duck.execute(
                f"COPY (SELECT * FROM {_source(1)} WHERE {_numbered(condition)}) TO {_quoted(folder / name)}"  # noqa: S608
                " (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)",
                [paths, *values],
            ).fetchone()
            rows = int(written[0]) if written else 0
            stats = self._stats(folder / name, rows)
        sync(folder / name)
        sync(folder)
        found = (folder / name).stat()
        path = (Path(files[0].path).parent / name).as_posix()
        return LiveFile(path, files[0].day, found.st_size, rows, found.st_mtime_ns // 1_000_000, stats)

    def _stats(self, path: Path, rows: int) -> str:
        """How many rows, and what `Table.first_of` asks for, as Delta notes it: moments are cut to milliseconds."""
        query = f"SELECT epoch_us(min(event_time)), min(version), max(version) FROM {_source(1)}"  # noqa: S608  # ours
        first_us, low, high = self._duck.execute(query, [[str(path)]]).fetchone() or (None, None, None)
        if first_us is None or low is None:
            return msgspec.json.encode({"numRecords": rows}).decode()
        first = iso(EventTime(first_us // 1_000 * 1_000))
        bounds = {"minValues": {"event_time": first, "version": low}, "maxValues": {"version": high}}
        return msgspec.json.encode({"numRecords": rows, **bounds}).decode()

    def _errors_named(self) -> _Named:
        return _Named(self._path)


class _Named:
    """DuckDB's errors as a `StoreError` that names the table."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, duckdb.Error):
            raise _broken(self._path, "rewritten", error) from error


def commit(path: Path, change: Change, metadata: Mapping[str, str]) -> int:
    """Name the new files and forget the old ones, all or nothing; the table's version afterwards.

    `metadata` are the recorder's offsets: they must not be lost behind a commit that has none.
    """
    delta = open_table(path)
    if delta is None:
        raise StoreError("there is no table", where=str(path), fix="look at the model's name")
    now_ms = wall_now() // 1_000
    adds = [
        AddAction(
            file.path,
            file.bytes,
            {"day": file.day},
            file.modified_ms,
            change.is_data,
            file.stats,
        )
        for file in change.add
    ]
    removes = [
        RemoveAction(file.path, change.is_data, now_ms, size=file.bytes, partition_values={"day": file.day})
        for file in change.remove
    ]
    try:
        delta.create_write_transaction(
            [*adds, *removes],
            mode="append",
            schema=delta.schema(),
            partition_by=["day"],
            commit_properties=CommitProperties(custom_metadata=dict(metadata)),
            # A checkpoint has to be synced: `commits.py` makes them.
            post_commithook_properties=PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False),
        )
        delta.update_incremental()
    except (DeltaError, OSError, TypeError) as error:
        raise _broken(path, "rewritten", error) from error
    note_sums(path, [file.path for file in change.add])
    log = path / "_delta_log"
    sync(log / f"{delta.version():020d}.json")
    sync(log)
    return int(delta.version())


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _source(number: int) -> str:
    return f"read_parquet(${number}, union_by_name=true, hive_partitioning=false)"


def _numbered(condition: str) -> str:
    """`?` of a condition as the parameters after the list of files."""
    parts = condition.split("?")
    return parts[0] + "".join(f"${number}{part}" for number, part in enumerate(parts[1:], start=2))


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _broken(path: Path, verb: str, error: Exception) -> StoreError:
    return StoreError(
        f"the table cannot be {verb}: {error}",
        where=str(path),
        fix="make room or mend the folder; nothing is lost, this is tried again",
    )
