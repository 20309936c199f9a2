"""Looking at a segment whose writer may still be at work: whose it is, whether he has gone, and what is whole in it.

The recorder, backups and verifying share it. It changes nothing.
"""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import NamedTuple

from gyroscope.predictions.segments.scan import Scan, scan


class Look(NamedTuple):
    """`is_final`: the writer had gone before it was read, so whatever is no record is damage."""

    scan: Scan
    is_final: bool


def look_at(path: Path) -> Look:
    """Everything that is in a segment. Raises `OSError`.

    The kernel copies page by page while a writer goes on: pages in the middle may be older than those behind them and
    look like a hole. What stood before a whole record was whole when the first look ended, so a second one settles it.
    """
    with path.open("rb") as file:
        is_final = is_free(file.fileno())
        found = scan(file.read(), segment=number_of(path), sealed=is_final)
        if found.damages and not is_final:
            file.seek(0)
            found = scan(file.read(found.end), segment=number_of(path), sealed=False)
        return Look(found, is_final)


def is_free(fd: int) -> bool:
    """Whether the writer of an open segment has gone; ask before reading, so that nothing comes in between."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def number_of(path: Path) -> int:
    """The number in the name of a segment; -1 where somebody renamed it: its records then are damage, not rows.

    >>> number_of(Path("flights-0a1b2c3d4e5f-0-00000000000000ff.seg")), number_of(Path("mine.seg"))
    (255, -1)
    """
    try:
        return int(path.stem.rpartition("-")[2], 16)
    except ValueError:
        return -1
