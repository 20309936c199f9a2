"""The newest rows of the log, and those that come after them.

`gyro predictions tail` calls this. It reads the files that are new, and never waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb
import msgspec

from gyroscope.clock import SECOND_US, EventTime
from gyroscope.predictions.reading.query import attempts_sql, errors_named, quoted
from gyroscope.predictions.tables.table import Table, TableFile

# A segment may be drained later than another whose rows are newer: so far back a row is still news.
LATE_US = 60 * SECOND_US
# What one look tells at most, the newest: nobody reads more in a second.
MOST = 10_000
Key = tuple[str, int, int, str]
"""Request id, row, attempt, variant."""
PLAIN = (
    "request_id", "row", "attempt", "answered", "status", "error", "version", "variant", "replica", "entity_key",
    "latency_us",
)  # fmt: skip


class Seen(msgspec.Struct, frozen=True):
    """One row: one attempt at one row of a request."""

    event_time: EventTime
    arrival_time: EventTime
    request_id: str
    row: int
    attempt: int
    answered: bool
    status: int
    error: str | None
    version: str
    variant: str
    replica: str
    entity_key: str
    latency_us: float
    outputs: list[float | None]
    features: dict[str, Any]


class Tail:
    """One reader's place in the log of one model."""

    def __init__(self, table: Table, *, only_errors: bool = False) -> None:
        self._table = table
        self._where = "status >= 400" if only_errors else "true"
        self._files: set[str] = set()
        self._newest = 0
        self._shown: dict[Key, int] = {}
        self._unread: list[TableFile] = []

    def newest(self, n: int) -> list[Seen]:
        """The last `n` rows in the order of their arrival."""
        files = self._new_files()
        found = self._read(files, self._nth_newest(files, n), n) if files else []
        self._remember({_key(one): one.arrival_time for one in found})
        # What arrived just before these is no news either when its file is written anew; read when somebody follows.
        self._unread = files
        return found

    def more(self) -> list[Seen]:
        """Rows that came since, in the order of their arrival."""
        if self._unread:
            self._remember(self._keys(self._unread, self._newest - LATE_US))
            self._unread = []
        files = self._new_files()
        if not files:
            return []
        found = [one for one in self._read(files, self._newest - LATE_US, MOST) if _key(one) not in self._shown]
        self._remember({_key(one): one.arrival_time for one in found})
        return found

    def _new_files(self) -> list[TableFile]:
        files = self._table.files()
        new = [file for file in files if file.path not in self._files]
        self._files = {file.path for file in files}
        return new

    def _nth_newest(self, files: Sequence[TableFile], n: int) -> int:
        query = (
            "SELECT epoch_us(min(arrival_time)) FROM (SELECT arrival_time FROM"  # noqa: S608  # ours
            f" ({attempts_sql(self._table, files, self._where)}) ORDER BY arrival_time DESC LIMIT {n:d})"
        )
        return int(self._ask(query)[0][0] or 0)

    def _read(self, files: Sequence[TableFile], since: int, most: int) -> list[Seen]:
        names = list(self._table.kinds())
        outputs = [name for name in names if name.startswith("output_")]
        features = [name for name in names if name.startswith("feature_")]
        columns = ", ".join(map(quoted, (*PLAIN, *outputs, *features)))
        query = (
            f"SELECT epoch_us(event_time), epoch_us(arrival_time), {columns}"  # noqa: S608  # quoted
            f" FROM ({attempts_sql(self._table, files, self._where)}) WHERE epoch_us(arrival_time) >= {since:d}"
            f" ORDER BY arrival_time DESC, request_id DESC, row DESC LIMIT {most:d}"
        )
        return [_seen(row, len(outputs), features) for row in reversed(self._ask(query))]

    def _keys(self, files: Sequence[TableFile], since: int) -> dict[Key, int]:
        query = (
            "SELECT request_id, row, attempt, variant, epoch_us(arrival_time)"  # noqa: S608  # ours
            f" FROM ({attempts_sql(self._table, files, self._where)}) WHERE epoch_us(arrival_time) >= {since:d}"
        )
        return {(row[0], row[1], row[2], row[3]): row[4] for row in self._ask(query)}

    def _ask(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(config={"threads": 1}) as connection, errors_named(str(self._table.path)):
            return connection.execute(query).fetchall()

    def _remember(self, shown: dict[Key, int]) -> None:
        self._newest = max([self._newest, *shown.values()])
        self._shown |= shown
        self._shown = {key: at for key, at in self._shown.items() if at >= self._newest - LATE_US}


def _seen(row: tuple[Any, ...], outputs: int, features: list[str]) -> Seen:
    plain, rest = row[2 : 2 + len(PLAIN)], row[2 + len(PLAIN) :]
    values = {name.removeprefix("feature_"): value for name, value in zip(features, rest[outputs:], strict=True)}
    named = dict(zip(PLAIN, plain, strict=True))
    return Seen(
        event_time=EventTime(row[0]), arrival_time=EventTime(row[1]), outputs=list(rest[:outputs]), features=values,
        **named,
    )  # fmt: skip


def _key(seen: Seen) -> Key:
    return seen.request_id, seen.row, seen.attempt, seen.variant
