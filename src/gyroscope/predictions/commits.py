"""The writing side of one model's Delta table: appends and amendments, each with the offsets it reflects.

Only the recorder uses it, under its lock. The offsets lie in the metadata of the very commit that holds the rows, so a
crash can never separate them. After an error the state is unknown: make a new `Commits`, which reads it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import msgspec
from arro3.core import Array, DataType, Table
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from gyroscope.errors import StoreError
from gyroscope.predictions.attempts import Attempt

OFFSETS = "gyroscope.offsets"
# Our commits all carry offsets; only a visitor's (an optimize, a vacuum) do not: the newest few nearly always suffice.
RECENT = 20
SAME_ATTEMPT = "t.day = s.day AND t.request_id = s.request_id AND t.attempt = s.attempt"


class Commits:
    """One table as its only writer sees it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.reopen()

    def reopen(self) -> None:
        """Read the newest version, whoever made it."""
        path = self._path
        try:
            self._table: DeltaTable | None = DeltaTable(str(path))
        except TableNotFoundError:
            self._table = None
        except DeltaError as error:
            raise self._broken("opened", error) from error

    @property
    def identity(self) -> tuple[str, int]:
        """The table's id and version; ("", -1) before the first commit."""
        if self._table is None:
            return "", -1
        return str(self._table.metadata().id), int(self._table.version())

    def columns(self) -> dict[str, str]:
        """Column -> Delta type, of the plain types."""
        if self._table is None:
            return {}
        return {field.name: str(getattr(field.type, "type", "")) for field in self._table.schema().fields}

    def offsets(self) -> dict[str, int]:
        """Segment -> how far it is in the table, as the newest commit that knows says."""
        if self._table is None:
            return {}
        for limit in (RECENT, None):
            for commit in self._table.history(limit):
                if OFFSETS in commit:
                    return msgspec.json.decode(commit[OFFSETS], type=dict[str, int])
        return {}

    def append(self, rows: Table, offsets: dict[str, int]) -> None:
        """Add rows and move the offsets, both or neither."""
        missing = set(self.columns()) ^ set(rows.schema.names)
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            write_deltalake(
                self._table if self._table is not None else str(self._path),
                rows,
                mode="append",
                partition_by=["day"],
                schema_mode="merge" if self._table is not None and missing else None,
                commit_properties=_properties(offsets),
            )
            if self._table is None:
                self._table = DeltaTable(str(self._path))
            else:
                self._table.update_incremental()
        except (DeltaError, OSError) as error:
            raise self._broken("written", error) from error

    def amend(self, attempts: Sequence[Attempt], offsets: dict[str, int]) -> None:
        """Set `answered` and `id_conflict` of these attempts' rows; doing it twice changes nothing.

        A merge carries the ids as data: no text of a client ever becomes part of a predicate.
        """
        if self._table is None:
            raise StoreError("there is no table to amend", where=str(self._path))
        days = ", ".join(f"'{day}'" for day in sorted({attempt.day for attempt in attempts}))
        try:
            self._table.merge(
                _amendments(attempts),
                predicate=f"t.day IN ({days}) AND {SAME_ATTEMPT}",
                source_alias="s",
                target_alias="t",
                commit_properties=_properties(offsets),
            ).when_matched_update({"answered": "s.answered", "id_conflict": "s.id_conflict"}).execute()
        except (DeltaError, OSError) as error:
            raise self._broken("amended", error) from error

    def attempts_since(self, version: int) -> list[Attempt] | None:
        """Every attempt with a row in a file that came after `version` (-1: in any); None when that is forgotten."""
        if self._table is None:
            return []
        files = set(self._table.file_uris())
        if version >= 0:
            try:
                files -= set(DeltaTable(str(self._path), version=version).file_uris())
            except DeltaError:
                return None
        try:
            return _attempts_in(sorted(files))
        except duckdb.Error as error:
            raise self._broken("read back", error) from error

    def _broken(self, verb: str, error: Exception) -> StoreError:
        return StoreError(
            f"the table cannot be {verb}: {error}",
            where=str(self._path),
            fix="make room or mend the folder; nothing is lost, the recorder tries again",
        )


def _properties(offsets: dict[str, int]) -> CommitProperties:
    return CommitProperties(custom_metadata={OFFSETS: msgspec.json.encode(offsets).decode()})


def _amendments(attempts: Sequence[Attempt]) -> Table:
    columns = {
        "day": Array([a.day for a in attempts], type=DataType.utf8()),
        "request_id": Array([a.request_id for a in attempts], type=DataType.utf8()),
        "attempt": Array([a.attempt for a in attempts], type=DataType.int32()),
        "answered": Array([a.answered for a in attempts], type=DataType.bool()),
        "id_conflict": Array([a.conflict for a in attempts], type=DataType.bool()),
    }
    return Table.from_arrays(list(columns.values()), names=list(columns))


def _attempts_in(files: list[str]) -> list[Attempt]:
    if not files:
        return []
    found = duckdb.connect().execute(
        "SELECT request_id, attempt, day, first(input_hash), first(epoch_us(arrival_time)),"
        " count(output_0) FILTER (status < 400), first(answered), first(id_conflict)"
        " FROM read_parquet($1, union_by_name=true, hive_partitioning=true, hive_types={'day': VARCHAR})"
        " GROUP BY request_id, attempt, day",
        [files],
    )
    return [Attempt(*row) for row in found.fetchall()]
