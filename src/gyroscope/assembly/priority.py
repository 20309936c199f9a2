"""Who gets a processor first when there are not enough: the door and the replicas; everything else gives way.

The processes of control and recorder, a shadow and the command `gyro backup` call this about themselves.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from pathlib import Path

# About a third of the share of a process that serves, where both want the same processor.
BEHIND_SERVING = 5
BEHIND_ALL = 10
LAST = 10
AUTOGROUP = Path("/proc/self/autogroup")
LONG_TURN_NS = 100_000_000
SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
"""The number of the system call, which Python has no name for, by machine."""


def stand_back() -> None:
    """Give way to serving, for a process that leads a session of its own.

    Where the kernel shares processors out by session first, niceness counts within a session only: there the session
    gets the same value. Where it does not, or may not be told, niceness alone has to do.
    """
    _give_way(BEHIND_SERVING, BEHIND_SERVING)


def be_last() -> None:
    """Give way to everybody, for a shadow that has started behind serving: a tenth of the champion's share."""
    _give_way(LAST - BEHIND_SERVING, LAST)
    _be_interrupted()


def be_modest() -> None:
    """Give way to everybody else, for the disk too: its scheduler takes its class from this."""
    os.nice(BEHIND_ALL)


def _give_way(further: int, of_session: int) -> None:
    os.nice(further)
    with contextlib.suppress(OSError):
        AUTOGROUP.write_text(str(of_session), encoding="ascii")


def _be_interrupted() -> None:
    """Have whoever wakes go first, also where it would have to wait for the end of our turn, some milliseconds.

    Linux has the longer turn give way to the shorter one from 6.12 on (EEVDF); older kernels take no notice.
    """
    number = SCHED_SETATTR.get(os.uname().machine)
    if number is not None:
        # struct sched_attr: size, policy, flags, niceness, priority, length of a turn, deadline, period.
        asked = struct.pack("=IIQiIQQQ", 48, os.SCHED_OTHER, 0, os.nice(0), 0, LONG_TURN_NS, 0, 0)
        ctypes.CDLL(None).syscall(number, 0, asked, 0)
