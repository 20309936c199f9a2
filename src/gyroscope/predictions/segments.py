"""What the recorder reads: the segments of one model, from where the table left off.

A segment whose lock is free is sealed: its writer closed it or is dead, and nobody will append to it again.
`drain.py` calls it; nothing here writes.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import msgspec

from gyroscope.predictions.log import NEW_SUFFIX, SUFFIX
from gyroscope.predictions.wal import Damage, Record, scan

# What one commit takes at most; more waits for the next. 64 MiB are about 250,000 records of 20 numbers.
BATCH_BYTES = 64 * 1024 * 1024


class Piece(msgspec.Struct, frozen=True):
    """What one segment holds beyond the offset that the table has; `done` when nothing can follow `end`."""

    name: str
    replica: str
    version: str
    records: list[Record]
    damages: list[Damage]
    end: int
    done: bool


def read_pieces(folder: Path, offsets: dict[str, int]) -> list[Piece]:
    """The unread part of every segment, oldest first, up to `BATCH_BYTES`."""
    pieces: list[Piece] = []
    taken = 0
    for path in sorted(folder.glob(f"*{SUFFIX}"), key=lambda path: path.stem.rpartition("-")[2]):
        if taken >= BATCH_BYTES:
            break
        start = offsets.get(path.name, 0)
        piece = _read(path, start)
        if piece is not None:
            pieces.append(piece)
            taken += piece.end - start
    return pieces


def remove_leftovers(folder: Path) -> None:
    """Delete files of writers that died between creating and naming a segment: nothing was ever written to them."""
    for path in folder.glob(f"*{NEW_SUFFIX}"):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            if _is_free(fd):
                path.unlink(missing_ok=True)
        finally:
            os.close(fd)


def _read(path: Path, start: int) -> Piece | None:
    """None when there is nothing new to say about this segment."""
    replica, _, number = path.stem.rpartition("-")
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        sealed = _is_free(fd)
        size = os.fstat(fd).st_size
        if size <= start and not sealed:
            return None
        found = scan(_read_bytes(fd, start, size), sealed=sealed, segment=_number(number))
    finally:
        os.close(fd)
    return Piece(
        name=path.name,
        replica=replica,
        version=replica.rpartition("-")[0].rpartition("-")[2],
        records=found.records,
        damages=[msgspec.structs.replace(damage, offset=start + damage.offset) for damage in found.damages],
        end=start + found.end,
        done=sealed,
    )


def _is_free(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_bytes(fd: int, start: int, size: int) -> bytes:
    parts = []
    while start < size:
        part = os.pread(fd, size - start, start)
        if not part:
            break
        parts.append(part)
        start += len(part)
    return b"".join(parts)


def _number(text: str) -> int:
    """A segment that was renamed by hand belongs to no writer; its records then are damage, not rows."""
    try:
        return int(text, 16)
    except ValueError:
        return -1
