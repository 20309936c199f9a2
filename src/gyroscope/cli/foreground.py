"""Staying in the foreground: what `gyro up --foreground` does for systemd and containers.

The first process must live as long as the house does and end it in order.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from gyroscope.clock import sleep
from gyroscope.errors import ProcessError

LOOK_EVERY_S = 1.0


def run_until_told(path: Path, start: Callable[[], None]) -> None:
    """Start, then wait for SIGTERM or Ctrl-C, then stop everything; a signal while starting stops it too.

    Raises `ProcessError` when the supervisor ends by itself: whoever started us starts us again, and what still runs is
    adopted.
    """
    from gyroscope.assembly import House, down
    from gyroscope.supervisor.client import is_running

    run_dir = House(path).run_dir
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if not is_running(run_dir):
            start()
        while is_running(run_dir):
            sleep(LOOK_EVERY_S)
            _bury()
    except KeyboardInterrupt:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # a second one must not leave half of it running
        down(path)
        return
    raise ProcessError(
        "the supervisor has ended", where=str(path), fix="start again; 'gyro status' says what still runs"
    )


def _bury() -> None:
    """Children of dead processes become ours when we are process 1; unburied they fill the process table."""
    if os.getpid() != 1:
        return
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return
