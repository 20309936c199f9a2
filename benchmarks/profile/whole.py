"""One run of one contestant: a process from start to end, its seconds and its greatest memory.

`v01_whole.py` calls this.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import peers

GYRO = Path(sys.executable).parent / "gyro"
EITHER = (0, 1)
"""What `gyro compare` ends with: 1 says that a column has moved."""


class Run(NamedTuple):
    """Wall clock and processor seconds of a process and its peak of resident memory."""

    seconds: float
    cpu_s: float
    memory_mb: float


def run(argv: Sequence[str | Path]) -> Run:
    """Run it; raises RuntimeError with its last words when it fails."""
    began = time.perf_counter()
    started = subprocess.Popen([str(word) for word in argv], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert started.stderr is not None
    words = started.stderr.read()
    _, status, used = os.wait4(started.pid, 0)
    seconds = time.perf_counter() - began
    started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode not in EITHER or (started.returncode and str(GYRO) != str(argv[0])):
        raise RuntimeError(f"{argv[:3]} ended with {started.returncode}: {words[-500:].decode(errors='replace')}")
    return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def peer(name: str, script: str, *files: Path) -> list[str | Path]:
    """The command that runs a script in a peer's environment."""
    return [peers.python(name), "-W", "ignore", peers.HERE / name / script, *files]
