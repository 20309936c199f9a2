"""Who gets a processor first when there are not enough: the door and the replicas; everything else gives way.

The processes of control and recorder, a shadow and the command `gyro backup` call this about themselves.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

# About a third of the share of a process that serves, where both want the same processor.
BEHIND_SERVING = 5
BEHIND_ALL = 10
LAST = 10
AUTOGROUP = Path("/proc/self/autogroup")


def stand_back() -> None:
    """Give way to serving, for a process that leads a session of its own.

    Where the kernel shares processors out by session first, niceness counts within a session only: there the session
    gets the same value. Where it does not, or may not be told, niceness alone has to do.
    """
    _give_way(BEHIND_SERVING, BEHIND_SERVING)


def be_last() -> None:
    """Give way to everybody, for a shadow that has started behind serving: a tenth of the champion's share."""
    _give_way(LAST - BEHIND_SERVING, LAST)


def be_modest() -> None:
    """Give way to everybody else, for the disk too: its scheduler takes its class from this."""
    os.nice(BEHIND_ALL)


def _give_way(further: int, of_session: int) -> None:
    os.nice(further)
    with contextlib.suppress(OSError):
        AUTOGROUP.write_text(str(of_session), encoding="ascii")
