"""One training's process: started apart from control, watched by its folder, ended at its limits.

The loop starts it and looks again later; a control that was killed finds it by the folder: `pid`, `log`, `result.json`.
The process outlives control on purpose: an hour of training is not lost with it.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from gyroscope.clock import SECOND_US, EventTime
from gyroscope.supervisor import procfs

RESULT, LOG, PID = "result.json", "log", "pid"
_GIB = 1_024**3
_TAIL = 400


class Limits(msgspec.Struct, frozen=True):
    """How long a training may take and how much memory it may ask for."""

    timeout_s: float = 3_600.0
    memory_gib: float = 8.0


class Result(msgspec.Struct, frozen=True):
    """What the process wrote at its end: the artifact below its folder, as a candidate is made of it."""

    artifact: str
    runner: str
    entry: str = ""
    data: str = ""
    rows: int = 0
    first: EventTime = EventTime(0)
    last: EventTime = EventTime(0)
    code: str = ""
    parameters: dict[str, str] = {}


class Started(msgspec.Struct, frozen=True):
    """Who trains: the process, the kernel's clock at its start (a number may be given again), and the date."""

    pid: int
    start_ticks: int
    at: EventTime


def start(argv: Sequence[str], folder: Path, now: EventTime) -> None:
    """Start it in a session of its own, its output into the folder's log."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / LOG).open("ab") as log:
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, start_new_session=True
        )
    started = Started(child.pid, procfs.start_ticks(child.pid), now)
    (folder / PID).write_bytes(msgspec.json.encode(started))
    child.returncode = 0  # it may outlive us: `look` buries it by its number, whoever started it


def look(folder: Path, limits: Limits, now: EventTime) -> Result | str | None:
    """What came of it: the result, why there is none, or None while it works. Ends one that takes too long."""
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode((folder / RESULT).read_bytes(), type=Result)
    try:
        started = msgspec.json.decode((folder / PID).read_bytes(), type=Started)
    except (OSError, msgspec.MsgspecError):
        return "it was never started"
    with contextlib.suppress(ChildProcessError):
        os.waitpid(started.pid, os.WNOHANG)
    if procfs.start_ticks(started.pid) != started.start_ticks:
        with contextlib.suppress(OSError, msgspec.MsgspecError):  # it may have ended between the two looks
            return msgspec.json.decode((folder / RESULT).read_bytes(), type=Result)
        return f"it ended without a result: {tail(folder)}"
    if now - started.at > limits.timeout_s * SECOND_US:
        end(started.pid)
        return f"it took longer than {limits.timeout_s:g} s and was ended: {tail(folder)}"
    return None


def end(pid: int) -> None:
    """Kill it with all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def tail(folder: Path) -> str:
    """The end of its log, in one line."""
    with contextlib.suppress(OSError):
        return " ".join((folder / LOG).read_text(encoding="utf-8", errors="replace").split())[-_TAIL:]
    return "there is no log"


def limit(limits: Limits) -> None:
    """For the process itself, before it reads anything: its memory, and who goes first."""
    room = round(limits.memory_gib * _GIB)
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    os.nice(10)
