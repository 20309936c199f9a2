"""A copy of a segment that may still be written to: its whole records, as a segment whose writer has gone.

Backups call it. Nothing of the segment is changed.
"""

from __future__ import annotations

from pathlib import Path

from gyroscope.predictions.segments.look import look_at, number_of
from gyroscope.predictions.segments.scan import scan
from gyroscope.predictions.segments.wal import CHUNK_BYTES, SEAL, SEAL_MAGIC


def segment_copy(path: Path) -> bytes:
    """What is whole now, padded as an unsealed segment is; one that nobody writes to any more as it is. A few MiB.

    A record, or a seal, that is being written while this reads would look like damage in the copy.
    """
    found, is_final = look_at(path)
    if is_final:
        return found.data
    whole = found.data[: found.end]
    return whole if SEAL_MAGIC in whole[-SEAL.size :] else whole + bytes(-len(whole) % CHUNK_BYTES)


def end_of(path: Path) -> int:
    """Where what is written in a copy ends; the room that was only reserved does not count."""
    return scan(path.read_bytes(), segment=number_of(path), sealed=False).end
