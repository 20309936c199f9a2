"""What a training would be given, added up by day: a day is read again when its files or its labels have changed.

The loop of retraining asks every few seconds and keeps sums only; a trainer asks once, for the rows as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import xor

import msgspec
import numpy as np
from arro3.core import Table

from gyroscope.assembly.days import Days
from gyroscope.assembly.house import House
from gyroscope.assembly.reading import labels_of, selection, without_broken
from gyroscope.clock import DAY_US, EventTime, day_of
from gyroscope.predictions.reading.columns import times_of
from gyroscope.predictions.reading.query import quoted
from gyroscope.predictions.reading.selection import Selection, Stretch
from gyroscope.predictions.tables.table import FIRST_TIME
from gyroscope.records import Signature
from gyroscope.settings_models import ModelPolicy

HASH = "gyroscope_hash"
NEWEST_DAYS = 3
"""The newest prediction lies in one of so many days, even where the table was begun under another time zone."""


class Data(msgspec.Struct, frozen=True):
    """What is known of the labelled rows of a span: how many, from when to when, and a digest of all.

    `newest` is the event time of the newest prediction, labelled or not.
    """

    rows: int = 0
    first: EventTime = EventTime(0)
    last: EventTime = EventTime(0)
    digest: str = ""
    newest: EventTime = EventTime(0)


class Day(msgspec.Struct, frozen=True):
    """The same of one day; `mixed` is the exclusive or of the hashes of its rows."""

    rows: int = 0
    first: EventTime = EventTime(0)
    last: EventTime = EventTime(0)
    mixed: int = 0


class LabelledDays:
    """The labelled rows of one model; for one thread at a time."""

    def __init__(self, house: House, model: str) -> None:
        self._house = house
        self._model = model
        self._table = house.table(model)
        self._newest: tuple[dict[str, tuple[str, ...]], EventTime | None] = {}, None
        self._days = Days(house, model, self._read)

    def data(self) -> Data:
        """The data that a training would be given now."""
        files = self._days.files()
        newest = self._newest_in(files)
        if newest is None:
            return Data()  # nothing was recorded yet
        return _added(self._days.sums(files, self._queries(sorted(files), newest)), newest)

    def rows(self) -> tuple[Table, Data]:
        """The rows themselves, oldest first, as a user's function gets them, and what is known of just these."""
        signature = self._house.signature_of(self._model)
        newest = self._newest_in(self._days.files()) or EventTime(0)
        after, left_out = span_begins(self._house, self._model, newest), without_broken(self._house, self._model)
        columns = [f"{quoted(name)} AS {quoted(short)}" for name, short in columns_of(signature)]
        query = (
            f"SELECT {', '.join(['event_time', *columns])}, weight, label, {_hashed(signature)} AS {HASH}"
            f" {labelled_rows(after, left_out)} ORDER BY event_time, request_id, row"
        )
        table = selection(self._house, self._model, labels=True).sql(query).arrow()
        rows = table.drop_columns([HASH])
        if not table.num_rows:
            return rows, Data(newest=newest)
        times, mixed = times_of(table), int(np.bitwise_xor.reduce(table.column(HASH).to_numpy()))
        return rows, _added([Day(len(times), EventTime(int(times[0])), EventTime(int(times[-1])), mixed)], newest)

    def _newest_in(self, files: dict[str, tuple[str, ...]]) -> EventTime | None:
        if files != self._newest[0]:
            self._newest = files, self._newest_of(sorted(files))
        return self._newest[1]

    def _newest_of(self, days: Sequence[str]) -> EventTime | None:
        """Of the last days, or of all where nothing was answered on those."""
        for first in dict.fromkeys([*days[-NEWEST_DAYS:][:1], *days[:1]]):
            log = Selection(self._table, Stretch(first, days[-1]))
            found = log.sql("SELECT epoch_us(max(event_time)) AS newest FROM predictions").arrow()
            newest = found.column("newest").to_pylist()[0]
            if newest is not None:
                return EventTime(newest)
        return None

    def _queries(self, days: Sequence[str], newest: EventTime) -> dict[str, str]:
        """What is asked of every day that the span reaches."""
        after, left_out = span_begins(self._house, self._model, newest), without_broken(self._house, self._model)
        # The span cuts through the days around its beginning and takes all of the later ones.
        first, cut = (self._day_of(after + by) if after != FIRST_TIME else "" for by in (-DAY_US, DAY_US))
        queries = {is_cut: self._query(after if is_cut else FIRST_TIME, left_out) for is_cut in (True, False)}
        return {day: queries[day <= cut] for day in days if day >= first}

    def _day_of(self, at: int) -> str:
        return day_of(EventTime(at), self._house.zone_of(self._model))

    def _query(self, after: int, left_out: str) -> str:
        mixed = f"bit_xor({_hashed(self._house.signature_of(self._model))})"
        return (
            "SELECT day, count(*) AS rows, epoch_us(min(event_time)) AS first, epoch_us(max(event_time)) AS last,"
            f" CAST({mixed} AS VARCHAR) AS mixed {labelled_rows(after, left_out)} GROUP BY day"
        )

    def _read(self, days: Sequence[str], query: str) -> dict[str, Day]:
        labels = labels_of(self._house, self._model)
        found = Selection(self._table, Stretch(days[0], days[-1]), labels).sql(query).arrow()
        columns = (found.column(name).to_pylist() for name in ("day", "rows", "first", "last", "mixed"))
        return {
            day: Day(rows, EventTime(first), EventTime(last), int(mixed))
            for day, rows, first, last, mixed in zip(*columns, strict=True)
        }


def labelled_rows(after: int, left_out: str) -> str:
    """The labelled rows later than a moment, without stretches in which data was broken: a model learns those by heart.

    While it is broken the veto keeps anything from being trained.
    """
    return (
        "FROM predictions WHERE label IS NOT NULL AND status = 200"
        f" AND event_time > make_timestamptz({after}){left_out}"
    )


def span_begins(house: House, model: str, newest: int) -> int:
    """After which moment of event time the rows of a training lie."""
    span = house.settings.models.get(model, ModelPolicy()).retrain.span_days
    return newest - round(span * DAY_US) if span else FIRST_TIME


def columns_of(signature: Signature) -> list[tuple[str, str]]:
    """Of each feature its name in the log and its own."""
    return [(f"feature_{feature.name}", feature.name) for feature in signature.as_logged.features]


def _hashed(signature: Signature) -> str:
    """What a row is known by, in SQL."""
    names = [quoted(name) for name, _ in columns_of(signature)]
    return f"hash({', '.join(['epoch_us(event_time)', *names, 'label'])})"


def _added(days: Sequence[Day], newest: EventTime) -> Data:
    if not days:
        return Data(newest=newest)
    rows, mixed = sum(day.rows for day in days), reduce(xor, (day.mixed for day in days))
    first, last = min(day.first for day in days), max(day.last for day in days)
    return Data(rows, first, last, f"{rows}-{mixed:016x}", newest)
