"""One segment while it is written: a file under a lock, with room reserved ahead, a head and, at the end, a seal.

`log.py` writes into it through memory, `full.py` through the disk. Exactly one process holds its `flock`, which the
kernel drops when the process dies; the recorder drains it and, once the lock is free, deletes it. It reads nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
from pathlib import Path

from gyroscope.clock import wall_now
from gyroscope.predictions.segments.wal import CHUNK_BYTES, SEAL, SEGMENT_HEAD, seal, segment_head

SUFFIX, NEW_SUFFIX = ".seg", ".new"


def segment_folder(place: Path, model: str) -> Path:
    """Where the segments of one model lie: below the runtime folder for `os`, below the home for `full`."""
    return place / "segments" / model


def reserved_for(size: int) -> int:
    """What a segment of `size` bytes takes, with room for its seal.

    >>> reserved_for(1), reserved_for(1024 * 1024) // 1024
    (1048576, 2048)
    """
    return -(-(size + SEAL.size) // CHUNK_BYTES) * CHUNK_BYTES


class SegmentFile:
    """A new segment of `replica`. `at` is where the next record goes, `records` how many there are.

    `before` is (number, records) of the segment that the same process wrote before. `is_durable`: file and name are on
    the disk when this returns. Raises `OSError` when it cannot be made; then nothing is left behind.
    """

    def __init__(
        self, folder: Path, replica: str, schema_id: int, before: tuple[int, int], *, is_durable: bool = False
    ) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.number = (wall_now() << 12) | int.from_bytes(os.urandom(2), "little") & 0xFFF
        self.name = f"{replica}-{self.number:016x}{SUFFIX}"
        self.at, self.records = SEGMENT_HEAD.size, 0
        self.reserved = 0
        path = (folder / self.name).with_suffix(NEW_SUFFIX)
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # Locked before it is named: whoever can see a segment and lock it knows that its writer is gone.
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.reserve(0)
            os.pwrite(self.fd, segment_head(self.number, schema_id, *before), 0)
            if is_durable:
                os.fsync(self.fd)
            path.rename(folder / self.name)
            if is_durable:
                sync_folder(folder)
        except OSError:
            os.close(self.fd)
            for leftover in (path, folder / self.name):
                with contextlib.suppress(OSError):
                    leftover.unlink(missing_ok=True)
            raise

    def reserve(self, more: int) -> None:
        """Make sure of room for `more` bytes and a seal behind `at`. Raises `OSError` when there is none."""
        wanted = reserved_for(self.at + more)
        if wanted <= self.reserved:
            return
        try:
            os.posix_fallocate(self.fd, self.reserved, wanted - self.reserved)
        except OSError:
            # Where a file system cannot reserve, it was tried by writing, and may have come some way.
            with contextlib.suppress(OSError):
                os.ftruncate(self.fd, self.reserved)
            raise
        self.reserved = wanted

    def window(self) -> tuple[mmap.mmap, int]:
        """The reserved rest as memory, and where in it `at` is."""
        begin = self.at - self.at % mmap.ALLOCATIONGRANULARITY
        # All pages at once: found one by one by the records that first touch them, they cost twice as much.
        flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
        return mmap.mmap(self.fd, self.reserved - begin, flags=flags, offset=begin), self.at - begin

    def seal(self, *, is_durable: bool = False) -> None:
        """Say that it is whole and let go of it.

        Its room was reserved, so only a broken disk is in the way: then the reader finds it without a seal, as after a
        crash. It is cut to its size last: a cut file without a seal has lost something.
        """
        with contextlib.suppress(OSError):
            os.pwrite(self.fd, seal(self.number, self.records), self.at)
            if is_durable:
                os.fdatasync(self.fd)
            os.ftruncate(self.fd, self.at + SEAL.size)
        self.abandon()

    def abandon(self) -> None:
        """Let go of it as it is."""
        os.close(self.fd)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
