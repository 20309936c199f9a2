"""Which core does what, and what processes have used: servers on one core, the generator on another.

Processor time is that of whole trees, dead children included as far as their parents have waited for them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import psutil

_CORES = sorted(os.sched_getaffinity(0))
SERVER, GENERATOR = _CORES[0], _CORES[-1]


def pinned(core: int, argv: Sequence[str]) -> list[str]:
    """The command that runs `argv` and its children on one core only."""
    return ["taskset", "-c", str(core), *argv]


def tree(pid: int) -> list[psutil.Process]:
    """A process and all below it."""
    try:
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def pin(pids: Iterable[int], core: int) -> None:
    """Move running processes, with all their threads, to a core."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(thread.name), {core})


def used_s(pids: Iterable[int]) -> float:
    """Processor seconds that these processes and all below them have used so far."""
    total = 0.0
    for pid in pids:
        for process in tree(pid):
            with contextlib.suppress(psutil.NoSuchProcess):
                spent = process.cpu_times()
                total += spent.user + spent.system
    return total


def end(pid: int) -> None:
    """Kill a process that we started, and all below it."""
    for process in reversed(tree(pid)):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
