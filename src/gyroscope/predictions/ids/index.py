"""The index of request ids of one model: where each attempt lies, and what still has to be amended in the table.

The recorder writes it after each commit of the table, together with the table's version, so it can be caught up or made
again from the table at any time. Labels read it from another process. It never decides which attempt counts.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self
from uuid import uuid4

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.errors import StoreError
from gyroscope.predictions.ids.entries import ANSWERED, Asked, attempt_of, day_number, day_text, entries_of
from gyroscope.predictions.ids.keys import Keys, id_keys
from gyroscope.predictions.ids.owed import Owed
from gyroscope.predictions.ids.runs import ATTEMPTS, ENTRY, Entries, Matches, Merge, Run, RunWriter, Torn, newest
from gyroscope.predictions.recording.attempts import Attempt
from gyroscope.predictions.segments.scan import Damage

__all__ = ["MANIFEST", "OWED", "Found", "IdIndex", "Place", "day_number", "day_text", "ids_path"]

MANIFEST, OWED, SUFFIX = "manifest.json", "owed.db", ".run"
# Runs of one size are merged eight at a time: an entry is rewritten once per eightfold growth, and ten million entries
# lie in about fifteen runs, each of which sends most absent keys away by its filter.
TOGETHER = 8
SMALLEST = 4_096
# Entries that are merged for each new one: more than the one or two that each has to be merged in the long run.
SHARE = 4
TRIES = 20


class Place(NamedTuple):
    """Where the answered attempt of a request lies, and how many predictions it has."""

    request_id: str
    day: str
    rows: int


class Found(NamedTuple):
    """Arrays of the length of the question; `day` (since 1970-01-01) and `rows` are 0 where nothing was found."""

    is_found: NDArray[np.bool_]
    day: NDArray[np.int32]
    rows: NDArray[np.int32]


class _Listed(msgspec.Struct, frozen=True):
    """One run as the manifest names it."""

    name: str
    count: int
    first: int
    last: int


class _Manifest(msgspec.Struct, frozen=True):
    """Which runs there are, oldest first, and which version of which table they reflect."""

    epoch: str
    table: str = ""
    version: int = -1
    turn: int = 0
    runs: tuple[_Listed, ...] = ()


def ids_path(home: Path, model: str) -> Path:
    """Where the index of one model lies: a folder."""
    return home / "ids" / model


class IdIndex:
    """One model's index; `reading` opens it for another process without ever creating it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._errors_named():
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._owed: Owed | None = Owed(path / OWED)
        self._owed.adopt(path.with_name(f"{path.name}.db"))
        self._runs: list[Run] = []
        self._merged: set[str] = set()
        self._merge: Merge | None = None
        try:
            self._load()
        except Torn:
            self.forget()
        self._sweep()

    @classmethod
    def reading(cls, path: Path) -> Self | None:
        """The index as it is now, for a reader, or None while the recorder has not made one."""
        index = cls.__new__(cls)
        index._path, index._owed, index._runs = path, None, []
        try:
            index.refresh()
        except Torn:
            return None
        return index

    def refresh(self) -> None:
        """A reader's way to see what was taken in since it was opened; costs nothing when nothing was."""
        for attempt in range(TRIES):
            try:
                self._load()
            except Torn:
                # The recorder merged this run away between the manifest and the look at it.
                if attempt == TRIES - 1:
                    raise
            else:
                return

    def close(self) -> None:
        """Let go of files; arrays that were handed out stay."""
        self._runs = []
        if self._owed is not None:
            self._give_up_merging()
            self._owed.close()

    @property
    def epoch(self) -> str:
        """Changes when the index is made anew, so that a reader's place in `since` is no longer valid."""
        return self._manifest.epoch

    @property
    def reflects(self) -> tuple[str, int]:
        """The table's id and version that this index has taken in; ("", -1) for none."""
        return self._manifest.table, self._manifest.version

    def seen(self, asked: Asked) -> NDArray[np.bool_]:
        """Which of these keys have any attempt."""
        known = np.zeros(len(asked.keys), dtype=np.bool_)
        known[self._match(asked.keys).query] = True
        return known[asked.place]

    def several(self, keys: Keys) -> NDArray[np.bool_]:
        """Which of these keys have more than one attempt."""
        asked = Asked(keys)
        return (np.bincount(self._match(asked.keys).query, minlength=len(asked.keys)) > 1)[asked.place]

    def find(self, keys: Keys) -> Found:
        """Where these requests were answered; with two inputs under one id, the later one."""
        asked = Asked(keys)
        query, entries = self._match(asked.keys)
        answers = (entries["state"] & ANSWERED).astype(np.bool_) & (entries["rows"] > 0)
        query, entries = query[answers], entries[answers]
        order = np.lexsort((entries["state"], entries["arrived_at"]))
        query, entries = query[order], entries[order]
        total = len(asked.keys)
        found = Found(np.zeros(total, np.bool_), np.zeros(total, np.int32), np.zeros(total, np.int32))
        # Of several assignments to one place the last stands: the answer that arrived last.
        found.is_found[query], found.day[query], found.rows[query] = True, entries["day"], entries["rows"]
        return Found(found.is_found[asked.place], found.day[asked.place], found.rows[asked.place])

    def attempts(self, request_ids: Iterable[str]) -> dict[str, list[Attempt]]:
        """The known attempts at these requests; of more than a thousand at one, the newest."""
        every = list(dict.fromkeys(request_ids))
        asked = Asked(id_keys(every))
        query, entries = self._match(asked.keys)
        query = asked.order[query]
        order = np.argsort(entries["arrived_at"], kind="stable")[::-1]
        found: dict[str, list[Attempt]] = {}
        for at, entry in zip(query[order].tolist(), entries[order].tolist(), strict=True):
            known = found.setdefault(every[at], [])
            if len(known) < ATTEMPTS:
                known.append(attempt_of(every[at], entry))
        return found

    def places(self, request_ids: Iterable[str]) -> dict[str, Place]:
        """As `find`, by the text of the ids."""
        every = list(dict.fromkeys(request_ids))
        found = self.find(id_keys(every))
        return {
            every[at]: Place(every[at], day_text(int(found.day[at])), int(found.rows[at]))
            for at in np.flatnonzero(found.is_found).tolist()
        }

    def since(self, token: int, limit: int = 500_000) -> tuple[Keys, int]:
        """Keys that are new or changed after `token` (0: all), and the token to ask with next; none: nothing is left.

        About `limit` at a time, in the order in which they were taken in. A key may come again.
        """
        for run in self._runs:
            if run.last <= token:
                continue
            turns = run.entries["turn"]
            wanted = np.flatnonzero(turns > token) if run.first <= token else np.arange(run.count)
            reached = run.last
            if wanted.size > limit:
                reached = max(int(np.partition(turns[wanted], limit)[limit]) - 1, int(turns[wanted].min()))
                wanted = wanted[turns[wanted] <= reached]
            keys = np.column_stack([run.high[wanted], run.entries["low"][wanted]])
            run.release()
            return keys, reached
        return np.empty((0, 2), dtype=np.uint64), token

    def take_in(self, table: tuple[str, int], attempts: Sequence[Attempt], amendments: Sequence[Attempt]) -> None:
        """Write attempts as the table now has them, and the amendments that are still owed.

        Each attempt given replaces what was known of it. What is owed is written first and struck off last: a crash
        between leaves something to be amended twice, never something forgotten.
        """
        self.take_in_entries(table, *entries_of(attempts), amendments)
        again = {(a.request_id, a.attempt) for a in amendments}
        if self._books.is_owing:
            self._books.paid([a for a in attempts if (a.request_id, a.attempt) not in again])

    def take_in_entries(
        self, table: tuple[str, int], high: NDArray[np.uint64], entries: Entries, amendments: Sequence[Attempt] = ()
    ) -> None:
        """As `take_in`, for what is already columns; `turn` is filled in here."""
        self._books.owe(amendments)
        now = self._manifest
        turn = now.turn + 1
        entries["turn"] = turn
        with self._errors_named():
            try:
                self._add(high, entries, turn)
            except Torn as error:
                self.forget()
                raise StoreError(
                    f"the index of request ids is damaged: {error}",
                    where=str(self._path),
                    fix="nothing to do: it is being made again from the table",
                ) from error
            self._save(_Manifest(now.epoch, *table, turn, tuple(map(_listed, self._runs))))

    def owe(self, amendments: Sequence[Attempt]) -> None:
        """Amendments that are owed besides those given to `take_in`."""
        self._books.owe(amendments)

    def owed(self) -> list[Attempt]:
        """Attempts whose rows in the table must still be changed, as they shall become."""
        return self._books.amendments() if self._books.is_owing else []

    def forget(self) -> None:
        """Empty the index before it is made again from the table; damage stays."""
        self._books.forget()
        self._give_up_merging()
        self._runs = []
        with self._errors_named():
            self._save(_Manifest(uuid4().hex))
        self._sweep()

    def keep_damage(self, segment: str, damages: Iterable[Damage]) -> None:
        """Write down what could not be read, with its bytes (the first MiB); the same damage twice is one."""
        self._books.keep_damage(segment, damages)

    def damage(self) -> list[tuple[str, int, int, str]]:
        """(segment, byte offset, length, reason) of everything that could not be read."""
        return self._books.damage()

    @property
    def books(self) -> Owed:
        """What lies beside the index and cannot be made again."""
        return self._books

    def damages(self) -> int:
        """How many stretches could not be read."""
        return self._books.damages()

    def count(self, name: str, more: int) -> None:
        """Add to a count that outlives the process."""
        self._books.count(name, more)

    def counts(self) -> dict[str, int]:
        """Every count by its name: `repeated` are ingested records that were already there."""
        return self._books.counts()

    @property
    def _books(self) -> Owed:
        if self._owed is None:
            raise StoreError("a reader of the index does not write", where=str(self._path))
        return self._owed

    def _match(self, keys: Keys) -> Matches:
        """The newest state of every attempt at these; `keys` in ascending order of their high half."""
        found = [run.match(keys) for run in reversed(self._runs)]
        query = np.concatenate([some.query for some in found] or [np.empty(0, np.intp)])
        entries = np.concatenate([some.entries for some in found] or [np.empty(0, ENTRY)])
        if not query.size:
            return Matches(query, entries)
        # By query and number of the attempt; stable, so the newest run's state comes first and stands.
        number = entries["state"] >> 2
        first = np.lexsort((number, query))
        query, entries, number = query[first], entries[first], number[first]
        again = np.insert((query[1:] == query[:-1]) & (number[1:] == number[:-1]), 0, False)
        return Matches(query[~again], entries[~again])

    def _add(self, high: NDArray[np.uint64], entries: Entries, turn: int) -> None:
        if len(high):
            writer = RunWriter(self._run_path(turn, turn), turn, turn, len(high))
            writer.add(*newest(high, entries))
            self._runs.append(writer.finish())
        self._merge_some(max(SMALLEST * TOGETHER, SHARE * len(high)))

    def _merge_some(self, entries: int) -> None:
        """Go on with the merge that is under way, or begin one: in steps, so that no batch waits for a large one."""
        if self._merge is None:
            tail = _mergeable(self._runs)
            if not tail:
                return
            self._merge = Merge(tail, self._run_path(tail[0].first, tail[-1].last))
        made = self._merge.advance(entries)
        if made is not None:
            at = self._runs.index(self._merge.runs[0])
            self._merged |= {run.path.name for run in self._merge.runs}
            self._runs[at : at + len(self._merge.runs)] = [made]
            self._merge = None

    def _give_up_merging(self) -> None:
        if self._merge is not None:
            self._merge.drop()
        self._merge = None

    def _run_path(self, first: int, last: int) -> Path:
        return self._path / f"{self._manifest.epoch[:8]}-{first:09d}-{last:09d}{SUFFIX}"

    def _load(self) -> None:
        """Read the manifest and open the runs that are not open yet; `Torn` when one is not as it says."""
        try:
            manifest = msgspec.json.decode((self._path / MANIFEST).read_bytes(), type=_Manifest)
        except (OSError, msgspec.DecodeError) as error:
            raise Torn(f"{MANIFEST}: {error}") from error
        have = {run.path.name: run for run in self._runs}
        self._runs = [
            have.get(item.name) or Run(self._path / item.name, item.count, item.first, item.last)
            for item in manifest.runs
        ]
        self._manifest = manifest

    def _save(self, manifest: _Manifest) -> None:
        """From here on readers see these runs; those that are no longer listed go."""
        new = self._path / f"{MANIFEST}.new"
        with new.open("wb") as file:
            file.write(msgspec.json.encode(manifest))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path / MANIFEST)
        self._manifest = manifest
        for name in self._merged:
            (self._path / name).unlink(missing_ok=True)
        self._merged.clear()

    def _sweep(self) -> None:
        """Remove what a killed recorder was about to list."""
        listed = {item.name for item in self._manifest.runs}
        for path in self._path.glob(f"*{SUFFIX}"):
            if path.name not in listed:
                path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"the index of request ids cannot be read or written: {error}",
                where=str(self._path),
                fix="make room or mend the folder; nothing is lost, the recorder tries again",
            ) from error


def _mergeable(runs: Sequence[Run]) -> list[Run]:
    """The newest runs of one size, when there are enough of them."""
    tail: list[Run] = []
    for run in reversed(runs):
        if tail and _size(run) > max(map(_size, tail)):
            break
        tail.insert(0, run)
    return tail if len(tail) >= TOGETHER else []


def _size(run: Run) -> int:
    """How often eight runs of the smallest size had to be merged to make this one."""
    size, count = 0, run.count // SMALLEST
    while count:
        size, count = size + 1, count // TOGETHER
    return size


def _listed(run: Run) -> _Listed:
    return _Listed(run.path.name, run.count, run.first, run.last)
