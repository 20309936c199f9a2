"""A small house and what is written in it: one model with every dtype, real folders, real segments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from gyroscope.clock import EventTime
from gyroscope.errors import ModelError
from gyroscope.predictions.recording.recorder import Recorder
from gyroscope.predictions.segments.entries import entries_in
from gyroscope.predictions.segments.log import LogPolicy, PredictionLog, segment_folder
from gyroscope.predictions.segments.waiting import Piece, Segments
from gyroscope.predictions.segments.wal import Layout, LogEntry
from gyroscope.predictions.tables.table import Table, table_path
from gyroscope.records import Feature, Signature, Version

MARCH_1_US = 1362114000000000  # 2013-03-01 00:00 in New York
HOUR_US = 3_600_000_000

SIGNATURE = Signature(
    "binary",
    (
        Feature("distance"),
        Feature("carrier", dtype="string", categories=("AA", "UA", "B6")),
        Feature("hour", dtype="int64"),
        Feature("is_weekend", dtype="bool"),
    ),
)
VERSION = Version("flights", "0a1b2c3d4e5f", "lightgbm", "model.txt", "0", SIGNATURE, EventTime(0))
Entry = Callable[..., LogEntry]  # `make_entry`, as the fixture `entry` gives it


class House:
    """What a replica and a recorder would be given."""

    def __init__(self, home: Path, runtime: Path) -> None:
        self.home = home
        self.runtime = runtime
        self.folder = segment_folder(runtime, "flights")
        self.versions = {VERSION.version: VERSION}
        self.zone = "America/New_York"
        self._recorders: list[Recorder] = []
        self._logs: list[PredictionLog] = []

    def log(self, slot: int = 0, version: Version = VERSION, **options: Any) -> PredictionLog:
        made = PredictionLog(self.folder, f"flights-{version.version}-{slot}", version, LogPolicy(**options))
        self._logs.append(made)
        return made

    def write(self, *entries: LogEntry, version: Version = VERSION) -> None:
        """One replica's whole life: its segment is sealed afterwards."""
        made = self.log(version=version)
        assert [made.append(entry) for entry in entries] == ["os"] * len(entries)
        made.close()

    def version_of(self, model: str, version: str) -> Version:
        if version not in self.versions:
            raise ModelError("no such version", where=version)
        return self.versions[version]

    def recorder(self, **options: Any) -> Recorder:
        recorder = Recorder(self.home, self.runtime, self.version_of, lambda _: self.zone, **options)
        self._recorders.append(recorder)
        return recorder

    def record(self) -> int:
        """One recorder's whole life, without waiting between commits."""
        recorder = self.recorder(commit_every_s=0)
        rows = 0
        while written := recorder.run_once():
            rows += written
        assert recorder.failures == {}
        recorder.close()
        return rows

    @property
    def table(self) -> Table:
        return Table(table_path(self.home, "flights"))

    def rows(
        self, columns: str = "request_id, attempt, answered, id_conflict", where: str = "true"
    ) -> list[tuple[Any, ...]]:
        """Rows of the newest version of the table, in a fixed order."""
        files = [file.path for file in self.table.files()]
        source = "read_parquet($1, union_by_name=true, hive_partitioning=true, hive_types={'day': VARCHAR})"
        query = f"SELECT {columns} FROM {source} WHERE {where} ORDER BY request_id, attempt, row"
        return duckdb.connect().execute(query, [files]).fetchall() if files else []

    def segments(self) -> list[Path]:
        return sorted(self.folder.glob("*")) if self.folder.is_dir() else []

    def ids(self) -> list[str]:
        """The request ids of all records in the segments, in their order."""
        pieces = self.pieces()
        layouts = {name: Layout(version.signature) for name, version in self.versions.items()}
        return [some.request_id for piece in pieces for some in entries_in(piece.scan, layouts[piece.version])]

    def pieces(self) -> list[Piece]:
        """What lies in the segments, from their beginning."""
        return Segments([self.folder]).read({}).pieces

    def weights(self) -> list[int]:
        """How many requests each record stands for, in their order."""
        return [weight for piece in self.pieces() for weight in piece.scan.headers["weight"].tolist()]

    def damages(self) -> list[str]:
        """What is wrong with the segments."""
        return [damage.reason for piece in self.pieces() for damage in piece.damages]

    def sealed(self) -> list[bool]:
        """Of each segment in its order: whether nobody will write to it any more."""
        return [piece.done for piece in self.pieces()]

    def drop_drained(self) -> None:
        """Delete what is sealed, as a recorder does that has committed it."""
        for path, is_done in zip(self.segments(), self.sealed(), strict=True):
            if is_done:
                path.unlink()

    def close(self) -> None:
        for log in self._logs:
            log.close()
        for recorder in self._recorders:
            recorder.close()


def make_entry(
    number: int,
    *,
    rows: int = 1,
    at: int | None = None,
    arrival: int | None = None,
    value: float = 1.5,
    status: int = 200,
    **more: Any,
) -> LogEntry:
    """Request `r-<number>`, one hour of event time after the one before; an error has neither input nor output."""
    failed = status >= 400
    row = [value, number % 3, number % 24, number % 2]
    return LogEntry(
        request_id=f"r-{number:06d}",
        event_time=MARCH_1_US + number * HOUR_US if at is None else at,
        arrival_time=1_700_000_000_000_000 + number if arrival is None else arrival,
        latency_ns=1_500_000,
        status=status,
        matrix=None if failed else np.tile(np.array(row, dtype=np.float64), (rows, 1)),
        outputs=None if failed else np.full((rows, 1), 0.25),
        error="it broke" if failed else "",
        **more,
    )
