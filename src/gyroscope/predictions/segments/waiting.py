"""What the recorder reads: the segments of one model, from where the table left off.

A segment whose lock is free is sealed: its writer closed it or is dead, and nobody will append to it again.
`drain.py` calls it; nothing here writes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from gyroscope.clock import SECOND_US, wall_now
from gyroscope.predictions.segments.file import NEW_SUFFIX, SUFFIX
from gyroscope.predictions.segments.look import is_free, number_of
from gyroscope.predictions.segments.scan import Damage, Head, Scan, head_of, scan
from gyroscope.predictions.segments.wal import SEGMENT_HEAD

# What one commit takes at most; more waits for the next. 32 MiB are about 110,000 records of 20 numbers, which all the
# steps to the table turn into some 200 MB.
BATCH_BYTES = 32 * 1024 * 1024
# A small model's rows take few bytes in a segment and many in a table: 10,000 of them may lie in 80 kB.
BATCH_ROWS = 500_000
LOOK_BYTES = 8
# A writer names its segment within microseconds of creating it.
LEFT_US = 60 * SECOND_US


class Piece(msgspec.Struct, frozen=True):
    """What one segment holds beyond the offset that the table has.

    `done`: nothing can follow `end`. `is_cut`: there is more, for which this batch had no room.
    """

    path: Path
    number: int
    replica: str
    version: str
    scan: Scan
    done: bool
    is_cut: bool

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def damages(self) -> list[Damage]:
        return self.scan.damages

    @property
    def end(self) -> int:
        return self.scan.end

    def head(self) -> Head | None:
        """What the segment says of itself, also when this piece begins behind it."""
        with self.path.open("rb") as file:
            return head_of(file.read(SEGMENT_HEAD.size), self.number)


class Pieces(NamedTuple):
    """Pieces, oldest segment first; `is_more` when a batch was full and there is more to read at once."""

    pieces: list[Piece]
    is_more: bool


class Segments:
    """The segments of one model in its folders; remembers how far the records of each are counted."""

    def __init__(self, folders: Sequence[Path], batch_bytes: int = BATCH_BYTES) -> None:
        self._folders = folders
        self._batch_bytes = batch_bytes
        self._sequences: dict[str, int] = {}

    def read(self, offsets: dict[str, int]) -> Pieces:
        """The unread part of every segment, oldest first, up to a full batch."""
        pieces: list[Piece] = []
        room, rows = self._batch_bytes, 0
        for path in self.paths():
            if room <= 0 or rows >= BATCH_ROWS:
                return Pieces(pieces, True)
            start = offsets.get(path.name, 0)
            piece = self._read(path, start, room)
            if piece is not None:
                pieces.append(piece)
                room -= piece.end - start
                rows += int(piece.scan.headers["rows"].sum(dtype=np.int64))
                self._sequences[path.name] = piece.scan.sequence
        return Pieces(pieces, any(piece.is_cut for piece in pieces))

    def paths(self) -> list[Path]:
        """All segments, oldest first."""
        found = [path for folder in self._folders for path in folder.glob(f"*{SUFFIX}")]
        return sorted(found, key=lambda path: path.stem.rpartition("-")[2])

    def forget(self, names: Iterable[str]) -> None:
        """These segments are gone."""
        for name in names:
            self._sequences.pop(name, None)

    def _read(self, path: Path, start: int, room: int) -> Piece | None:
        """None when there is nothing new to say about this segment."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            is_sealed = is_free(fd)
            size = os.fstat(fd).st_size
            if not is_sealed and not any(os.pread(fd, LOOK_BYTES, start)):
                return None
            found = self._scan(fd, path, start, (size, room, is_sealed))
        finally:
            os.close(fd)
        is_done = is_sealed and found.end >= size
        if not is_done and not len(found.offsets) and not found.damages and found.end == start:
            return None
        replica = path.stem.rpartition("-")[0]
        version = replica.rpartition("-")[0].rpartition("-")[2]
        is_cut = start + len(found.data) < size
        return Piece(path, number_of(path), replica, version, found, is_done, is_cut)

    def _scan(self, fd: int, path: Path, start: int, limits: tuple[int, int, bool]) -> Scan:
        """Scan as much as there is room for, but at least one record, however long."""
        size, room, is_sealed = limits
        if is_sealed and 0 < size <= start:
            # All of it is in the table, and a kill came before it was deleted: only what it says of its end counts.
            seen = scan(_read_bytes(fd, 0, size), segment=number_of(path), sealed=True)
            return msgspec.structs.replace(seen, headers=seen.headers[:0], offsets=seen.offsets[:0])
        sequence = self._sequence(fd, path, start)
        while True:
            data = _read_bytes(fd, start, min(size, start + room))
            is_whole = start + len(data) >= size
            found = scan(
                data, segment=number_of(path), sealed=is_sealed, start=start, sequence=sequence, is_whole=is_whole
            )
            if not is_sealed and found.damages:
                found = self._look_again(fd, path, found)
            if is_whole or found.end > start:
                return _up_to(found, BATCH_ROWS)
            room *= 2

    def _look_again(self, fd: int, path: Path, found: Scan) -> Scan:
        """The same stretch of a live segment once more, for the reason that `look_at` gives."""
        data = _read_bytes(fd, found.start, found.end)
        sequence = self._sequence(fd, path, found.start)
        return scan(data, segment=number_of(path), sealed=False, start=found.start, sequence=sequence, is_whole=False)

    def _sequence(self, fd: int, path: Path, start: int) -> int:
        """The number of the next record; a recorder that was restarted counts what the one before it read."""
        if start and path.name not in self._sequences:
            before = scan(_read_bytes(fd, 0, start), segment=number_of(path), sealed=False)
            self._sequences[path.name] = before.sequence if before.end == start else -1
        return self._sequences[path.name] if start else 0


def _up_to(found: Scan, most: int) -> Scan:
    """The first records of a scan that have this many rows together, but at least one; the others wait."""
    rows = np.cumsum(found.headers["rows"], dtype=np.int64)
    count = max(int(np.searchsorted(rows, most, side="right")), 1)
    if count >= len(rows):
        return found
    size = int(found.offsets[count])
    return msgspec.structs.replace(
        found,
        data=found.data[:size],
        headers=found.headers[:count],
        offsets=found.offsets[:count],
        damages=[damage for damage in found.damages if damage.offset < found.start + size],
        end=found.start + size,
        sequence=int(found.headers["sequence"][count - 1]) + 1,
    )


def remove_leftovers(folder: Path) -> None:
    """Delete files of writers that died between creating and naming a segment: nothing was ever written to them."""
    for path in folder.glob(f"*{NEW_SUFFIX}"):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            # A young one may be between its creation and its lock.
            is_old = wall_now() - os.fstat(fd).st_mtime_ns // 1_000 > LEFT_US
            if is_old and is_free(fd):
                path.unlink(missing_ok=True)
        finally:
            os.close(fd)


def _read_bytes(fd: int, start: int, end: int) -> bytes:
    parts = []
    while start < end:
        part = os.pread(fd, end - start, start)
        if not part:
            break
        parts.append(part)
        start += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
