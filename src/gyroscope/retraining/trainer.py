"""One training's process: started apart from control, watched by its folder, ended at its limits.

The loop starts it and looks again later; a control that was killed finds it by the folder: `pid`, `log`, `result.json`.
The process outlives control on purpose: an hour of training is not lost with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from gyroscope.clock import SECOND_US, EventTime

BEHIND = 10
"""Its niceness: a tenth of the share of a process that serves, where both want the same processor."""

RESULT, LOG, PID, SINCE, LOCK = "result.json", "log", "pid", "since", "lock"
_FIRST = f'echo $$ > {PID}; {{ echo {BEHIND} > /proc/self/autogroup; }} 2> /dev/null; exec nice -n {BEHIND} "$0" "$@"'
"""Where the kernel shares processors out by session first, niceness counts within one only: the session has it too."""
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


def start(argv: Sequence[str], folder: Path, now: EventTime) -> None:
    """Start it in a session of its own, its output into the folder's log; nothing happens while one works there.

    The process inherits a locked file, and writes its number down itself before it is anything else. So it is known
    whoever is killed when.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = _lock(folder)
    if lock is None:
        return
    try:
        (folder / SINCE).write_text(str(now), encoding="utf-8")
        with (folder / LOG).open("ab") as log:
            child = subprocess.Popen(
                ("/bin/sh", "-c", _FIRST, *argv),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, start_new_session=True, pass_fds=(lock,),
            )  # fmt: skip
    finally:
        os.close(lock)
    child.returncode = 0  # it may outlive us: `look` buries it by its number, whoever started it


def look(folder: Path, limits: Limits, now: EventTime) -> Result | str | None:
    """What came of it: the result, why there is none, or None while it works. Ends one that takes too long.

    A result counts once who wrote it is gone and buried: nobody looks again, and it would stay a zombie of control.
    """
    try:
        pid, since = (int((folder / name).read_text(encoding="utf-8")) for name in (PID, SINCE))
    except (OSError, ValueError):
        return None if works(folder) else "it was never started"
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    is_late = works(folder)
    if is_late and now - since <= limits.timeout_s * SECOND_US:
        return None
    if is_late:
        end(pid)
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode((folder / RESULT).read_bytes(), type=Result)
    if is_late:
        return f"it took longer than {limits.timeout_s:g} s and was ended: {tail(folder)}"
    return f"it ended without a result: {tail(folder)}"


def works(folder: Path) -> bool:
    """Whether a trainer, or anything that it started, is at work there."""
    lock = _lock(folder)
    if lock is not None:
        os.close(lock)
    return lock is None


def _lock(folder: Path) -> int | None:
    """The folder's lock, as long as the descriptor is open in any process; None when somebody has it."""
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


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
    """For the process itself, before it reads anything: its memory."""
    room = round(limits.memory_gib * _GIB)
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
