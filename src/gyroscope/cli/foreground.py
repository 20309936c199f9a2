"""Staying in the foreground: what `gyro up --foreground` does once everything runs.

For systemd and containers, where the first process must live as long as the house and end it in order.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from types import FrameType

from gyroscope.errors import ProcessError

LOOK_EVERY_S = 1.0


def stay(path: Path) -> None:
    """Wait for SIGTERM or SIGINT, then stop everything; as the first process of a container, bury orphans meanwhile.

    Raises `ProcessError` when the supervisor ends by itself: whoever started us starts us again, and what still runs is
    adopted.
    """
    from gyroscope import assembly

    told_to_stop = threading.Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        told_to_stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    while not told_to_stop.wait(LOOK_EVERY_S):
        _bury()
        if not assembly.status(path).running:
            raise ProcessError(
                "the supervisor has ended", where=str(path), fix="start again; 'gyro status' says what still runs"
            )
    assembly.down(path)


def _bury() -> None:
    """Children of dead processes become ours when we are process 1; unburied they fill the process table."""
    if os.getpid() != 1:
        return
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return
