"""Rows of the log that somebody chose, read when they are asked for: as Arrow, Polars or pandas, or by SQL.

`gyroscope.predictions` and the command line hand these out. Nothing is read before it is asked for, and nothing is
kept; Polars and pandas are imported only here, only when asked.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import arro3.core
import duckdb
import msgspec

from gyroscope.backends import missing_library
from gyroscope.clock import DAY_US, EventTime, day_of
from gyroscope.predictions.reading.query import attempts_sql, check_query, connect, errors_named, files_of
from gyroscope.predictions.tables.table import FIRST_TIME, Table

ALL_ROWS = "SELECT * FROM predictions"
LAST_TIME = EventTime(253_402_300_799_999_999)

LabelsOf = Callable[[list[str]], Any]
"""Days -> an Arrow table (request_id, row, label) of the labels joined to predictions of these days."""


class Rows:
    """The answer to one query, not asked yet. Anything that takes Arrow streams takes it as it is.

    The table moves on meanwhile: every reading is of the newest version.
    """

    def __init__(self, opened: Callable[[], duckdb.DuckDBPyConnection], query: str) -> None:
        self._opened = opened
        self._query = query

    def arrow(self) -> arro3.core.Table:
        """All rows as an Arrow table in memory."""
        with errors_named(self._query):
            return arro3.core.Table.from_arrow(self._ask())

    def polars(self) -> Any:
        """All rows as a Polars data frame. Raises `GyroscopeError` where Polars is not installed."""
        try:
            import polars
        except ModuleNotFoundError as missing:
            raise missing_library(missing, what="reading predictions with .polars()") from missing
        return polars.DataFrame(self.arrow())

    def pandas(self) -> Any:
        """All rows as a pandas data frame. Raises `GyroscopeError` where pandas is not installed."""
        try:
            import pandas  # noqa: F401
        except ModuleNotFoundError as missing:
            raise missing_library(missing, what="reading predictions with .pandas()") from missing
        with errors_named(self._query), warnings.catch_warnings():
            # How DuckDB uses pandas is between the two of them.
            warnings.simplefilter("ignore", DeprecationWarning)
            return self._ask().df()

    def stream(self) -> arro3.core.RecordBatchReader:
        """The rows in batches, as they are read: for more than fits into memory. It can be read once."""
        with errors_named(self._query):
            return arro3.core.RecordBatchReader.from_arrow(self._ask())

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.stream().__arrow_c_stream__(requested_schema)

    def _ask(self) -> duckdb.DuckDBPyRelation:
        connection = self._opened()
        check_query(connection, self._query)
        return connection.sql(self._query)


class Stretch(msgspec.Struct, frozen=True):
    """Which rows: those in files of these days for which `where`, SQL of ours, is true."""

    first_day: str = ""
    last_day: str = "9999-12-31"
    where: str = "true"


EVERYTHING = Stretch()


def between(start: EventTime = FIRST_TIME, end: EventTime = LAST_TIME, zone: str = "UTC") -> Stretch:
    """The rows with an event time in [start, end); `zone` is where the table's days begin."""
    # A day more on both sides: the table may have been begun under another time zone.
    first = day_of(EventTime(start - DAY_US), zone) if start - FIRST_TIME > 2 * DAY_US else EVERYTHING.first_day
    last = day_of(EventTime(end + DAY_US), zone) if LAST_TIME - end > 2 * DAY_US else EVERYTHING.last_day
    bounds = [("event_time >=", start, FIRST_TIME), ("event_time <", end, LAST_TIME)]
    where = " AND ".join(f"{sign} make_timestamptz({at:d})" for sign, at, far in bounds if at != far)
    return Stretch(first, last, where or "true")


class Selection(Rows):
    """The predictions of a stretch of the log: one answer to each request.

    In SQL, `predictions` are these rows and `attempts` all that is in the log of that time: earlier tries, shadows too.
    """

    def __init__(self, table: Table, stretch: Stretch = EVERYTHING, labels_of: LabelsOf | None = None) -> None:
        super().__init__(self._connect, ALL_ROWS)
        self._table = table
        self._stretch = stretch
        self._labels_of = labels_of

    def sql(self, query: str) -> Rows:
        """One SELECT over `predictions` and `attempts`. Raises `InputError` for anything else, when it is read."""
        return Rows(self._connect, query)

    def shadow_pairs(self) -> Rows:
        """What was answered beside what each shadow said to the same row: `output_0`, `shadow_output_0` and so on."""
        return self.sql(_pairs_sql([name for name in self._table.kinds() if name.startswith("output_")]))

    def _connect(self) -> duckdb.DuckDBPyConnection:
        files = files_of(self._table, self._stretch.first_day, self._stretch.last_day)
        labels = self._labels_of(sorted({file.day for file in files})) if self._labels_of else None
        return connect(self._table, attempts_sql(self._table, files, self._stretch.where), labels)


def _pairs_sql(outputs: list[str]) -> str:
    live = ", ".join(f"p.{name}, s.{name} AS shadow_{name}" for name in outputs)
    return (
        "SELECT p.request_id, p.row, p.event_time, p.version, s.version AS shadow_version, "  # noqa: S608 # output_<n>
        f"{live}, p.latency_us, s.latency_us AS shadow_latency_us "
        "FROM predictions p JOIN attempts s USING (request_id, row) WHERE s.variant = 'shadow' AND s.answered"
    )
