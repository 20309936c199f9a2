"""Sorted runs: immutable files of entries by the hash of their request id, written once, mapped by readers.

`ids.py` keeps a list of them and is the only one who calls this. A run is written under a name of its own and never
changed, so a reader that has it open needs no lock. Nothing here knows what an entry means, but for which of two wins.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from gyroscope.predictions.ids.keys import Keys

ENTRY = np.dtype(
    [
        ("low", "<u8"),
        ("input_hash", "<i8"),
        ("arrived_at", "<i8"),
        ("day", "<i4"),
        ("rows", "<i4"),
        ("turn", "<u4"),
        ("state", "<u4"),
    ]
)
"""One attempt, beside the high half of its key: `turn` counts what the index took in, `state` is the attempt's number
above two bits of flags."""

HEAD = struct.Struct("<8sQQQQ24x")
MAGIC = b"\xa9GYRUN1\n"
# Entries of one step of a merge: 13 MB, however large the runs are.
STEP = 256 * 1024
# Slots of the filter per entry: one look at one bit sends nineteen of twenty absent keys away without a search.
SLOTS = 16
# Of an id that a client uses for everything, only so many attempts, the newest of each run, are ever looked at.
ATTEMPTS = 1_000

Entries = NDArray[np.void]
High = NDArray[np.uint64]


class Torn(Exception):  # noqa: N818  # a state that is found, no fault of a caller
    """A run that is missing, cut or changed; the index is then made again from the table."""


class Matches(NamedTuple):
    """Pairs of equal length: which query, and what was found for it."""

    query: NDArray[np.intp]
    entries: Entries


class Run:
    """One file, mapped. `first` and `last` are the turns of its entries."""

    def __init__(self, path: Path, count: int, first: int, last: int) -> None:
        self.path, self.count, self.first, self.last = path, count, first, last
        try:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            magic, found, room, *self._sums = HEAD.unpack_from(self._map)
        except (FileNotFoundError, ValueError, struct.error) as error:
            raise Torn(f"{path.name}: {error}") from error
        at = _places(room)
        if magic != MAGIC or found != count or len(self._map) < at[2] + count * ENTRY.itemsize:
            raise Torn(f"{path.name} is not whole")
        self.high: High = np.frombuffer(self._map, "<u8", count, at[0])
        self._filter = np.frombuffer(self._map, np.uint8, at[2] - at[1], at[1])
        self._shift = np.uint64(64 - _bits(room))
        self.entries: Entries = np.frombuffer(self._map, ENTRY, count, at[2])

    def match(self, keys: Keys) -> Matches:
        """The entries of these keys, which are in ascending order of their high half."""
        slot = (keys[:, 0] >> self._shift).astype(np.intp)
        asked = np.flatnonzero(self._filter[slot >> 3] >> (slot & 7).astype(np.uint8) & 1)
        if not asked.size:
            return Matches(asked, self.entries[:0])
        high = keys[asked, 0]
        begins = np.searchsorted(self.high, high, side="left")
        there = self.high[np.minimum(begins, self.count - 1)] == high
        asked, high, begins = asked[there], high[there], begins[there]
        ends = np.searchsorted(self.high, high, side="right")
        counts = np.minimum(ends - begins, ATTEMPTS)
        begins = ends - counts
        query = np.repeat(asked, counts)
        within = np.arange(query.size) - np.repeat(np.cumsum(counts) - counts, counts)
        entries = self.entries[np.repeat(begins, counts) + within]
        same = entries["low"] == keys[query, 1]
        return Matches(query[same], entries[same])

    @property
    def sums(self) -> tuple[int, int]:
        """What the bytes of the keys and of the entries add up to, as it was written."""
        return self._sums[0], self._sums[1]

    def release(self) -> None:
        """Give back the memory of what was read; the next look reads it again."""
        self._map.madvise(mmap.MADV_DONTNEED)


class RunWriter:
    """A new run from parts in ascending order of keys, at most `room` entries."""

    def __init__(self, path: Path, first: int, last: int, room: int) -> None:
        self._path, self._first, self._last, self._room = path, first, last, room
        self._at = _places(room)
        self._filter = np.zeros(self._at[2] - self._at[1], dtype=np.uint8)
        self._sums = (xxhash.xxh3_64(), xxhash.xxh3_64())
        self._count = 0
        self._file = path.open("wb")

    def add(self, high: High, entries: Entries) -> None:
        """The next part."""
        _mark(self._filter, (high >> np.uint64(64 - _bits(self._room))).astype(np.intp))
        for place, values, total in zip((self._at[0], self._at[2]), (high, entries), self._sums, strict=True):
            data = np.ascontiguousarray(values).view(np.uint8).data
            total.update(data)
            os.pwrite(self._file.fileno(), data, place + self._count * values.itemsize)
        self._count += len(high)

    def finish(self) -> Run:
        """The run, on disk when this returns."""
        fd = self._file.fileno()
        os.pwrite(fd, self._filter.data, self._at[1])
        os.ftruncate(fd, self._at[2] + self._room * ENTRY.itemsize)
        os.pwrite(fd, HEAD.pack(MAGIC, self._count, self._room, *(total.intdigest() for total in self._sums)), 0)
        os.fsync(fd)
        self._file.close()
        return Run(self._path, self._count, self._first, self._last)

    def drop(self) -> None:
        """Leave it unfinished."""
        self._file.close()
        self._path.unlink(missing_ok=True)


class Merge:
    """Adjacent runs, oldest first, on their way to being one; of one attempt the newest state stays."""

    def __init__(self, runs: Sequence[Run], path: Path) -> None:
        self.runs = list(runs)
        room = sum(run.count for run in runs)
        self._writer = RunWriter(path, runs[0].first, runs[-1].last, room)
        edges = np.array([index * 2**64 // (room // STEP + 1) for index in range(1, room // STEP + 1)], dtype=np.uint64)
        self._cuts = [[0, *np.searchsorted(run.high, edges).tolist(), run.count] for run in runs]
        self._sums = [(xxhash.xxh3_64(), xxhash.xxh3_64()) for _ in runs]
        self._steps = len(edges) + 1
        self._step = 0

    def advance(self, entries: int) -> Run | None:
        """Merge about so many entries more; the run when that were all. Raises `Torn`."""
        steps = -(-entries // STEP)
        for _ in range(steps):
            if self._step == self._steps:
                break
            self._merge_step()
        return self._finish() if self._step == self._steps else None

    def drop(self) -> None:
        """Give up; the runs are as they were."""
        self._writer.drop()

    def _merge_step(self) -> None:
        high_parts: list[High] = []
        entry_parts: list[Entries] = []
        for run, cut, sums in zip(self.runs, self._cuts, self._sums, strict=True):
            span = slice(cut[self._step], cut[self._step + 1])
            high_parts.append(run.high[span])
            entry_parts.append(run.entries[span])
            sums[0].update(high_parts[-1].view(np.uint8).data)
            sums[1].update(entry_parts[-1].view(np.uint8).data)
        high, entries = np.concatenate(high_parts), np.concatenate(entry_parts)
        for run in self.runs:
            run.release()
        self._writer.add(*newest(high, entries))
        self._step += 1

    def _finish(self) -> Run:
        for run, sums in zip(self.runs, self._sums, strict=True):
            if tuple(total.intdigest() for total in sums) != run.sums:
                raise Torn(f"{run.path.name} has changed since it was written")
        return self._writer.finish()


def newest(high: High, entries: Entries) -> tuple[High, Entries]:
    """Sorted by key, and of several states of one attempt only the one that was given last."""
    if not (high[1:] >= high[:-1]).all():
        order = np.argsort(high, kind="stable")
        high, entries = high[order], entries[order]
    twins = high[1:] == high[:-1]
    if not twins.any():
        return high, entries
    among = np.flatnonzero(np.append(twins, False) | np.insert(twins, 0, False))
    some = entries[among]
    number = some["state"] >> 2
    # Stable: entries that are equal in all three stay in the order given, the newest last.
    ordered = np.lexsort((number, some["low"], high[among]))
    again = (
        (high[among][ordered][1:] == high[among][ordered][:-1])
        & (some["low"][ordered][1:] == some["low"][ordered][:-1])
        & (number[ordered][1:] == number[ordered][:-1])
    )
    kept = np.ones(len(high), dtype=np.bool_)
    kept[among[ordered[:-1][again]]] = False
    return high[kept], entries[kept]


def _mark(filtered: NDArray[np.uint8], slots: NDArray[np.intp]) -> None:
    """Set the bits of ascending slots."""
    if not slots.size:
        return
    begin = int(slots[0]) & ~7
    marks = np.zeros(int(slots[-1]) - begin + 1, dtype=np.bool_)
    marks[slots - begin] = True
    packed = np.packbits(marks, bitorder="little")
    filtered[begin >> 3 : (begin >> 3) + packed.size] |= packed


def _bits(room: int) -> int:
    return max(6, (room * SLOTS - 1).bit_length())


def _places(room: int) -> tuple[int, int, int]:
    """Where the high halves, the filter and the entries begin."""
    filtered = HEAD.size + 8 * room
    return HEAD.size, filtered, filtered + 2 ** _bits(room) // 8
