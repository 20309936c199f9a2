"""One running process: start it, take it over from a dead supervisor, see it die at once, kill all of it.

The loop calls these. Each child leads its own session, so that a whole tree can be killed and so that nobody dies
with the supervisor. It never decides whether something should run.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gyroscope.errors import ProcessError
from gyroscope.supervisor import procfs
from gyroscope.supervisor.state import Entry
from gyroscope.supervisor.wanted import ProcessSpec

MARK = "GYROSCOPE_SUPERVISED_BY"
"""Set in every child to the supervisor's folder: finds those no state file names (killed between fork and write)."""

LOG_CAP_BYTES = 8_388_608
# What code that runs wild ends by. SIGKILL and SIGTERM come from outside and say nothing about it.
CRASHES = {
    -number for number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGSYS)
}
_GONE_S = 2.0


@dataclass
class Child:
    """A process by pidfd, which cannot come to mean another one. `own` is None when another supervisor started it."""

    pid: int
    start_ticks: int
    pidfd: int
    own: subprocess.Popen[bytes] | None = None

    @property
    def fell(self) -> bool:
        """Whether it ended by what it did itself: a crash, or leaving by its own decision. Known once it is buried."""
        code = self.own.returncode if self.own else None
        return code is not None and (code >= 0 or code in CRASHES)

    def signal(self, signum: signal.Signals) -> None:
        """Send to the process alone; no error when it is gone."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signum)

    def order(self, line: str) -> bool:
        """One line to a process that takes orders, and no more after it; False when it cannot be told."""
        pipe = self.own.stdin if self.own else None
        if pipe is None:
            return False
        try:
            with pipe:
                pipe.write(line.encode() + b"\n")
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """SIGKILL the process and all it started; its pid cannot be reused before `bury`."""
        self.signal(signal.SIGKILL)
        kill_group(self.pid)

    def is_dead(self) -> bool:
        """A pidfd is readable once its process has ended."""
        poller = select.poll()
        poller.register(self.pidfd, select.POLLIN)
        return bool(poller.poll(0))

    def bury(self) -> str:
        """Kill what it left behind, collect it, say how it ended.

        The group of an adopted one is left to `kill_strays`: init has collected it, so its number may be another's.
        """
        os.close(self.pidfd)
        if self.own is None:
            return "ended; an earlier supervisor had started it, so its exit code is not known"
        kill_group(self.pid)
        if self.own.stdin:
            self.own.stdin.close()
        code = self.own.wait()
        return f"killed by {_signal_name(-code)}" if code < 0 else f"exit code {code}"


def spawn(spec: ProcessSpec, run_dir: Path, *, takes_orders: bool = False) -> Child:
    """Start a process that outlives us, unless it takes orders. Raises `ProcessError` when its program is missing."""
    environment = {**procfs.environment(), **spec.env, MARK: str(run_dir)}
    try:
        with open_log(spec.log) as log:
            own = subprocess.Popen(
                spec.argv,
                env=environment,
                cwd=spec.cwd or None,
                stdin=subprocess.PIPE if takes_orders else subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
    except OSError as error:
        raise ProcessError(f"{spec.name} cannot be started: {error}", where=" ".join(spec.argv)) from error
    try:
        return Child(own.pid, procfs.start_ticks(own.pid), os.pidfd_open(own.pid), own)
    except OSError:
        # Out of descriptors: nobody would hold this one, and the next try would start its twin beside it.
        kill_group(own.pid)
        own.wait()
        raise


def adopt(entry: Entry) -> Child | None:
    """Take over the process of an earlier supervisor, if it still is that process and runs that command."""
    if not entry.pid:
        return None
    try:
        pidfd = os.pidfd_open(entry.pid)
    except OSError:
        return None
    # Checked after the pidfd is open: from here on the number cannot pass to another process unseen.
    if entry.is_alive() and (_runs(entry.pid, entry.spec.argv) or _runs(entry.pid, entry.spec.warm)):
        return Child(entry.pid, entry.start_ticks, pidfd)
    os.close(pidfd)
    return None


def marked(run_dir: Path) -> set[int]:
    """All that a supervisor of this folder has started, and what they have started."""
    return {pid for pid in procfs.pids() if procfs.environment(pid).get(MARK) == str(run_dir)} - {os.getpid()}


def kill_strays(run_dir: Path, keep: set[int]) -> list[int]:
    """Kill what carries our mark but is in no session that we know: children nobody wrote down, and their children."""
    strays = [pid for pid in marked(run_dir) if procfs.session_of(pid) not in keep]
    for pid in strays:
        with contextlib.suppress(OSError):
            pidfd = os.pidfd_open(pid)
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            # Its port and sockets are free only once it has gone; SIGKILL takes a moment.
            select.select([pidfd], [], [], _GONE_S)
            os.close(pidfd)
    return strays


def kill_group(pid: int) -> None:
    """SIGKILL the group that a child of ours leads."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _runs(pid: int, argv: tuple[str, ...]) -> bool:
    """Compare the arguments, not the program: a script's first word becomes its interpreter's.

    For a moment after its start a process shows no command line at all; then pid and start time must do.
    """
    wanted = [word for word in argv[1:] if word]
    told = list(procfs.command_line(pid))
    return not told or (bool(argv) and (not wanted or told[-len(wanted) :] == wanted))


def open_log(path: str) -> BinaryIO:
    """Append to the log; one that has grown past the cap is put aside first (one old one is kept).

    Without room for a log the process runs all the same: a full disk must not take the replicas along.
    """
    log = Path(path or os.devnull)
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.is_file() and log.stat().st_size > LOG_CAP_BYTES:
            log.replace(log.with_name(log.name + ".1"))
        return log.open("ab")
    except OSError:
        return Path(os.devnull).open("ab")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
