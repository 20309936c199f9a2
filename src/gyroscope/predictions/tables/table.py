"""Typed reading of one model's table with DuckDB; numpy out, Arrow for people.

Monitoring, reports and the notebook read through here. Files of the table never change, so whatever is computed from
one may be kept under its path. This module never writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import arro3.core
import duckdb
import msgspec
import numpy as np
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from numpy.typing import NDArray

from gyroscope.clock import EventTime, event_time_of
from gyroscope.errors import StoreError

FIRST_TIME = EventTime(-62_135_596_800_000_000)
TIMES = ("event_time", "arrival_time")
SOURCE = "read_parquet($1, union_by_name=true, hive_partitioning=true, hive_types={'day': VARCHAR})"
SELECT_ALL = f"SELECT * FROM {SOURCE}"  # noqa: S608  # fixed text


class TableFile(msgspec.Struct, frozen=True):
    """One immutable file: its path names its content for ever."""

    path: str
    day: str
    rows: int


class Outcomes(msgspec.Struct, frozen=True):
    """Arrays of equal length: what was said for each row. `output` is float64 (n, K), NaN where an attempt failed."""

    request_id: NDArray[np.object_]
    row: NDArray[np.int32]
    event_time: NDArray[np.int64]
    output: NDArray[np.float64]
    version: NDArray[np.object_]
    answered: NDArray[np.bool_]
    id_conflict: NDArray[np.bool_]


def table_path(home: Path, model: str) -> Path:
    """Where the table of one model lies."""
    return home / "tables" / model


class Table:
    """One model's rows. A table that has no commit yet has no files and no columns."""

    def __init__(self, path: Path) -> None:
        self.path = self._path = path
        self._delta: DeltaTable | None = None
        # One thread: readers share their cores with the replicas. The zone only names what Arrow carries.
        self._duck = duckdb.connect(config={"threads": 1})
        self._duck.execute("SET TimeZone = 'UTC'")

    def version(self) -> int:
        """The number of the newest commit, -1 before the first."""
        delta = self._newest()
        return -1 if delta is None else int(delta.version())

    def columns(self) -> list[str]:
        """All columns of the newest version."""
        delta = self._newest()
        return [] if delta is None else [field.name for field in delta.schema().fields]

    def kinds(self) -> dict[str, str]:
        """Column -> its Delta type, such as double or string, in the table's order."""
        delta = self._newest()
        return {} if delta is None else {one.name: str(getattr(one.type, "type", "")) for one in delta.schema().fields}

    def files(self) -> list[TableFile]:
        """The files of the newest version, by day."""
        delta = self._newest()
        if delta is None:
            return []
        actions = delta.get_add_actions(flatten=True)
        names, days, rows = (actions[name].to_pylist() for name in ("path", "partition.day", "num_records"))
        root = self._path.absolute()
        found = [TableFile(str(root / name), day, count) for name, day, count in zip(names, days, rows, strict=True)]
        return sorted(found, key=lambda file: (file.day, file.path))

    def first_of(self, version: str) -> EventTime | None:
        """No row of a version has an earlier event time, as far as the statistics of the files say; None: it has none.

        Files that tell nothing may hold any row: `FIRST_TIME`.
        """
        delta = self._newest()
        if delta is None:
            return None
        actions = delta.get_add_actions(flatten=True)
        if not {"min.version", "max.version", "min.event_time"} <= set(actions.schema.names):
            return FIRST_TIME
        told = (actions[name].to_pylist() for name in ("min.version", "max.version", "min.event_time"))
        firsts = [
            FIRST_TIME if at is None or low is None or high is None else event_time_of(at)
            for low, high, at in zip(*told, strict=True)
            if low is None or high is None or low <= version <= high
        ]
        return min(firsts, default=None)

    def read(self, file: TableFile, columns: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Chosen columns of one file.

        Numbers come as float64 with NaN where any is missing, else in their own type; texts as object arrays with None
        where missing; times as int64 microseconds. A column that the file does not have is all missing.
        """
        return self._read([file.path], columns)

    def outcomes(self, day: str) -> Outcomes:
        """All attempts of one day; metrics use those that are `answered`."""
        files = [file.path for file in self.files() if file.day == day]
        outputs = sorted(
            (name for name in self.columns() if name.startswith("output_")),
            key=lambda name: int(name.rpartition("_")[2]),
        )
        plain = ("request_id", "row", "event_time", "version", "answered", "id_conflict")
        if not files:
            return _no_outcomes(len(outputs))
        found = self._read(files, [*plain, *outputs])
        output = np.column_stack([found[name] for name in outputs]) if outputs else np.empty((len(found["row"]), 0))
        return Outcomes(output=output, **{name: found[name] for name in plain})

    def rows(self, first_day: str = "", last_day: str = "9999-12-31") -> arro3.core.Table:
        """All columns of the days from `first_day` to `last_day`, both included, as an Arrow table."""
        files = [file.path for file in self.files() if first_day <= file.day <= last_day]
        if not files:
            raise StoreError(
                f"no rows from {first_day or 'the beginning'} to {last_day}",
                where=str(self._path),
                fix="choose other days",
            )
        with self._errors_named():
            return arro3.core.Table.from_arrow(self._duck.cursor().sql(SELECT_ALL, params=[files]))

    def kinds_of(self, files: Sequence[TableFile]) -> dict[str, str]:
        """Column -> its DuckDB type, of all columns that any of these files has."""
        with self._errors_named():
            rows = self._duck.cursor().execute(f"DESCRIBE {SELECT_ALL}", [[file.path for file in files]]).fetchall()
        return {row[0]: row[1] for row in rows}

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection of its own for one query; what goes wrong with it is a `StoreError` that names the table."""
        with self._errors_named(), self._duck.cursor() as cursor:
            yield cursor

    def _read(self, files: list[str], columns: Sequence[str]) -> dict[str, NDArray[Any]]:
        with self._errors_named():
            cursor = self._duck.cursor()
            cursor.execute(f"DESCRIBE {SELECT_ALL}", [files])
            kinds = {row[0]: row[1] for row in cursor.fetchall()}
            chosen = ", ".join(_select(name, kinds.get(name)) for name in columns)
            # Names are quoted by `_select`, files are parameters.
            found = cursor.execute(f"SELECT {chosen} FROM {SOURCE}", [files]).fetchnumpy()  # noqa: S608
        return {name: _plain(found[name], kinds.get(name)) for name in columns}

    def _newest(self) -> DeltaTable | None:
        try:
            with self._errors_named():
                if self._delta is None:
                    self._delta = DeltaTable(str(self._path))
                else:
                    self._delta.update_incremental()
        except TableNotFoundError:
            return None
        return self._delta

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            yield
        except TableNotFoundError:
            raise
        except (DeltaError, duckdb.Error) as error:
            raise StoreError(
                f"the table cannot be read: {error}", where=str(self._path), fix="run gyro doctor"
            ) from error


def _select(name: str, kind: str | None) -> str:
    quoted = '"' + name.replace('"', '""') + '"'
    if kind is None:
        return f"NULL::DOUBLE AS {quoted}"
    return f"epoch_us({quoted}) AS {quoted}" if name in TIMES else quoted


def _plain(values: NDArray[Any], kind: str | None) -> NDArray[Any]:
    """DuckDB masks what is missing; here a missing number is NaN and a missing text None."""
    if not isinstance(values, np.ma.MaskedArray):
        return values
    missing = np.ma.getmaskarray(values)
    plain = np.asarray(values.data, dtype=object if kind == "VARCHAR" else np.float64).copy()
    plain[missing] = None if kind == "VARCHAR" else np.nan
    return plain


def _no_outcomes(width: int) -> Outcomes:
    text, flag = np.empty(0, dtype=object), np.empty(0, dtype=bool)
    return Outcomes(
        request_id=text,
        row=np.empty(0, dtype=np.int32),
        event_time=np.empty(0, dtype=np.int64),
        output=np.empty((0, width)),
        version=text,
        answered=flag,
        id_conflict=flag,
    )
