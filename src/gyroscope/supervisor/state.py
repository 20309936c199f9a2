"""The supervisor's folder: which files are in it, and the state file and event list that outlive a supervisor.

The loop writes, `client.py` and the next supervisor read. The state file says which process holds which post, by pid
and start time; it is a claim that the reader must check against the kernel. It starts and stops nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from gyroscope.clock import iso, sleep, wall_now
from gyroscope.errors import ProcessError
from gyroscope.supervisor import procfs
from gyroscope.supervisor.wanted import WANTED_FILE, ProcessSpec, replace_file

PostState = Literal["waiting", "starting", "ready", "draining", "stopping"]

EVENTS_CAP_BYTES = 1_048_576
TRIES, BETWEEN_TRIES_S = 8, 0.005


@dataclass(frozen=True)
class RunDir:
    """The folder `<home>/run`."""

    path: Path

    @property
    def wanted(self) -> Path:
        return self.path / WANTED_FILE

    @property
    def state(self) -> Path:
        return self.path / "supervisor.json"

    @property
    def events(self) -> Path:
        return self.path / "supervisor.events"

    @property
    def lock(self) -> Path:
        return self.path / "supervisor.lock"

    @property
    def door_config(self) -> Path:
        return self.path / "haproxy.cfg"

    @property
    def repeater_config(self) -> Path:
        return self.path / "repeater.cfg"

    @property
    def log(self) -> Path:
        return self.path.parent / "logs" / "supervisor.log"

    def take_lock(self) -> int:
        """A descriptor that holds the lock until it is closed or its process dies; -1 when somebody has it."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if _locks(descriptor, fcntl.LOCK_EX):
            return descriptor
        os.close(descriptor)
        return -1

    def is_locked(self) -> bool:
        """Whether somebody holds the lock. Creates nothing: whoever looks must not wait for a disk that is frozen."""
        try:
            descriptor = os.open(self.lock, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return not _locks(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def sign_lock(self, descriptor: int) -> None:
        """Write into the lock who holds it; states that killed supervisors had half written go."""
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        for left in self.path.glob(f".{self.state.name}.*"):
            left.unlink(missing_ok=True)

    def lock_holder(self) -> int:
        """The pid that signed the lock; means something only while the lock is held."""
        try:
            return int(self.lock.read_text() or 0)
        except (OSError, ValueError):
            return 0


@dataclass(frozen=True)
class Entry:
    """One post and who holds it; pid 0 when nobody does. `since` is wall time in microseconds."""

    spec: ProcessSpec
    pid: int = 0
    start_ticks: int = 0
    state: PostState = "waiting"
    restarts: int = 0
    reason: str = ""
    since: int = 0

    def is_alive(self) -> bool:
        """Whether the very process of this entry still runs."""
        return self.pid > 0 and procfs.start_ticks(self.pid) == self.start_ticks > 0


@dataclass(frozen=True)
class State:
    """What the state file says. `pid` is the supervisor's."""

    pid: int = 0
    start_ticks: int = 0
    since: int = 0
    problem: str = ""
    entries: tuple[Entry, ...] = ()


def write_state(run: RunDir, state: State) -> None:
    """Replace the state file in one step."""
    replace_file(run.state, json.dumps({"boot_id": procfs.boot_id(), **asdict(state)}, indent=1))


def read_state(run: RunDir) -> State:
    """The state file; an empty one when there is none or it is from before the last boot.

    Raises `ProcessError` when the file is not one of ours.
    """
    try:
        plain = json.loads(run.state.read_text(encoding="utf-8"))
        if plain.pop("boot_id") != procfs.boot_id():
            return State()
        entries = tuple(_entry(entry) for entry in plain.pop("entries"))
        return State(**plain, entries=entries)
    except FileNotFoundError:
        return State()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ProcessError(
            f"the supervisor's state cannot be read: {error}",
            where=str(run.state),
            fix="remove the file, then 'gyro down'",
        ) from error


def _entry(plain: dict[str, Any]) -> Entry:
    spec = plain["spec"]
    return Entry(
        **{**plain, "spec": ProcessSpec(**{**spec, "argv": tuple(spec["argv"]), "warm": tuple(spec.get("warm", ()))})}
    )


def append_event(run: RunDir, process: str, event: str, reason: str) -> None:
    """One more line for people and for control; at the cap the older half goes to `supervisor.events.1`."""
    line = json.dumps({"at": iso(wall_now()), "process": process, "event": event, "reason": reason})
    with run.events.open("a", encoding="utf-8") as file:
        if file.tell() > EVENTS_CAP_BYTES:
            run.events.replace(run.events.with_name(run.events.name + ".1"))
        file.write(line + "\n")


def _locks(descriptor: int, how: int) -> bool:
    """Take a lock, in several tries: a look shares it for a moment, and the killed hold it a little longer."""
    for _ in range(TRIES):
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            sleep(BETWEEN_TRIES_S)
    return False
