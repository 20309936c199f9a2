"""Gives each new record its number among the attempts at its request, and says which rows of the table have to change.

`drain.py` asks once per batch. Only ids that occur more than once are looked at one by one: of ten thousand requests,
nearly all are the only attempt at theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.predictions.ids.entries import Asked, state_of
from gyroscope.predictions.ids.runs import ENTRY, Entries
from gyroscope.predictions.recording.attempts import Attempt, judge
from gyroscope.predictions.recording.columns import Verdicts
from gyroscope.predictions.recording.decoded import Decoded
from gyroscope.predictions.segments.wal import INGESTED

FAILED = 400


class Known(Protocol):
    """What has to be known of earlier attempts; the index of ids knows it."""

    def seen(self, asked: Asked) -> NDArray[np.bool_]:
        """Which of these have any."""
        ...

    def attempts(self, request_ids: Sequence[str]) -> dict[str, list[Attempt]]:
        """All of them."""
        ...


class Numbered(msgspec.Struct):
    """The verdicts of each version's records, what the index has to learn, and what the table has to change.

    `repeated` counts ingested records that were there already; records written twice are dropped without a word.
    """

    verdicts: list[Verdicts]
    high: NDArray[np.uint64]
    entries: Entries
    amendments: list[Attempt]
    repeated: int


def number(parts: Sequence[Decoded], days: Sequence[NDArray[np.int32]], known: Known) -> Numbered:
    """Number all records of one batch, given as one part per version; `days` are those of each part's records."""
    batch = _Batch(parts, np.concatenate([np.empty(0, np.int32), *days]))
    amendments: list[Attempt] = []
    for request_id, places in batch.several(known).items():
        amendments += batch.settle(request_id, places, batch.earlier.get(request_id, []))
    kept = batch.asked.ascending[batch.is_kept[batch.asked.ascending]]
    return Numbered(batch.verdicts(), batch.keys[kept, 0], batch.entries(kept), amendments, batch.repeated)


class _Batch:
    """Arrays over the records of all parts, one after another."""

    def __init__(self, parts: Sequence[Decoded], day: NDArray[np.int32]) -> None:
        self._parts = parts
        self._sizes = [len(part.headers) for part in parts]
        total = sum(self._sizes)
        self.day = day
        self.keys = np.concatenate([np.empty((0, 2), np.uint64), *(part.keys for part in parts)])
        self.asked = Asked(self.keys)
        self.input_hash = np.concatenate([np.empty(0, np.int64), *(part.input_hash for part in parts)])
        self.arrived_at = self._of("arrival_time", np.int64)
        answers = (self._of("outputs", np.int64) > 0) & (self._of("status", np.int64) < FAILED)
        self.rows = np.where(answers, self._of("rows", np.int64), 0)
        self.is_kept = np.ones(total, np.bool_)
        self.attempt = np.ones(total, np.int32)
        self.answered = np.ones(total, np.bool_)
        self.conflict = np.zeros(total, np.bool_)
        self.repeated = 0
        self.earlier: dict[str, list[Attempt]] = {}

    def several(self, known: Known) -> dict[str, list[int]]:
        """The records of every id that occurs more than once, here or before, in the order of their arrival."""
        again = known.seen(self.asked)
        again[self.asked.twins] = True
        places = np.flatnonzero(again)
        places = places[np.argsort(self.arrived_at[places], kind="stable")]
        found: dict[str, list[int]] = {}
        for place, request_id in zip(places.tolist(), self._ids(places), strict=True):
            found.setdefault(request_id, []).append(place)
        self.earlier = known.attempts(list(found)) if found else {}
        return found

    def settle(self, request_id: str, places: list[int], earlier: list[Attempt]) -> list[Attempt]:
        """Judge one id: set what is known of the new records, return earlier attempts as they shall become."""
        written = {(attempt.input_hash, attempt.arrived_at) for attempt in earlier}
        answers = {attempt.input_hash for attempt in earlier if attempt.rows > 0}
        tried = {attempt.input_hash for attempt in earlier}
        next_number = max((attempt.attempt for attempt in earlier), default=0) + 1
        new: dict[int, Attempt] = {}
        for place in places:
            hashed, arrived_at, rows = (int(some[place]) for some in (self.input_hash, self.arrived_at, self.rows))
            is_there = hashed in (answers if rows else tried) and self._is_ingested(place)
            if is_there or (hashed, arrived_at) in written:
                self.is_kept[place] = False
                self.repeated += is_there
                continue
            written.add((hashed, arrived_at))
            tried.add(hashed)
            if rows:
                answers.add(hashed)
            new[place] = Attempt(request_id, next_number, "", hashed, arrived_at, rows)
            next_number += 1
        flags = judge([*earlier, *new.values()])
        for place, attempt in new.items():
            self.attempt[place] = attempt.attempt
            self.answered[place], self.conflict[place] = flags[attempt.attempt]
        return changed(earlier, flags)

    def entries(self, kept: NDArray[np.intp]) -> Entries:
        """What the index has to learn of these."""
        entries = np.zeros(len(kept), ENTRY)
        entries["low"] = self.keys[kept, 1]
        entries["input_hash"] = self.input_hash[kept]
        entries["arrived_at"] = self.arrived_at[kept]
        entries["day"] = self.day[kept]
        entries["rows"] = self.rows[kept]
        entries["state"] = state_of(self.attempt[kept], self.answered[kept], self.conflict[kept])
        return entries

    def verdicts(self) -> list[Verdicts]:
        """By part."""
        ends = np.cumsum([0, *self._sizes]).tolist()
        spans = [slice(begin, end) for begin, end in pairwise(ends)]
        return [Verdicts(self.is_kept[at], self.attempt[at], self.answered[at], self.conflict[at]) for at in spans]

    def _ids(self, places: NDArray[np.intp]) -> list[str]:
        """The ids of records in the given order, which may go back and forth between parts."""
        found = np.empty(len(places), dtype=object)
        begin = 0
        for part, size in zip(self._parts, self._sizes, strict=True):
            inside = np.flatnonzero((places >= begin) & (places < begin + size))
            found[inside] = part.ids(places[inside] - begin)
            begin += size
        return [str(one) for one in found]

    def _is_ingested(self, place: int) -> bool:
        for part, size in zip(self._parts, self._sizes, strict=True):
            if place < size:
                return bool(int(part.headers["flags"][place]) & INGESTED)
            place -= size
        return False

    def _of(self, name: str, kind: type[np.int64]) -> NDArray[np.int64]:
        return np.concatenate([np.empty(0, kind), *(part.headers[name].astype(kind) for part in self._parts)])


def changed(attempts: Sequence[Attempt], flags: dict[int, tuple[bool, bool]]) -> list[Attempt]:
    """Attempts whose flags in the table differ from what they shall be, as they shall become."""
    return [
        msgspec.structs.replace(attempt, answered=flags[attempt.attempt][0], conflict=flags[attempt.attempt][1])
        for attempt in attempts
        if (attempt.answered, attempt.conflict) != flags[attempt.attempt]
    ]
