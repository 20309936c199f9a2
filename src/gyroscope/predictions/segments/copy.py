"""A copy of a segment that may still be written to: its whole records, as a segment whose writer has gone.

Backups call it. Nothing of the segment is changed.
"""

from __future__ import annotations

import fcntl
from pathlib import Path

from gyroscope.predictions.segments.scan import scan
from gyroscope.predictions.segments.wal import CHUNK_BYTES, SEAL, SEAL_MAGIC


def segment_copy(path: Path) -> bytes:
    """What is whole now, padded as an unsealed segment is; one that nobody writes to any more as it is. A few MiB.

    A record, or a seal, that is being written while this reads would look like damage in the copy.
    """
    with path.open("rb") as file:
        is_final = _is_free(file.fileno())
        data = file.read()
    if is_final:
        return data
    found = scan(data, segment=number_of(path), sealed=False)
    whole = data[: found.end]
    if found.damages:
        # Pages that were copied while the writer went on look like a hole; by now they are whole.
        with path.open("rb") as file:
            whole = file.read(found.end)
    return whole if SEAL_MAGIC in whole[-SEAL.size :] else whole + bytes(-len(whole) % CHUNK_BYTES)


def _is_free(fd: int) -> bool:
    """Whether its writer has gone; asked before it is read, so that nothing is written in between."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def end_of(path: Path) -> int:
    """Where what is written in a copy ends; the room that was only reserved does not count."""
    return scan(path.read_bytes(), segment=number_of(path), sealed=False).end


def number_of(path: Path) -> int:
    """The number in the name of a segment; -1 where somebody renamed it."""
    try:
        return int(path.stem.rpartition("-")[2], 16)
    except ValueError:
        return -1
