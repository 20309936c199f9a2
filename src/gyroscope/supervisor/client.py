"""For everybody outside: start the supervisor as a daemon, ask what runs, stop everything.

The command line, the demo and tests call these; nothing here decides. Works on the folder `<home>/run` alone, and
also when the supervisor was killed: what it left running is found by the state file.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Container
from pathlib import Path
from typing import Any

from gyroscope.clock import SECOND_NS, EventTime, iso, machine_now, sleep
from gyroscope.errors import ProcessError
from gyroscope.supervisor.door import check_port
from gyroscope.supervisor.loop import Supervisor
from gyroscope.supervisor.processes import marked
from gyroscope.supervisor.state import Entry, RunDir, read_state
from gyroscope.supervisor.wanted import read_wanted

_POLL_S = 0.02


def start(run_dir: Path | str, timeout_s: float = 90.0, *, foreground: bool = False) -> dict[str, Any]:
    """Start a daemon that outlives us and wait until all that is wanted is ready; returns `status`.

    In the foreground it returns when the supervisor has ended. Processes left by a killed supervisor are adopted, not
    started twice. Raises `ProcessError` when a supervisor already runs, the port is taken (naming who has it), or a
    process does not come up (with the end of its log); then everything is stopped again.
    """
    run = RunDir(Path(run_dir).resolve())
    wanted = read_wanted(run.wanted)
    if is_running(run.path):
        raise ProcessError(
            f"a supervisor already runs (pid {run.lock_holder()})", where=str(run.path), fix="stop it with 'gyro down'"
        )
    if wanted.door:
        for port in wanted.door.ports:
            check_port(wanted.door.host, port, ours=marked(run.path))
    argv = [sys.executable, "-m", "gyroscope.supervisor", str(run.path)]
    if foreground:
        _stay(argv)
        return status(run.path)
    run.log.parent.mkdir(parents=True, exist_ok=True)
    with run.log.open("ab") as log:
        done = subprocess.run([*argv, "--daemon"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
    if done.returncode:
        raise ProcessError("the supervisor did not start", where=str(run.log), fix=_tail(run.log))
    try:
        return _wait_ready(run, {spec.name for spec in wanted.processes} - wanted.aside, wanted.aside, timeout_s)
    except BaseException:
        stop(run.path)
        raise


def stop(run_dir: Path | str, timeout_s: float = 60.0) -> list[str]:
    """Stop everything and wait for it; returns the names of what ran. Fine when nothing runs.

    A supervisor that does not manage within `timeout_s` is killed and its processes with it.
    """
    run = RunDir(Path(run_dir).resolve())
    if not run.path.is_dir():
        return []
    names = [entry.spec.name for entry in read_state(run).entries if entry.is_alive()]
    lock = run.take_lock()
    for signum, patience_s in ((signal.SIGTERM, timeout_s), (signal.SIGKILL, 5.0)):
        if lock < 0:
            _signal_supervisor(run, signum)
            lock = _wait_lock(run, patience_s)
    if lock < 0:
        raise ProcessError(
            f"the supervisor (pid {run.lock_holder()}) does not stop",
            where=str(run.path),
            fix="see its log, " + str(run.log),
        )
    try:
        leftovers = Supervisor(run)
        leftovers.adopt()
        leftovers.stop()
    finally:
        os.close(lock)
    return names


def is_running(run_dir: Path | str) -> bool:
    """Whether a supervisor lives: the lock says so, whatever pids say."""
    return RunDir(Path(run_dir).resolve()).is_locked()


def status(run_dir: Path | str) -> dict[str, Any]:
    """What runs: running, pid, since, problem, ready, and per process name, kind, model, pid, state, restarts, reason,
    since and log.

    `state` is starting, ready, draining, stopping or waiting (for its restart); unwatched or gone when no supervisor
    lives. `reason` is why the last holder of the name went.
    """
    run = RunDir(Path(run_dir).resolve())
    running = is_running(run.path)
    state = read_state(run)
    # A supervisor that has just begun has not written yet: what is there is its predecessor's.
    written = running and state.pid == run.lock_holder()
    processes = [_row(entry, written) for entry in state.entries]
    return {
        "running": running,
        "pid": run.lock_holder() if running else 0,
        "since": iso(EventTime(state.since)) if written else "",
        "problem": state.problem if written else "",
        "ready": written and not state.problem and all(row["state"] == "ready" for row in processes),
        "processes": processes,
    }


def _row(entry: Entry, running: bool) -> dict[str, Any]:
    state = entry.state if running else "unwatched" if entry.is_alive() else "gone"
    return {
        "name": entry.spec.name,
        "kind": entry.spec.kind,
        "model": entry.spec.model,
        "pid": entry.pid,
        "state": state,
        "restarts": entry.restarts,
        "reason": entry.reason,
        "since": iso(EventTime(entry.since)),
        "log": entry.spec.log,
    }


def _stay(argv: list[str]) -> None:
    """Wait for the supervisor, handing on what we are told: its own process stays free of all that we have loaded."""
    with subprocess.Popen(argv) as process:
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda number, _frame: process.send_signal(number))
        process.wait()


def _wait_ready(run: RunDir, names: set[str], aside: Container[str], timeout_s: float) -> dict[str, Any]:
    """Until everything but those aside is ready; a process that falls before it was ever ready ends the wait."""
    until = machine_now() + round(timeout_s * SECOND_NS)
    while machine_now() < until:
        seen = status(run.path)
        rows = {row["name"]: row for row in seen["processes"] if row["name"] not in aside}
        is_ready = seen["since"] and not seen["problem"] and all(row["state"] == "ready" for row in rows.values())
        if is_ready and names <= rows.keys():
            return seen
        if seen["problem"] and not rows:
            raise ProcessError(seen["problem"], where=str(run.wanted))
        fallen = next((row for row in rows.values() if row["state"] == "waiting" and row["reason"]), None)
        if fallen:
            raise ProcessError(
                f"{fallen['name']} did not start: {fallen['reason']}",
                where=fallen["log"],
                fix=_tail(Path(fallen["log"])),
            )
        sleep(_POLL_S)
    late = sorted(names - {name for name, row in rows.items() if row["state"] == "ready"})
    where = rows[late[0]]["log"] if late and late[0] in rows else str(run.log)
    raise ProcessError(f"not ready within {timeout_s:g} s: {', '.join(late)}", where=where, fix=_tail(Path(where)))


def _tail(log: Path, lines: int = 12) -> str:
    """The end of a log, for people."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "there is no log"
    return "the log ends with:\n" + "\n".join(f"    {line}" for line in text.splitlines()[-lines:])


def _signal_supervisor(run: RunDir, signum: signal.Signals) -> None:
    """SIGCONT too: a supervisor that is itself stopped keeps SIGTERM waiting."""
    holder = run.lock_holder()
    for one in (signum, signal.SIGCONT):
        with contextlib.suppress(ProcessLookupError):
            if holder > 0:
                os.kill(holder, one)


def _wait_lock(run: RunDir, patience_s: float) -> int:
    until = machine_now() + round(patience_s * SECOND_NS)
    lock = run.take_lock()
    while lock < 0 and machine_now() < until:
        sleep(_POLL_S)
        lock = run.take_lock()
    return lock
