"""Models that nobody asks: their replicas go, a bell stands in their place at the door, and who rings it is answered.

The loop asks each tick which of the wanted processes to keep. A bell is a listening socket of the supervisor's own; it
holds who rings, unanswered, until a replica is back, and then hangs up: the door repeats the request there. It never
starts or ends a process, and reads nothing of a request.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Literal

from gyroscope.clock import SECOND_NS, MachineTime
from gyroscope.supervisor.door_config import Server
from gyroscope.supervisor.wanted import ProcessSpec
from gyroscope.supervisor.watch import Watch

BACKLOG = 256
HELD = 256
"""Requests that wait at a bell at once; more wait in the door."""


class Bell:
    """In place of the replicas of one model."""

    def __init__(self, path: Path) -> None:
        """Raises `OSError` when there is no such socket to be had."""
        self.path = path
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)
        try:
            self._listener.bind(str(path))
            self._listener.listen(BACKLOG)
        except OSError:
            self._listener.close()
            raise
        finally:
            os.umask(before)
        self._listener.setblocking(False)
        self._held: list[socket.socket] = []

    def rings(self) -> bool:
        """Whether anybody has said something; the door's own checks only knock."""
        with contextlib.suppress(BlockingIOError):
            while True:
                caller, _ = self._listener.accept()
                caller.setblocking(False)
                self._held.append(caller)
        said = [_said(caller) for caller in self._held]
        for caller in [caller for caller, word in zip(self._held, said, strict=True) if word == "gone"]:
            caller.close()
            self._held.remove(caller)
        return "words" in said

    def descriptors(self) -> list[int]:
        return [self._listener.fileno(), *(caller.fileno() for caller in self._held)]

    def close(self) -> None:
        """Hang up on who rang."""
        for caller in (*self._held, self._listener):
            caller.close()
        self.path.unlink(missing_ok=True)


class Idle:
    """Which models sleep. Times are of the machine's monotonic clock."""

    def __init__(self) -> None:
        self._asked: dict[str, tuple[int, MachineTime]] = {}
        self._bells: dict[str, Bell] = {}
        self._waking: set[str] = set()

    def keep(
        self,
        wanted: Mapping[str, ProcessSpec],
        watches: Mapping[str, Watch],
        now: MachineTime,
        aside: Container[str] = (),
    ) -> tuple[dict[str, ProcessSpec], list[tuple[str, str]]]:
        """The wanted processes without those that may sleep, and what has changed: model, word.

        Nobody falls asleep while others than those `aside` come up: who starts a house waits until all are there. Nor
        does a model with anybody aside: a challenger that slept would be taken for one that does not start.
        """
        if any(not _is_in(watches.get(name)) for name, spec in wanted.items() if self._counts(spec, aside)):
            self._asked.clear()
        awake = {spec.model for name, spec in wanted.items() if name in aside}
        models: dict[str, list[ProcessSpec]] = {}
        for spec in wanted.values():
            if spec.kind == "replica" and spec.idle_after_s:
                models.setdefault(spec.model, []).append(spec)
        changes = [
            (model, "asleep")
            for model, specs in models.items()
            if model not in awake and self._falls_asleep(specs, watches, now)
        ]
        for model, bell in list(self._bells.items()):
            if model not in models:
                self._take(model).close()
            elif model not in self._waking and (model in awake or bell.rings()):
                self._waking.add(model)
                changes.append((model, "woken"))
        asleep = self._bells.keys() - self._waking
        return {name: spec for name, spec in wanted.items() if spec.model not in asleep}, changes

    @property
    def servers(self) -> list[Server]:
        """The bells, as the door sees them."""
        return [Server("bell", model, str(bell.path), HELD) for model, bell in self._bells.items()]

    def descriptors(self) -> list[int]:
        """What becomes readable when somebody rings, or has rung and says something."""
        return [number for model in self._bells.keys() - self._waking for number in self._bells[model].descriptors()]

    def back(self, watches: Mapping[str, Watch], aside: Container[str] = ()) -> list[Bell]:
        """Bells whose models have a replica again: no bells any more, and to be closed once the door knows that.

        One of those `aside` answers nobody: a bell that went for it would leave who rings with nobody at all.
        """
        ready = {
            watch.spec.model
            for name, watch in watches.items()
            if watch.spec.kind == "replica" and watch.is_in and name not in aside
        }
        return [self._take(model) for model in sorted(self._waking & ready)]

    def close(self) -> None:
        """Hang up everywhere."""
        for model in list(self._bells):
            self._take(model).close()

    def _counts(self, spec: ProcessSpec, aside: Container[str]) -> bool:
        return spec.name not in aside and spec.model not in self._bells

    def _take(self, model: str) -> Bell:
        self._waking.discard(model)
        return self._bells.pop(model)

    def _falls_asleep(self, specs: list[ProcessSpec], watches: Mapping[str, Watch], now: MachineTime) -> bool:
        """Whether nobody has asked for as long as it takes, of replicas that are all there; if so, it has a bell."""
        model, posts = specs[0].model, [watches.get(spec.name) for spec in specs]
        if model in self._bells:
            return False
        if not all(_is_in(post) for post in posts):
            self._asked.pop(model, None)
            return False
        asked = sum(post.asked() for post in posts if post)
        known, since = self._asked.get(model, (-1, now))
        if asked != known or now - since < specs[0].idle_after_s * SECOND_NS:
            self._asked[model] = (asked, now if asked != known else since)
            return False
        del self._asked[model]
        with contextlib.suppress(OSError):  # no bell, no sleep: it is tried again after as long
            self._bells[model] = Bell(Path(specs[0].socket).with_name(f"{model}.bell"))
        return model in self._bells


def _is_in(watch: Watch | None) -> bool:
    return watch is not None and watch.is_in


def _said(caller: socket.socket) -> Literal["words", "nothing", "gone"]:
    """What has come from the other side, left where it is."""
    try:
        return "words" if caller.recv(1, socket.MSG_PEEK) else "gone"
    except BlockingIOError:
        return "nothing"
    except OSError:
        return "gone"
