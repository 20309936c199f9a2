"""Brings the index of ids up to the table: after a crash, after a restore, or when the index was lost.

`drain.py` calls it once, before it goes on. Bounded: one group of files at a time, whatever the table holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from numpy.typing import NDArray

from gyroscope.errors import StoreError
from gyroscope.predictions.ids.entries import day_number, state_of
from gyroscope.predictions.ids.index import IdIndex
from gyroscope.predictions.ids.keys import SHADOW, Keys, id_keys
from gyroscope.predictions.ids.runs import ENTRY, Entries
from gyroscope.predictions.recording.attempts import Attempt, judge
from gyroscope.predictions.recording.numbering import changed

# Rows of one step: some 150 MB while they are read.
STEP_ROWS = 300_000
MEMORY = "200MiB"
ATTEMPT = """request_id, attempt, day, first(input_hash) AS input_hash, epoch_us(first(arrival_time)) AS arrived,
    count(output_0) FILTER (status < 400) AS rows, first(answered) AS answered, first(id_conflict) AS conflict"""
BY_ATTEMPT = "GROUP BY request_id, attempt, day, is_shadow"


class _Step(NamedTuple):
    """The attempts that some files hold."""

    ids: list[str]
    keys: Keys
    entries: Entries


def catch_up(index: IdIndex, table: DeltaTable | None, path: Path) -> None:
    """Take in whatever the table has and the index has not. Raises `StoreError` when the table cannot be read."""
    identity = ("", -1) if table is None else (str(table.metadata().id), int(table.version()))
    table_id, version = index.reflects
    if (table_id, version) == identity:
        return
    if table_id != identity[0] or version > identity[1]:
        index.forget()
        version = -1
    if table is None:
        return
    files = _new_files(table, path, version)
    if files is None:
        index.forget()
        files = _new_files(table, path, -1) or []
    # Until the last step the index reflects what it did before: a crash in between begins again.
    before = index.reflects
    for step in _steps(files, path):
        index.take_in_entries(before, step.keys[:, 0], step.entries)
        index.owe(_changes(index, step))
    index.take_in(identity, [], [])


def _changes(index: IdIndex, step: _Step) -> list[Attempt]:
    """What the table has to change about requests with several attempts."""
    several = np.flatnonzero(index.several(step.keys))
    attempts = index.attempts([step.ids[at] for at in several.tolist()])
    return [change for of_one in attempts.values() for change in changed(of_one, judge(of_one))]


def _new_files(table: DeltaTable, path: Path, version: int) -> list[tuple[str, int]] | None:
    """(path, rows) of the files that came after a version (-1: all); None when that version is forgotten."""
    actions = table.get_add_actions(flatten=True)
    files = dict(zip(actions["path"].to_pylist(), actions["num_records"].to_pylist(), strict=True))
    if version >= 0:
        try:
            old = DeltaTable(str(path), version=version).get_add_actions(flatten=True)["path"].to_pylist()
        except DeltaError:
            return None
        for name in old:
            files.pop(name, None)
    return sorted((name, int(rows or 0)) for name, rows in files.items())


def _steps(files: list[tuple[str, int]], path: Path) -> Iterator[_Step]:
    """The attempts of all files. Those of one attempt lie in one file: a commit writes a record as a whole."""
    some: list[str] = []
    total = 0
    for name, rows in files:
        if some and total + rows > STEP_ROWS:
            yield _read(some, path)
            some, total = [], 0
        some.append(str(path / name))
        total += rows
    if some:
        yield _read(some, path)


def _read(files: list[str], path: Path) -> _Step:
    source = "read_parquet($1, union_by_name=true, hive_partitioning=true, hive_types={'day': VARCHAR})"
    duck = duckdb.connect(config={"threads": 1, "memory_limit": MEMORY})
    try:
        described = duck.execute(f"DESCRIBE SELECT * FROM {source}", [files]).fetchall()  # noqa: S608  # fixed text
        is_shadow = "coalesce(variant, 'live') = 'shadow'" if "variant" in {row[0] for row in described} else "false"
        query = f"SELECT {ATTEMPT}, {is_shadow} AS is_shadow FROM {source} {BY_ATTEMPT}"  # noqa: S608  # fixed text
        found = duck.execute(query, [files]).fetchnumpy()
    except duckdb.Error as error:
        raise StoreError(
            f"the table cannot be read back: {error}", where=str(path), fix="run gyro predictions verify"
        ) from error
    finally:
        duck.close()
    return _step(found)


def _step(found: dict[str, NDArray[Any]]) -> _Step:
    mark = SHADOW.decode()
    pairs = zip(found["request_id"].tolist(), found["is_shadow"].tolist(), strict=True)
    ids = [one + mark if is_shadow else one for one, is_shadow in pairs]
    keys = id_keys(ids)
    entries = np.zeros(len(ids), ENTRY)
    days, codes = np.unique(found["day"].astype(str), return_inverse=True)
    entries["low"] = keys[:, 1]
    entries["input_hash"] = found["input_hash"]
    entries["arrived_at"] = found["arrived"]
    entries["day"] = np.array([day_number(day) for day in days.tolist()], dtype=np.int32)[codes]
    entries["rows"] = found["rows"]
    entries["state"] = state_of(*(found[name].astype(np.int64) for name in ("attempt", "answered", "conflict")))
    return _Step(ids, keys, entries)
