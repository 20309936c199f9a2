"""The writing side of one model's Delta table: appends and amendments, each with the offsets it reflects.

Only the recorder uses it, under its lock. The offsets lie in the metadata of the very commit that holds the rows, so a
crash can never separate them, and a commit is on the disk when its call returns. After an error the state is unknown:
make a new `Commits`, which reads it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from arro3.core import Array, DataType, RecordBatch, Table
from deltalake import (
    ColumnProperties,
    CommitProperties,
    DeltaTable,
    PostCommitHookProperties,
    WriterProperties,
    write_deltalake,
)
from deltalake.exceptions import DeltaError, TableNotFoundError
from numpy.typing import NDArray

from gyroscope.clock import DAY_US
from gyroscope.errors import StoreError
from gyroscope.predictions.ids.keys import SHADOW
from gyroscope.predictions.recording.attempts import Attempt
from gyroscope.predictions.tables.arrow import TEXT
from gyroscope.predictions.tables.durable import roll_back, sync_checkpoint, sync_commit

OFFSETS, FORMAT = "gyroscope.offsets", "gyroscope.format"
THIS_FORMAT = "2"
# Our commits all carry offsets; only a visitor's (an optimize, a vacuum) do not: the newest few nearly always suffice.
RECENT = 20
# Whoever opens the table reads the last checkpoint and what came after it.
CHECKPOINT_EVERY = 100
# A writer of Parquet is open for each day until an append ends: a client's clock decides how many days there are.
MOST_DAYS = 100
SAME_ATTEMPT = "t.day = s.day AND t.request_id = s.request_id AND t.attempt = s.attempt"
SAME_KIND = "(coalesce(t.variant, 'live') = 'shadow') = s.is_shadow"

# Numbers that hardly repeat are a fifth as dear without a dictionary, and ids never repeat.
PLAIN = ColumnProperties(dictionary_enabled=False, statistics_enabled="CHUNK")
NEARBY = ColumnProperties(statistics_enabled="CHUNK", encoding="DELTA_BINARY_PACKED")
LENGTHS = ColumnProperties(statistics_enabled="CHUNK", encoding="DELTA_LENGTH_BYTE_ARRAY")
REPEATING = ColumnProperties(dictionary_enabled=True, statistics_enabled="CHUNK")
PAGE_BYTES, PAGE_ROWS = 8 * 1024 * 1024, 1_000_000
ENCODED = {"request_id": LENGTHS, "event_time": NEARBY, "arrival_time": NEARBY}
REPEATED = {"row", "attempt", "status", "weight"}
# Checkpoints are made here, where they are synced; old pages of the log are removed by `sweep.py`.
NO_HOOKS = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


class Commits:
    """One table as its only writer sees it; what a power cut tore is undone first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            roll_back(path)
            self.table: DeltaTable | None = DeltaTable(str(path))
        except TableNotFoundError:
            self.table = None
        except (DeltaError, OSError) as error:
            raise self._broken("opened", error) from error

    @property
    def identity(self) -> tuple[str, int]:
        """The table's id and version; ("", -1) before the first commit."""
        if self.table is None:
            return "", -1
        return str(self.table.metadata().id), int(self.table.version())

    def refresh(self) -> None:
        """See commits that were made in this process by others: upkeep, an erasure."""
        try:
            if self.table is not None:
                self.table.update_incremental()
        except (DeltaError, OSError) as error:
            raise self._broken("read", error) from error

    def columns(self) -> dict[str, str]:
        """Column -> Delta type, of the plain types."""
        if self.table is None:
            return {}
        return {field.name: str(getattr(field.type, "type", "")) for field in self.table.schema().fields}

    def offsets(self) -> dict[str, int]:
        """Segment -> how far it is in the table, as the newest commit that knows says."""
        if self.table is None:
            return {}
        for limit in (RECENT, None):
            for commit in self.table.history(limit):
                if OFFSETS in commit:
                    return msgspec.json.decode(commit[OFFSETS], type=dict[str, int])
        return {}

    def append(self, rows: Table, offsets: dict[str, int]) -> None:
        """Add rows and move the offsets, both or neither.

        Rows of very many days come in several commits, and only the last one moves the offsets: after a crash between
        them the records are read again, and those that are in the table are known.
        """
        *most, last = _portions(rows)
        before = self.offsets() if most else {}
        for portion in most:
            self._append(portion, before)
        self._append(last, offsets)

    def _append(self, rows: Table, offsets: dict[str, int]) -> None:
        self.refresh()
        missing = set(self.columns()) ^ set(rows.schema.names)
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            write_deltalake(
                self.table if self.table is not None else str(self._path),
                rows,
                mode="append",
                partition_by=["day"],
                schema_mode="merge" if self.table is not None and missing else None,
                writer_properties=_writing(rows),
                commit_properties=_properties(offsets),
                post_commithook_properties=NO_HOOKS,
            )
            self.sync()
        except (DeltaError, OSError) as error:
            raise self._broken("written", error) from error

    def amend(self, attempts: Sequence[Attempt], offsets: dict[str, int]) -> None:
        """Set `answered` and `id_conflict` of these attempts' rows; doing it twice changes nothing.

        A merge carries the ids as data: no text of a client ever becomes part of a predicate.
        """
        self.refresh()
        if self.table is None:
            raise StoreError("there is no table to amend", where=str(self._path))
        days = ", ".join(f"'{day}'" for day in sorted({attempt.day for attempt in attempts}))
        same = f"{SAME_ATTEMPT} AND {SAME_KIND}" if "variant" in self.columns() else SAME_ATTEMPT
        try:
            self.table.merge(
                _amendments(attempts),
                predicate=f"t.day IN ({days}) AND {same}",
                source_alias="s",
                target_alias="t",
                writer_properties=_writing(self.table),
                commit_properties=_properties(offsets),
                post_commithook_properties=NO_HOOKS,
            ).when_matched_update({"answered": "s.answered", "id_conflict": "s.id_conflict"}).execute()
            self.sync()
        except (DeltaError, OSError) as error:
            raise self._broken("amended", error) from error

    def sync(self) -> None:
        """Wait until the newest commit and its files are on the disk; now and then make a checkpoint."""
        if self.table is None:
            self.table = DeltaTable(str(self._path))
        else:
            self.table.update_incremental()
        version = int(self.table.version())
        sync_commit(self._path, version)
        if version and version % CHECKPOINT_EVERY == 0:
            self.table.create_checkpoint()
            sync_checkpoint(self._path, version)

    def _broken(self, verb: str, error: Exception) -> StoreError:
        return StoreError(
            f"the table cannot be {verb}: {error}",
            where=str(self._path),
            fix="make room or mend the folder; nothing is lost, the recorder tries again",
        )


def _portions(rows: Table) -> list[Table]:
    """The rows by days of UTC, which are nearly those of any zone; in one piece when those are few."""
    batches = rows.to_batches()
    times = [batch.column("event_time").cast(DataType.int64()).to_numpy() for batch in batches]
    every = np.concatenate(times) // DAY_US
    if np.ptp(every) < MOST_DAYS:
        return [rows]
    days, codes = np.unique(every, return_inverse=True)
    portions = np.split(codes // MOST_DAYS, np.cumsum([len(some) for some in times])[:-1])
    return [
        Table.from_batches([_taken(batch, some == number) for batch, some in zip(batches, portions, strict=True)])
        for number in range(-(-len(days) // MOST_DAYS))
    ]


def _taken(batch: RecordBatch, which: NDArray[np.bool_]) -> RecordBatch:
    return batch.take(Array.from_numpy(np.flatnonzero(which)))


def _properties(offsets: dict[str, int]) -> CommitProperties:
    return CommitProperties(custom_metadata={OFFSETS: msgspec.json.encode(offsets).decode(), FORMAT: THIS_FORMAT})


def _writing(rows: Table | DeltaTable) -> WriterProperties:
    """How the columns of a table are laid out in its files."""
    if isinstance(rows, DeltaTable):
        texts = [field.name for field in rows.schema().fields if getattr(field.type, "type", "") == "string"]
    else:
        texts = [name for name in rows.schema.names if rows.schema.field(name).type == TEXT]
    repeating = {name: REPEATING for name in (*texts, *REPEATED) if name != "day"}
    return WriterProperties(
        # A quarter cheaper than the least Zstandard, a tenth larger; merging files compresses them for good.
        compression="LZ4_RAW",
        data_page_size_limit=PAGE_BYTES,
        data_page_row_count_limit=PAGE_ROWS,
        default_column_properties=PLAIN,
        column_properties=repeating | ENCODED,
    )


def _amendments(attempts: Sequence[Attempt]) -> Table:
    mark = SHADOW.decode()
    columns = {
        "day": Array([a.day for a in attempts], type=DataType.utf8()),
        "request_id": Array([a.request_id.removesuffix(mark) for a in attempts], type=DataType.utf8()),
        "attempt": Array([a.attempt for a in attempts], type=DataType.int32()),
        "is_shadow": Array([a.request_id.endswith(mark) for a in attempts], type=DataType.bool()),
        "answered": Array([a.answered for a in attempts], type=DataType.bool()),
        "id_conflict": Array([a.conflict for a in attempts], type=DataType.bool()),
    }
    return Table.from_arrays(list(columns.values()), names=list(columns))
