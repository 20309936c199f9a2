"""Looks at the door and at the replicas' counters once a second, and keeps what `decide` needs to know of each model.

The loop and `gyro scale once` hold one `Observer`. It reads the door's socket, pulses and /proc, and changes nothing.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from gyroscope.clock import SECOND_NS, MachineTime
from gyroscope.errors import ProcessError
from gyroscope.records import NotEnoughData
from gyroscope.scaling.capacity import Capacity, Learner, Worked
from gyroscope.scaling.load import Arrivals, Load
from gyroscope.supervisor.door import DoorLink
from gyroscope.supervisor.procfs import cpu_s
from gyroscope.supervisor.pulse import Pulse

WORKING = 0.2
"""Share of a processor below which a replica's own housekeeping would be taken for the work of requests."""


class Counts(msgspec.Struct, frozen=True):
    """A replica's counters, which never fall, and the processor time of the process behind them."""

    pid: int
    is_ready: bool
    calls: int
    requests: int
    busy_ns: int
    cpu_s: float


class Observed(msgspec.Struct, frozen=True):
    """What is known of one model now, and how many of its replicas are ready."""

    load: Load | NotEnoughData
    capacity: Capacity | NotEnoughData
    ready: int


class Observer:
    """Of all models of one home: the folder of the replicas' pulses, and where the door tells its counts."""

    def __init__(self, pulses: Path, admin_socket: Path) -> None:
        self._pulses = pulses
        self._door = DoorLink(str(admin_socket))
        self._before: dict[str, Counts] = {}
        self._asked: dict[str, tuple[int, int]] = {}
        self._at: MachineTime | None = None
        self._arrivals: dict[str, Arrivals] = {}
        self._learners: dict[str, Learner] = {}

    def look(self, replicas: dict[str, str], now: MachineTime) -> dict[str, Observed]:
        """What is known of each model; `replicas` maps the name of every wanted replica to its model."""
        counts = {name: found for name in replicas if (found := self._read(name))}
        took_s = (now - self._at) / SECOND_NS if self._at is not None else 0.0
        for name, after in counts.items():
            self._learners.setdefault(replicas[name], Learner()).saw(_worked(self._before.get(name), after, took_s))
        waiting = self._count(now / SECOND_NS, took_s)
        # One that worked before and cannot be read now is working still, as far as anybody knows.
        silent = {replicas[name] for name in self._before.keys() & replicas.keys() if name not in counts}
        self._before, self._at = counts, now
        return {
            model: Observed(
                self._load(model, waiting, is_partial=model in silent),
                self._learners[model].capacity if model in self._learners else NotEnoughData("no replica yet"),
                sum(found.is_ready for name, found in counts.items() if replicas[name] == model),
            )
            for model in set(replicas.values())
        }

    def _count(self, now_s: float, took_s: float) -> dict[str, int] | NotEnoughData:
        """Count what arrived at the door since the last look; how many wait for each model."""
        try:
            asked = self._door.asked()
        except ProcessError as error:
            self._asked, self._arrivals = {}, {}
            return NotEnoughData(error.what)
        for model, (ever, _) in asked.items():
            before = self._asked.get(model)
            if before and took_s and ever >= before[0]:  # a new door counts from zero
                self._arrivals.setdefault(model, Arrivals()).add(now_s, took_s, ever - before[0])
            else:
                self._arrivals.pop(model, None)
        self._asked = asked
        return {model: waiting for model, (_, waiting) in asked.items()}

    def _load(self, model: str, waiting: dict[str, int] | NotEnoughData, *, is_partial: bool) -> Load | NotEnoughData:
        if isinstance(waiting, NotEnoughData):
            return waiting
        arrivals = self._arrivals.get(model)
        if arrivals is None:
            return NotEnoughData("the door has just begun to count")
        return arrivals.load(waiting.get(model, 0), is_partial=is_partial)

    def _read(self, name: str) -> Counts | None:
        try:
            pulse = Pulse.open(self._pulses / f"{name}.pulse")
        except ProcessError:
            return None  # it has never started yet
        told, pid = pulse.counters(), pulse.pid
        found = Counts(
            pid, pulse.state == "ready", told["model_calls"], told["model_requests"], told["busy_ns"], cpu_s(pid)
        )
        pulse.close()
        return found


def _worked(before: Counts | None, after: Counts, took_s: float) -> Worked:
    """What one replica did between two looks; nothing where it is new."""
    if before is None or not took_s:
        return Worked(0, 0, 0.0)
    cpu_s = after.cpu_s - before.cpu_s if after.pid == before.pid else 0.0
    return Worked(
        after.calls - before.calls,
        after.requests - before.requests,
        (after.busy_ns - before.busy_ns) / SECOND_NS,
        cpu_s if cpu_s > WORKING * took_s else 0.0,
    )
