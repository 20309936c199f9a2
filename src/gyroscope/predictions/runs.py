"""Sorted runs: immutable files of entries by the hash of their request id, written once, mapped by readers.

`ids.py` keeps a list of them and is the only one who calls this. A run is written under a name of its own and never
changed, so a reader that has it open needs no lock. Nothing here knows what an entry means, but for which of two wins.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import xxhash
from numpy.typing import NDArray

from gyroscope.predictions.keys import Keys

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
# Slots of the filter per entry: one look at eight bits sends seven of eight absent keys away without a search.
SLOTS = 8
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

    @classmethod
    def write(cls, path: Path, first: int, last: int, parts: Iterator[tuple[High, Entries]], room: int) -> Self:
        """A new run from parts in ascending order of keys, at most `room` entries; on disk when this returns."""
        at = _places(room)
        filtered = np.zeros(at[2] - at[1], dtype=np.uint8)
        shift = np.uint64(64 - _bits(room))
        sums = (xxhash.xxh3_64(), xxhash.xxh3_64())
        count = 0
        with path.open("wb") as file:
            for high, entries in parts:
                _mark(filtered, (high >> shift).astype(np.intp))
                for place, size, values, total in (
                    (at[0], 8, high, sums[0]),
                    (at[2], ENTRY.itemsize, entries, sums[1]),
                ):
                    data = np.ascontiguousarray(values).view(np.uint8).data
                    total.update(data)
                    os.pwrite(file.fileno(), data, place + count * size)
                count += len(high)
            os.pwrite(file.fileno(), filtered.data, at[1])
            os.ftruncate(file.fileno(), at[2] + room * ENTRY.itemsize)
            os.pwrite(file.fileno(), HEAD.pack(MAGIC, count, room, *(total.intdigest() for total in sums)), 0)
            os.fsync(file.fileno())
        return cls(path, count, first, last)

    def match(self, keys: Keys) -> Matches:
        """The entries of these keys, which are in ascending order of their high half."""
        slot = (keys[:, 0] >> self._shift).astype(np.intp)
        asked = np.flatnonzero(self._filter[slot >> 3] >> (slot & 7).astype(np.uint8) & 1)
        if not asked.size:
            return Matches(asked, self.entries[:0])
        high = keys[asked, 0]
        ends = np.searchsorted(self.high, high, side="right")
        counts = np.minimum(ends - np.searchsorted(self.high, high, side="left"), ATTEMPTS)
        begins = ends - counts
        query = np.repeat(asked, counts)
        within = np.arange(query.size) - np.repeat(np.cumsum(counts) - counts, counts)
        entries = self.entries[np.repeat(begins, counts) + within]
        same = entries["low"] == keys[query, 1]
        return Matches(query[same], entries[same])

    def check(self) -> None:
        """Raise `Torn` when a byte is not what was written."""
        for values, wanted in zip((self.high, self.entries), self._sums, strict=True):
            total = xxhash.xxh3_64()
            for begin in range(0, self.count, STEP):
                total.update(values[begin : begin + STEP].view(np.uint8).data)
                self.release()
            if total.intdigest() != wanted:
                raise Torn(f"{self.path.name} has changed since it was written")

    def release(self) -> None:
        """Give back the memory of what was read; the next look reads it again."""
        self._map.madvise(mmap.MADV_DONTNEED)


def merged(runs: Sequence[Run]) -> Iterator[tuple[High, Entries]]:
    """The entries of adjacent runs, oldest first, in ascending order of keys; of one attempt the newest state."""
    total = sum(run.count for run in runs)
    edges = [index * 2**64 // (total // STEP + 1) for index in range(1, total // STEP + 1)]
    cuts = [[0, *np.searchsorted(run.high, np.array(edges, dtype=np.uint64)).tolist(), run.count] for run in runs]
    for step in range(len(edges) + 1):
        spans = [(run, cut[step], cut[step + 1]) for run, cut in zip(runs, cuts, strict=True)]
        high = np.concatenate([run.high[begin:end] for run, begin, end in spans])
        entries = np.concatenate([run.entries[begin:end] for run, begin, end in spans])
        for run in runs:
            run.release()
        yield newest(high, entries)


def newest(high: High, entries: Entries) -> tuple[High, Entries]:
    """Sorted by key, and of several states of one attempt only the one that was given last."""
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
