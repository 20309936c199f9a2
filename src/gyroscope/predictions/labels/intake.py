"""One batch of labels into the tables, and stored labels to where their predictions lie; inside one transaction.

Most labels are the only one of their row: those go through as columns. Only rows with several labels, and labels of
entities, are looked at one by one.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gyroscope.clock import EventTime
from gyroscope.predictions.ids.index import Found
from gyroscope.predictions.ids.keys import id_keys
from gyroscope.predictions.labels import file
from gyroscope.predictions.labels.columns import Checked
from gyroscope.predictions.labels.entities import Move
from gyroscope.predictions.labels.groups import (
    JOINED,
    PENDING,
    QUARANTINED,
    Kept,
    Target,
    arrange,
    waiting_id,
)
from gyroscope.predictions.labels.index import Hashes, LabelIndex, row_hashes
from gyroscope.predictions.labels.places import Places


class Intake:
    """One transaction's view: the tables, the index of labels, and where predictions lie."""

    def __init__(self, db: sqlite3.Connection, model: int, index: LabelIndex, places: Places, now: EventTime) -> None:
        self._db, self._model, self._index, self._places, self._now = db, model, index, places, now

    def take(self, labels: Checked) -> Counter[str]:
        """Keep these labels; the count of what became of them."""
        ids, is_entity = _targets(labels)
        keys = id_keys(ids)
        hashes = row_hashes(keys, labels.rows)
        is_lonely, others = self._lonely(hashes)
        is_lonely &= ~is_entity
        found = self._places.find(keys)
        first = file.take_arrivals(self._db, len(labels))
        lonely = np.flatnonzero(is_lonely)
        states = self._insert(labels, lonely, found, first)
        counts = Counter({file.STATES[state]: int((states == state).sum()) for state in (JOINED, PENDING)})
        together = np.flatnonzero(~is_lonely)
        kept = self._regroup(labels, ids, together, found, first, others) if len(together) else []
        counts += Counter(file.STATES[one.state] for one in kept)
        repeated = len(together) - len(kept)
        file.count_repeats(self._db, self._model, repeated, self._now)
        counts[file.DUPLICATE] += repeated
        stored = np.concatenate([lonely, np.array([one.arrival - first for one in kept], dtype=np.int64)])
        self._index.add(self._db, self._model, hashes[stored], stored + first)
        return counts

    def transfer(self, moves: Sequence[Move]) -> None:
        """Labels of entities go from the rows they belonged to, to others; both rows are judged again."""
        where = {move.arrival: move for move in moves}
        moved = [kept for kept in file.read_kept(self._db, where) if kept.entity_key is not None]
        left = [kept.target for kept in moved]
        for kept in moved:
            move = where[kept.arrival]
            kept.request_id = move.request_id or waiting_id(str(kept.entity_key), kept.said_at)
            kept.found_at, kept.day, kept.joined_at = move.found_at, None, None
        keys, rows = (
            id_keys([kept.request_id for kept in moved]),
            np.array([kept.row for kept in moved], dtype=np.int64),
        )
        arrivals = np.array([kept.arrival for kept in moved], dtype=np.int64)
        targets = list({*left, *(kept.target for kept in moved)})
        every = {kept.arrival: kept for kept in self._of_targets(targets)} | {kept.arrival: kept for kept in moved}
        self._index.add(self._db, self._model, row_hashes(keys, rows), arrivals)
        self._arrange(list(every.values()), targets)
        file.sought(self._db, [kept.arrival for kept in moved])

    def _of_targets(self, targets: Sequence[Target]) -> list[Kept]:
        """All labels that have to do with these rows, and perhaps others of the same hash."""
        keys = id_keys([request_id for request_id, _ in targets])
        hashes = np.sort(row_hashes(keys, np.array([row for _, row in targets], dtype=np.int64)))
        return file.read_kept(self._db, np.unique(self._index.of_rows(self._db, self._model, hashes)[1]).tolist())

    def _arrange(self, every: Sequence[Kept], targets: Sequence[Target]) -> None:
        """Judge these rows anew, all of whose labels are among these, and write what comes of it."""
        groups: dict[Target, list[Kept]] = {target: [] for target in targets}
        for kept in every:
            if kept.target in groups:
                groups[kept.target].append(kept)
        found = self._places.find(id_keys([request_id for request_id, _ in targets]))
        for (target, group), is_found, day, rows in zip(groups.items(), *map(list, found), strict=True):
            arrange(group, int(day) if is_found and target[1] < rows else None, self._now)
        file.write_kept(self._db, self._model, [kept for group in groups.values() for kept in group])

    def _lonely(self, hashes: Hashes) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Which labels are the only ones of their row, as far as hashes tell, and the arrivals of the others' rows."""
        order = np.argsort(hashes, kind="stable")
        sorted_hashes = hashes[order]
        shared, arrivals = self._index.of_rows(self._db, self._model, sorted_hashes)
        same = sorted_hashes[1:] == sorted_hashes[:-1]
        shared[1:] |= same
        shared[:-1] |= same
        is_lonely = np.empty(len(hashes), dtype=bool)
        is_lonely[order] = ~shared
        return is_lonely, np.unique(arrivals)

    def _insert(self, labels: Checked, lonely: NDArray[np.int64], found: Found, first: int) -> NDArray[np.int64]:
        """Write labels without company; their states."""
        is_joined = found.is_found[lonely] & (labels.rows[lonely] < found.rows[lonely])
        states = np.where(is_joined, JOINED, PENDING)
        days: list[int | None] = found.day[lonely].astype(object).tolist()
        if not is_joined.all():
            days = [day if joined else None for day, joined in zip(days, is_joined.tolist(), strict=True)]
        given = labels if len(lonely) == len(labels) else labels.some(lonely)
        file.insert_lonely(self._db, self._model, file.Lonely(given, lonely + first, states, days), self._now)
        joined = int(is_joined.sum())
        change = {file.STATES[JOINED]: joined, file.STATES[PENDING]: len(lonely) - joined}
        file.count(self._db, self._model, Counter(change))
        file.mark_days(self._db, self._model, np.unique(found.day[lonely][is_joined]).tolist())
        return states

    def _regroup(
        self,
        labels: Checked,
        ids: list[str],
        together: NDArray[np.int64],
        found: Found,
        first: int,
        others: NDArray[np.int64],
    ) -> list[Kept]:
        """Put labels among those of their rows; the new ones that are no duplicates."""
        known = file.read_rows(self._db, others.tolist())
        said = set(map(file.identity_of, known))
        new: list[Kept] = []
        days: dict[Target, int | None] = {}
        for place, identity in zip(together.tolist(), _identities(labels.some(together)), strict=True):
            if identity in said:
                continue
            said.add(identity)
            kept = _new(labels, place, ids[place], first + place, self._now)
            new.append(kept)
            is_joined = found.is_found[place] and kept.row < found.rows[place]
            days[kept.target] = int(found.day[place]) if is_joined else None
        groups: dict[Target, list[Kept]] = {target: [] for target in days}
        for row in known:
            if file.target_of(row) in groups:
                groups[file.target_of(row)].append(file.kept_of(row))
        for kept in new:
            groups[kept.target].append(kept)
        for target, group in groups.items():
            arrange(group, days[target], self._now)
        file.write_kept(self._db, self._model, [kept for group in groups.values() for kept in group])
        file.seek(self._db, self._model, [kept.arrival for kept in new if kept.entity_key is not None])
        return new


def move_to_places(db: sqlite3.Connection, model: int, arrivals: Iterable[int], places: Places, now: EventTime) -> None:
    """Labels of these arrivals to where their predictions now lie; those without one stay as they are."""
    labels = file.read_places(db, arrivals)
    if not labels:
        return
    ids = [label.request_id for label in labels]
    found = places.find(id_keys(ids))
    change: Counter[str] = Counter()
    days: set[int] = set()
    moved: list[tuple[int, int, int, int]] = []
    where = zip(labels, found.is_found.tolist(), found.day.tolist(), found.rows.tolist(), strict=True)
    for label, is_found, day, rows in where:
        if not is_found or label.row >= rows or (label.day == day and label.state not in (PENDING, QUARANTINED)):
            continue
        state = JOINED if label.state in (PENDING, QUARANTINED) else label.state
        if state == JOINED:
            days |= {day} if label.day is None else {day, label.day}
        if state != label.state:
            change[file.STATES[label.state]] -= 1
            change[file.STATES[state]] += 1
        moved.append((state, day, now, label.arrival))
    file.move(db, moved)
    file.count(db, model, change)
    file.mark_days(db, model, days)


def _targets(labels: Checked) -> tuple[list[str], NDArray[np.bool_]]:
    """The request each label belongs to as far as is known, and which are labels of entities."""
    if labels.entity_keys is None:
        return labels.request_ids, np.zeros(len(labels), dtype=bool)
    times = labels.event_times or [None] * len(labels)
    ids = [
        waiting_id(entity, time) if entity else request_id
        for request_id, entity, time in zip(labels.request_ids, labels.entity_keys, times, strict=True)
    ]
    return ids, np.array([bool(entity) for entity in labels.entity_keys], dtype=bool)


def _identities(labels: Checked) -> Iterator[tuple[Any, ...]]:
    """For each label what `file.identity_of` says of one that is kept."""
    nothing = [None] * len(labels)
    plain = zip(
        labels.request_ids,
        labels.rows.tolist(),
        labels.values,
        labels.versions or nothing,
        labels.labeled_at or nothing,
        strict=True,
    )
    if labels.entity_keys is None:
        yield from plain
        return
    for identity, entity, said_at in zip(plain, labels.entity_keys, labels.event_times or nothing, strict=True):
        yield ((entity, said_at), *identity[1:]) if entity else identity


def _new(labels: Checked, place: int, request_id: str, arrival: int, now: EventTime) -> Kept:
    kept = Kept(
        arrival,
        labels.values[place],
        None if labels.versions is None else labels.versions[place],
        None if labels.labeled_at is None else labels.labeled_at[place],
        request_id,
        int(labels.rows[place]),
        received_at=now,
    )
    if labels.entity_keys is not None and labels.entity_keys[place]:
        kept.entity_key = labels.entity_keys[place]
        kept.said_at = None if labels.event_times is None else labels.event_times[place]
        default = now if kept.labeled_at is None else kept.labeled_at
        kept.at = default if kept.said_at is None else kept.said_at
    return kept
