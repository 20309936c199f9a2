"""Every outcome that was ever sent, each in exactly one state, and the join with predictions.

Control calls `add` for what comes in and `settle` before it measures; several processes may, SQLite orders them. The
index of request ids is read here and never written; the tables are read for labels of entities only.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.clock import DAY_US, EventTime
from gyroscope.database import Database, transaction
from gyroscope.predictions.ids.entries import day_number, day_text
from gyroscope.predictions.ids.keys import Keys
from gyroscope.predictions.labels import file
from gyroscope.predictions.labels.columns import LabelColumns, check, columns_of
from gyroscope.predictions.labels.entities import (
    AT_ONCE,
    Entities,
    Move,
    Seeker,
    has_entities,
    looked_into,
    new_files,
    seekers_of,
    unsought,
)
from gyroscope.predictions.labels.groups import JOINED, PENDING, QUARANTINED
from gyroscope.predictions.labels.history import counts_then, values_then
from gyroscope.predictions.labels.index import LabelIndex
from gyroscope.predictions.labels.intake import Intake, move_to_places
from gyroscope.predictions.labels.migration import migrate
from gyroscope.predictions.labels.places import Places
from gyroscope.predictions.labels.reading import as_sent
from gyroscope.predictions.tables.batches import KnownLabels
from gyroscope.records import Label, LabelState, Signature

# Labels of one transaction: a process that is killed every two seconds still gets on.
A_TRANSACTION = 20_000
KEYS_AT_ONCE = 65_536
# The log is folded into the file every 32 MiB instead of every 4.
ROOM = "PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 8000;"


class LabelReport(msgspec.Struct, frozen=True):
    """What became of one call's labels: how many are in each state, and the refused ones by position with reason."""

    received: int
    counts: dict[str, int]
    refused: tuple[tuple[int, str], ...] = ()


class Labels:
    """The labels of all models of one home; safe for several processes and threads."""

    def __init__(
        self, home: Path, signature_of: Callable[[str], Signature], *, wait_days: int = 30, horizon_days: int = 30
    ) -> None:
        """`signature_of(model)` says what a label of that model may be and raises for a model that is not known."""
        self._home = home
        self._signature_of = signature_of
        self._wait_us = wait_days * DAY_US
        self._horizon_us = horizon_days * DAY_US
        self._index = LabelIndex()
        self._places_of: dict[str, Places] = {}
        self._entities: dict[str, Entities] = {}
        self._writing, self._asking, self._seeking = threading.Lock(), threading.Lock(), threading.Lock()
        self._database = Database(
            home / "labels.db",
            "the labels cannot be read or written",
            "make room, then run gyro doctor",
            file.SCHEMA,
            synchronous="FULL",
        )
        # Kept open: closing the last connection folds the log into the file, which costs more than 500 labels do.
        self._writer, self._reader = self._database.connect(), self._database.connect()
        with self._database.errors_named():
            self._writer.executescript(ROOM)
            migrate(self._writer)

    def add(self, model: str, labels: Sequence[Label], now: EventTime) -> LabelReport:
        """Take labels in, in the order of arrival; when this returns they are on disk.

        The last label of a row wins, by `order.latest`; a statement that is already there is a duplicate,
        whatever came between (to return to an earlier value, send a version or a time).
        """
        return self.add_columns(model, columns_of(labels), now)

    def add_columns(self, model: str, columns: LabelColumns, now: EventTime) -> LabelReport:
        """As `add`, for labels that come as columns. Many are written in several transactions: after a failure those
        that were kept already are duplicates when the call is made again."""
        signature = self._signature_of(model)
        checked, refused = check(columns, signature)
        counts: Counter[str] = Counter()
        for start in range(0, len(checked), A_TRANSACTION):
            part = checked.part(start, start + A_TRANSACTION)
            with self._transaction(model) as (db, number):
                counts += Intake(db, number, self._index, self._places(model), now).take(part)
        counts[file.REFUSED] += len(refused)
        numbers = [columns.number(at) for at, _ in refused]
        texts = [(n, as_sent(columns.label(at)), why) for n, (at, why) in zip(numbers, refused, strict=True)]
        self.refuse(model, texts, now)
        return LabelReport(
            len(columns.values),
            {state.value: counts[state.value] for state in LabelState},
            tuple((number, reason) for number, _, reason in texts),
        )

    def refuse(self, model: str, rows: Sequence[tuple[int, str, str]], now: EventTime) -> None:
        """Count and keep rows that could not even be read as labels: (position in the call, its text, the reason)."""
        self._signature_of(model)
        if rows:
            with self._transaction(model) as (db, number):
                file.refuse(db, number, rows, now)

    def settle(self, model: str, now: EventTime) -> set[str]:
        """Join labels that waited for predictions indexed since; return all days whose windows must be restated.

        A day is returned again by every call until `restated` says that it was dealt with, so a crash loses none.
        Labels that waited longer than `wait_days` become quarantined; they still join when their prediction comes.
        """
        with contextlib.closing(Places(self._home, model)) as places:
            while places.epoch and self._meet(model, places, now):
                pass
            self._seek(model, places, now)
        while self._set_aside(model, now):
            pass
        with self._transaction(model) as (db, number):
            db.execute("UPDATE restate SET handed_out = 1 WHERE model = ?", (number,))
            return {day_text(row[0]) for row in db.execute("SELECT day FROM restate WHERE model = ?", (number,))}

    def restated(self, model: str, days: Iterable[str]) -> None:
        """These days, as `settle` returned them, are dealt with; one that got a label since stays to be done."""
        with self._transaction(model) as (db, number):
            db.executemany(
                "DELETE FROM restate WHERE model = ? AND day = ? AND handed_out",
                [(number, day_number(day)) for day in days],
            )

    def counts(self, model: str, as_of: EventTime | None = None) -> dict[str, int]:
        """How many labels are in each state, or were at an earlier moment; the sum is how many had been received."""
        with self._reading(model) as (db, number):
            if as_of is None:
                rows = db.execute("SELECT state, count FROM counts WHERE model = ?", (number,)).fetchall()
                found = Counter(dict(rows))
            else:
                found = counts_then(db, number, as_of, self._wait_us)
        return {state.value: found[state.value] for state in LabelState}

    def of_day(
        self, model: str, day: str, as_of: EventTime | None = None
    ) -> tuple[NDArray[np.object_], NDArray[np.int64], NDArray[np.float64]]:
        """(request ids, rows, values) of the labels joined to predictions of one day, or believed to be at a moment.

        Values are 0/1, numbers, or the index in the signature's classes; a class that it has lost is left out.
        """
        with self._reading(model) as (db, number):
            if as_of is None:
                query = "SELECT request_id, row, value FROM kept WHERE model = ? AND day = ? AND state = ?"
                found = db.execute(query, (number, day_number(day), JOINED)).fetchall()
            else:
                found = values_then(db, number, day_number(day), as_of)
        code = {name: index for index, name in enumerate(self._signature_of(model).classes)}
        if code:
            found = [(request_id, row, code[value]) for request_id, row, value in found if value in code]
        return (
            np.array([row[0] for row in found], dtype=object),
            np.array([row[1] for row in found], dtype=np.int64),
            np.array([row[2] for row in found], dtype=np.float64),
        )

    def revisions(self, model: str) -> dict[str, int]:
        """How often the labels of each day have changed: what was made of a day's labels holds while this does."""
        with self._reading(model) as (db, number):
            found = db.execute("SELECT day, revision FROM revisions WHERE model = ?", (number,)).fetchall()
        return {day_text(day): revision for day, revision in found}

    def days_known(self, model: str, days: Iterable[str]) -> list[str]:
        """Those of some days that any label belongs to, oldest first."""
        by_number = {day_number(day): day for day in sorted(days)}
        known = "SELECT 1 FROM kept WHERE model = ? AND day = asked.value"
        query = f"SELECT value FROM json_each(?) AS asked WHERE EXISTS ({known})"  # noqa: S608  # fixed text
        with self._reading(model) as (db, number):
            found = db.execute(query, (msgspec.json.encode(list(by_number)).decode(), number)).fetchall()
        return [by_number[day] for (day,) in found]

    def known_on(self, model: str, day: str) -> KnownLabels:
        """As `of_day`, with the moment each label is about itself: its `labeled_at`, else when it was received."""
        with self._reading(model) as (db, number):
            found = db.execute(
                "SELECT request_id, row, value, coalesce(labeled_at, received_at) FROM kept"
                " WHERE model = ? AND day = ? AND state = ?",
                (number, day_number(day), JOINED),
            ).fetchall()
        code = {name: index for index, name in enumerate(self._signature_of(model).classes)}
        if code:
            found = [(who, row, code[value], at) for who, row, value, at in found if value in code]
        ids, rows, values, moments = zip(*found, strict=True) if found else ((), (), (), ())
        return KnownLabels(ids, np.array(rows, np.int64), np.array(values, np.float64), np.array(moments, np.int64))

    def refused(self, model: str, limit: int = 100) -> list[tuple[int, str, str]]:
        """The newest refused labels: (position in its call, the label as JSON, the reason)."""
        with self._reading(model) as (db, number):
            return db.execute(
                "SELECT position, label, reason FROM refusals WHERE model = ? ORDER BY rowid DESC LIMIT ?",
                (number, limit),
            ).fetchall()

    def close(self) -> None:
        with self._writing, self._asking:
            self._writer.close()
            self._reader.close()
            for places in self._places_of.values():
                places.close()

    def _places(self, model: str) -> Places:
        """For the one who writes: kept open, and fresh."""
        if model in self._places_of:
            self._places_of[model].refresh()
        else:
            self._places_of[model] = Places(self._home, model)
        return self._places_of[model]

    def _meet(self, model: str, places: Places, now: EventTime) -> bool:
        """Look at one batch of newly indexed ids; False when there are none left."""
        with self._reading(model) as (db, number):
            row = db.execute("SELECT epoch, token FROM met WHERE model = ?", (number,)).fetchone()
        keys, reached = places.since(row[1] if row and row[0] == places.epoch else 0)
        if not len(keys):
            return False
        for start in range(0, len(keys), KEYS_AT_ONCE):
            self._join(model, keys[start : start + KEYS_AT_ONCE], places, now)
        with self._transaction(model) as (db, number):
            db.execute("INSERT OR REPLACE INTO met VALUES(?,?,?)", (number, places.epoch, reached))
        return True

    def _join(self, model: str, keys: Keys, places: Places, now: EventTime) -> None:
        """Join what waited for these requests; follow those whose answered attempt now lies in another day."""
        with self._transaction(model) as (db, number):
            arrivals = self._index.of_ids(db, number, keys)
        for start in range(0, len(arrivals), A_TRANSACTION):
            with self._transaction(model) as (db, number):
                move_to_places(db, number, arrivals[start : start + A_TRANSACTION].tolist(), places, now)

    def _seek(self, model: str, places: Places, now: EventTime) -> None:
        """Find the predictions of labels of entities: in new files for all of them, in all files for new ones."""
        with self._reading(model) as (db, number):
            if not has_entities(db, number):
                return
        with self._seeking:
            if model not in self._entities:
                self._entities[model] = Entities(self._home, model, self._horizon_us)
            self._look(model, self._entities[model], places, now)

    def _look(self, model: str, entities: Entities, places: Places, now: EventTime) -> None:
        files = entities.files()
        with self._reading(model) as (db, number):
            new = new_files(db, number, files)
        named = entities.entities(new)
        with self._reading(model) as (db, number):
            seekers = seekers_of(db, number, named)
        again = entities.changed(seekers, new)
        self._transfer(model, entities.nearer(seekers, new), places, now)
        with self._transaction(model) as (db, number):
            file.seek(db, number, again)
            looked_into(db, number, files)
        while seekers := self._unsought(model):
            self._transfer(model, entities.anew(seekers, files), places, now)
            with self._transaction(model) as (db, _):
                file.sought(db, [seeker.arrival for seeker in seekers])

    def _unsought(self, model: str) -> list[Seeker]:
        with self._reading(model) as (db, number):
            return unsought(db, number)

    def _transfer(self, model: str, moves: Sequence[Move], places: Places, now: EventTime) -> None:
        for start in range(0, len(moves), AT_ONCE):
            with self._transaction(model) as (db, number):
                Intake(db, number, self._index, places, now).transfer(moves[start : start + AT_ONCE])

    def _set_aside(self, model: str, now: EventTime) -> bool:
        """Quarantine some that waited too long; False when there are none left."""
        with self._transaction(model) as (db, number):
            late = db.execute(
                "UPDATE kept SET state = ? WHERE arrival IN (SELECT arrival FROM kept WHERE model = ? AND state = 1"
                " AND received_at < ? LIMIT ?)",
                (QUARANTINED, number, now - self._wait_us, A_TRANSACTION),
            ).rowcount
            names = file.STATES
            file.count(db, number, Counter({names[PENDING]: -late, names[QUARANTINED]: late}))
        return late == A_TRANSACTION

    @contextlib.contextmanager
    def _reading(self, model: str) -> Iterator[tuple[sqlite3.Connection, int]]:
        with self._asking, self._database.errors_named():
            yield self._reader, file.known_number(self._reader, model)

    @contextlib.contextmanager
    def _transaction(self, model: str) -> Iterator[tuple[sqlite3.Connection, int]]:
        """One writer at a time, all or nothing; on disk when it is left."""
        with self._writing, self._database.errors_named():
            try:
                with transaction(self._writer):
                    yield self._writer, file.number_of(self._writer, model)
            except BaseException:
                self._index.forget()
                raise
