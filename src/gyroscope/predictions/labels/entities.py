"""Which prediction a label of an entity belongs to: the newest of that entity at or before the label's event time.

The answer depends on the table alone, never on the order in which labels and predictions came: a label looks at every
file of its days once, then at each new file, and a nearer prediction takes it over. `labels.py` writes what is found.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from gyroscope.clock import DAY_US, EventTime, day_of, parse_event_time
from gyroscope.errors import StoreError
from gyroscope.predictions.tables.table import SOURCE, Table, TableFile, table_path

AT_ONCE = 5_000
LOOKED = ""  # stands among the paths once anything was looked for, even while there were no files
FIRST, LAST = parse_event_time("0001-01-03"), parse_event_time("9999-12-28")
# Files of older formats lack the one or the other column.
OLDER = "SELECT NULL::VARCHAR AS variant, NULL::VARCHAR AS entity_key WHERE false"
ROWS = f"({OLDER} UNION ALL BY NAME SELECT * FROM {SOURCE})"  # noqa: S608  # fixed text
ANSWERED = "p.answered AND p.status < 400 AND coalesce(p.variant, 'live') <> 'shadow'"
NEAREST = f"""
WITH l AS (SELECT unnest($2::BIGINT[]) AS arrival, unnest($3::VARCHAR[]) AS entity, unnest($4::BIGINT[]) AS row,
                  unnest($5::BIGINT[]) AS at)
SELECT l.arrival, max(struct_pack(at := epoch_us(p.event_time), id := p.request_id))
FROM {ROWS} p JOIN l ON p.entity_key = l.entity AND p.row = l.row
  AND epoch_us(p.event_time) <= l.at AND epoch_us(p.event_time) >= l.at - $6
WHERE {ANSWERED} GROUP BY l.arrival
"""  # noqa: S608  # fixed text
CHANGED = f"""
WITH l AS (SELECT unnest($2::BIGINT[]) AS arrival, unnest($3::VARCHAR[]) AS id, unnest($4::BIGINT[]) AS row,
                  unnest($5::BIGINT[]) AS at)
SELECT DISTINCT l.arrival FROM {ROWS} p JOIN l ON p.request_id = l.id AND p.row = l.row
WHERE NOT ({ANSWERED}) OR epoch_us(p.event_time) <> l.at
"""  # noqa: S608  # fixed text
NAMED = f"SELECT DISTINCT entity_key FROM {ROWS} WHERE entity_key <> ''"  # noqa: S608  # fixed text


class Seeker(NamedTuple):
    """A label of an entity, and the prediction it belongs to so far."""

    arrival: int
    entity_key: str
    row: int
    at: int
    request_id: str
    found_at: int | None

    @property
    def now(self) -> tuple[int, str] | None:
        return None if self.found_at is None else (self.found_at, self.request_id)


class Move(NamedTuple):
    """Where a label belongs from now on; nowhere yet when `found_at` is None."""

    arrival: int
    request_id: str
    found_at: int | None


class Entities:
    """The labels of entities of one model, and the table in which their predictions are looked for."""

    def __init__(self, home: Path, model: str, horizon_us: int) -> None:
        self._path = table_path(home, model)
        self._table = Table(self._path)
        self._model = model
        self._horizon_us = horizon_us

    def files(self) -> list[TableFile]:
        """The files of the table as it is now."""
        return self._table.files()

    def nearer(self, seekers: Sequence[Seeker], files: Sequence[TableFile]) -> list[Move]:
        """Labels for which some of these files hold a nearer prediction than the one they have."""
        found = self._nearest(seekers, files)
        moves = []
        for seeker in seekers:
            best = found.get(seeker.arrival)
            if best is not None and (seeker.now is None or best > seeker.now):
                moves.append(Move(seeker.arrival, best[1], best[0]))
        return moves

    def anew(self, seekers: Sequence[Seeker], files: Sequence[TableFile]) -> list[Move]:
        """Where labels belong as all files of their days say, for those that belong elsewhere now."""
        first = min(seeker.at for seeker in seekers) - self._horizon_us - DAY_US
        last = max(seeker.at for seeker in seekers) + DAY_US
        low, high = (day_of(EventTime(max(FIRST, min(at, LAST)))) for at in (first, last))
        found = self._nearest(seekers, [file for file in files if low <= file.day <= high])
        moves = []
        for seeker in seekers:
            best = found.get(seeker.arrival)
            if best != seeker.now:
                moves.append(Move(seeker.arrival, best[1] if best else "", best[0] if best else None))
        return moves

    def changed(self, seekers: Sequence[Seeker], files: Sequence[TableFile]) -> list[int]:
        """Labels whose prediction was answered anew at another time: they are to be looked for anew."""
        some = [seeker for seeker in seekers if seeker.found_at is not None]
        columns = _columns([(s.arrival, s.request_id, s.row, s.found_at) for s in some])
        return [row[0] for row in self._query(CHANGED, files, *columns)] if some else []

    def entities(self, files: Sequence[TableFile]) -> list[str]:
        """The entities that these files speak of."""
        return [row[0] for row in self._query(NAMED, files)]

    def _nearest(self, seekers: Sequence[Seeker], files: Sequence[TableFile]) -> dict[int, tuple[int, str]]:
        if not seekers:
            return {}
        columns = _columns([(s.arrival, s.entity_key, s.row, s.at) for s in seekers])
        rows = self._query(NEAREST, files, *columns, self._horizon_us)
        return {arrival: (found["at"], found["id"]) for arrival, found in rows}

    def _query(self, query: str, files: Sequence[TableFile], *parameters: Any) -> list[tuple[Any, ...]]:
        if not files:
            return []
        try:
            with duckdb.connect(config={"threads": 1}) as duck:
                return duck.execute(query, [[file.path for file in files], *parameters]).fetchall()
        except duckdb.Error as error:
            raise StoreError(
                f"the table cannot be read: {error}", where=str(self._path), fix="run gyro doctor"
            ) from error


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


SEEKERS = "SELECT k.arrival, k.entity_key, k.row, k.at, k.request_id, k.found_at FROM kept k"


def has_entities(db: sqlite3.Connection, model: int) -> bool:
    """Is there any label of an entity?"""
    query = "SELECT 1 FROM kept WHERE model = ? AND entity_key IS NOT NULL LIMIT 1"
    return db.execute(query, (model,)).fetchone() is not None


def seekers_of(db: sqlite3.Connection, model: int, entities: Iterable[str]) -> list[Seeker]:
    """All labels of these entities."""
    query = f"{SEEKERS} WHERE k.model = ? AND k.entity_key IN (SELECT value FROM json_each(?))"  # noqa: S608  # fixed
    return list(map(Seeker._make, db.execute(query, (model, json.dumps(list(entities))))))


def unsought(db: sqlite3.Connection, model: int) -> list[Seeker]:
    """Some of the labels that are yet to be looked for in all files."""
    query = f"{SEEKERS} JOIN unsought USING(arrival) WHERE unsought.model = ? LIMIT ?"
    return list(map(Seeker._make, db.execute(query, (model, AT_ONCE))))


def new_files(db: sqlite3.Connection, model: int, files: Sequence[TableFile]) -> list[TableFile]:
    """Those of these files that labels have not looked into; none before the first look, when all are `unsought`."""
    known = {row[0] for row in db.execute("SELECT file FROM sought WHERE model = ?", (model,))}
    return [file for file in files if file.path not in known] if known else []


def looked_into(db: sqlite3.Connection, model: int, files: Sequence[TableFile]) -> None:
    """From now on every label that is not `unsought` knows these files; the table has no others."""
    before = {row[0] for row in db.execute("SELECT file FROM sought WHERE model = ?", (model,))}
    now = {LOOKED, *(file.path for file in files)}
    db.executemany("DELETE FROM sought WHERE model = ? AND file = ?", [(model, path) for path in before - now])
    db.executemany("INSERT INTO sought VALUES(?,?)", [(model, path) for path in now - before])
