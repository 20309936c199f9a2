"""Processes that have started and imported everything, and wait to be told which replica to be.

The loop keeps some for the replicas that are wanted and gives one its orders instead of starting another: a replica
then takes as long as its model takes to load. Orders are one line of JSON on its standard input, whose end tells it to
leave, so none outlives its supervisor. It never decides who is needed.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path

from gyroscope.clock import SECOND_NS
from gyroscope.errors import ProcessError
from gyroscope.supervisor.processes import Child, spawn
from gyroscope.supervisor.wanted import ProcessSpec

AFTER_A_DEATH_NS = 10 * SECOND_NS
"""One that cannot even wait would else be started twenty times a second."""


class WarmPool:
    """Of one supervisor. `size` processes wait for each way to start a replica."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._idle: dict[tuple[str, ...], list[Child]] = {}
        self._retry_ns = 0

    def tend(self, wanted: Iterable[ProcessSpec], size: int, now_ns: int) -> None:
        """Start what is missing, at most one at a time, bury what died, and end what nobody wants any more."""
        templates = {spec.warm: spec for spec in wanted if spec.warm and size}
        for argv in self._idle.keys() - templates.keys():
            self._end(self._idle.pop(argv))
        for argv, spec in templates.items():
            waiting = self._idle.setdefault(argv, [])
            for child in [one for one in waiting if one.is_dead()]:
                waiting.remove(child)
                child.bury()
                self._retry_ns = now_ns + AFTER_A_DEATH_NS
            self._end(waiting[size:])
            del waiting[size:]
            if len(waiting) < size and now_ns >= self._retry_ns:
                with contextlib.suppress(ProcessError, OSError):  # the next tick tries again
                    waiting.append(spawn(_waiting(spec), self._run_dir, takes_orders=True))
                return

    def take(self, spec: ProcessSpec) -> Child | None:
        """One that becomes this process; None when it must be started anew."""
        waiting = self._idle.get(spec.warm, [])
        while waiting:
            child = waiting.pop(0)
            orders = {"argv": spec.argv, "log": spec.log}
            if not child.is_dead() and child.order(json.dumps(orders)):
                return child
            child.kill()
            child.bury()
        return None

    def pids(self) -> set[int]:
        """Of those that wait."""
        return {child.pid for waiting in self._idle.values() for child in waiting}

    def close(self) -> None:
        """End them all."""
        for waiting in self._idle.values():
            self._end(waiting)
        self._idle.clear()

    def _end(self, waiting: list[Child]) -> None:
        for child in waiting:
            child.kill()
            child.bury()


def _waiting(spec: ProcessSpec) -> ProcessSpec:
    log = str(Path(spec.log).with_name("warm.log")) if spec.log else ""
    return ProcessSpec("warm", spec.warm, env=spec.env, log=log)
