"""Who gets a processor first when there are not enough: the door and the replicas; everything else gives way.

The processes of control and recorder and the command `gyro backup` call this about themselves, when they begin.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

# About a third of the share of a process that serves, where both want the same processor.
BEHIND_SERVING = 5
BEHIND_ALL = 10
AUTOGROUP = Path("/proc/self/autogroup")


def stand_back() -> None:
    """Give way to serving, for a process that leads a session of its own.

    Where the kernel shares processors out by session first, niceness counts within a session only: there the session
    gets the same value. Where it does not, or may not be told, niceness alone has to do.
    """
    os.nice(BEHIND_SERVING)
    with contextlib.suppress(OSError):
        AUTOGROUP.write_text(str(BEHIND_SERVING), encoding="ascii")


def be_modest() -> None:
    """Give way to everybody else, for the disk too: its scheduler takes its class from this."""
    os.nice(BEHIND_ALL)
