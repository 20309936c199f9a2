"""The supervisor's loop: look at every process, decide, act, tell the door, write down.

`python -m gyroscope.supervisor` runs it for ever; `client.stop` borrows it when the supervisor itself was killed.
What is wanted comes from a file; it never decides that.
"""

from __future__ import annotations

import contextlib
import os
import select
import traceback
from pathlib import Path

from gyroscope.clock import SECOND_NS, MachineTime, machine_now, sleep, wall_now
from gyroscope.errors import ProcessError
from gyroscope.supervisor import procfs
from gyroscope.supervisor.door_config import back_socket, grpc_socket
from gyroscope.supervisor.gate import Gate
from gyroscope.supervisor.hung import LATE_TICK_NS
from gyroscope.supervisor.idle import Idle
from gyroscope.supervisor.processes import adopt, kill_strays, spawn
from gyroscope.supervisor.reconcile import Action, decide
from gyroscope.supervisor.state import PostState, RunDir, State, append_event, read_state, write_state
from gyroscope.supervisor.wanted import ProcessSpec, Wanted, read_wanted
from gyroscope.supervisor.warm import WarmPool
from gyroscope.supervisor.watch import Watch

TICK_S = 0.05

# Beyond drain and grace: a process inside a hung disk does not even hear SIGKILL, and stopping must end.
_DYING_S = 10.0


class Supervisor:
    """Keeps what runs equal to what is wanted. One per folder: its caller holds the folder's lock."""

    def __init__(self, run: RunDir) -> None:
        self._run = run
        self._since = wall_now()
        self._gate = Gate(run)
        self._pool = WarmPool(run.path)
        self._idle = Idle()
        self._warm = 0
        self._wanted: dict[str, ProcessSpec] = {}
        self._wanted_stamp = (0, 0)
        self._aside: frozenset[str] = frozenset()
        self._watches: dict[str, Watch] = {}
        self._problem = ""
        self._last_tick_ns = 0
        self._calm_ns = 0
        self._written: State | None = None
        self._is_leaving = False
        self._acts = {
            "start": self._start,
            "admit": self._admit,
            "drain": self._drain,
            "end": self._end,
            "kill": self._kill,
            "forget": self._forget,
        }

    def adopt(self) -> None:
        """Take over what an earlier supervisor left running; kill what it never wrote down."""
        try:
            entries = read_state(self._run).entries
        except ProcessError as error:
            self._tell("supervisor", "state unreadable", str(error))
            entries = ()
        now = machine_now()
        for entry in entries:
            watch = Watch(entry.spec, restarts=entry.restarts, reason=entry.reason, since=entry.since)
            child = adopt(entry)
            if child:
                watch.holds(child, entry.state, now)
                self._tell(entry.spec.name, "adopted", f"pid {child.pid}")
            elif entry.pid:
                watch.reason = "ended while no supervisor lived"
            self._watches[entry.spec.name] = watch
        self._kill_strays()

    def run_forever(self, until: list[int]) -> None:
        """Tick until a signal number is put into `until`, then stop everything."""
        while not until:
            try:
                self.run_once(machine_now())
            except Exception as error:  # noqa: BLE001  the outermost line: a supervisor with a fault must go on watching
                traceback.print_exc()
                self._tell("supervisor", "fault", repr(error))
                sleep(TICK_S)
            self._wait()
        self.stop()

    def run_once(self, now: MachineTime) -> list[Action]:
        """One tick; returns what was done."""
        self._mind_stalls(now)
        self._read_wanted()
        self._bury(now)
        actions = self._decide(now)
        for action in actions:
            self._acts[action.verb](action, now)
        self._sync()
        self._write_down()
        if all(watch.state == "ready" for name, watch in self._watches.items() if name not in self._aside):
            # Not while others start: they need the processor more.
            self._pool.tend(self._wanted.values(), 0 if self._is_leaving else self._warm, now)
        return actions

    def stop(self) -> None:
        """Stop everything in order: the door while others finish its requests, the rest, then what drains for them."""
        self._is_leaving = True
        self._pool.close()
        self._idle.close()
        everything = {name: watch.spec for name, watch in self._watches.items()}
        self._stop_all_but({name: spec for name, spec in everything.items() if spec.kind != "door"})
        self._stop_all_but({name: spec for name, spec in everything.items() if spec.stop_last})
        self._stop_all_but({})
        self._kill_strays()
        with contextlib.suppress(OSError):
            self._run.state.unlink(missing_ok=True)
        if everything:
            self._tell("supervisor", "stopped", "")

    def _stop_all_but(self, wanted: dict[str, ProcessSpec]) -> None:
        self._wanted = wanted
        graces_s = [watch.spec.stop_grace_s for watch in self._watches.values()]
        until = machine_now() + round((max(graces_s, default=0) + _DYING_S) * SECOND_NS)
        while self._watches.keys() - wanted.keys() and machine_now() < until:
            self.run_once(machine_now())
            self._wait()

    def _mind_stalls(self, now: MachineTime) -> None:
        late_ns = now - self._last_tick_ns - round(TICK_S * SECOND_NS)
        if late_ns > LATE_TICK_NS:
            self._calm_ns = now
            if self._last_tick_ns:
                self._tell(
                    "supervisor", "stalled", f"own tick {late_ns / SECOND_NS:.1f} s late: nobody is judged by that time"
                )
        self._last_tick_ns = now

    def _read_wanted(self) -> None:
        """Again when the file was replaced; a bad file changes nothing."""
        if self._is_leaving:
            return
        try:
            told = self._run.wanted.stat()
            stamp = (told.st_ino, told.st_mtime_ns)
            if stamp == self._wanted_stamp:
                return
            self._wanted_stamp = stamp
            self._want(read_wanted(self._run.wanted))
            self._problem = ""
        except (ProcessError, OSError) as error:
            if str(error) != self._problem:
                self._tell("supervisor", "wanted unreadable", str(error))
            self._problem = str(error)

    def _want(self, wanted: Wanted) -> None:
        self._warm, self._aside = wanted.warm, wanted.aside
        doors = self._gate.want(wanted.door, wanted.splits)
        self._wanted = {spec.name: spec for spec in (*wanted.processes, *doors)}

    def _bury(self, now: MachineTime) -> None:
        """Notice deaths. A dead server leaves the door at once, before anything slower happens."""
        self._gate.bury(now)
        dead = [watch for watch in self._watches.values() if watch.child and watch.child.is_dead()]
        has_adopted = any(watch.child and watch.child.own is None for watch in dead)
        fatal = {watch.spec.name: watch.lost(now) for watch in dead}
        if dead:
            self._gate.sync(self._watches)
        for watch in dead:
            self._tell(watch.spec.name, "ended", watch.reason)
            self._tell_quarantined(watch.spec.name, fatal[watch.spec.name])
        if has_adopted:
            self._kill_strays()

    def _decide(self, now: MachineTime) -> list[Action]:
        in_flight = self._gate.in_flight(self._watches)
        door = self._gate.answering_pid(self._watches)
        posts = {
            name: watch.look(now, self._calm_ns, in_flight.get(name, 0), door) for name, watch in self._watches.items()
        }
        kept, changes = self._idle.keep(self._wanted, self._watches, now, self._aside)
        for model, word in changes:
            self._tell(model, word, "nobody asks" if word == "asleep" else "it is needed")
        actions = decide(kept, posts, now, self._aside)
        return [action for action in actions if not (self._is_leaving and action.verb == "start")]

    def _sync(self) -> None:
        """Tell the door. Who rang for a model that slept is hung up on when others are there to be asked."""
        self._gate.bells = self._idle.servers
        self._gate.sync(self._watches)
        bells = self._idle.back(self._watches, self._aside)
        if bells:
            self._gate.bells = self._idle.servers
            self._gate.sync(self._watches)
        for bell in bells:
            bell.close()

    def _start(self, action: Action, now: MachineTime) -> None:
        watch = self._watches.setdefault(action.name, Watch(self._wanted[action.name], since=wall_now()))
        watch.spec = self._wanted[action.name]
        try:
            self._gate.prepare(watch.spec, self._watches)
            child = self._pool.take(watch.spec) or spawn(watch.spec, self._run.path)
        except (ProcessError, OSError) as error:
            watch.failed(str(error), now)
            self._tell(action.name, "not started", str(error))
            return
        watch.restarts += bool(watch.reason)
        watch.holds(child, "starting", now)
        self._tell(action.name, "started", f"pid {child.pid}; {action.reason}")

    def _admit(self, action: Action, now: MachineTime) -> None:
        self._turn(action, "ready", now)

    def _drain(self, action: Action, now: MachineTime) -> None:
        watch = self._watches[action.name]
        if watch.spec.kind == "door" and action.name in self._wanted:
            self._hand_over(watch, now)
        else:
            watch.reason = action.reason
            self._turn(action, "draining", now)

    def _end(self, action: Action, now: MachineTime) -> None:
        watch = self._watches[action.name]
        self._turn(action, "stopping", now)
        if watch.child:
            watch.child.signal(self._gate.end_signal(watch.spec))

    def _kill(self, action: Action, now: MachineTime) -> None:
        """Out of the door first: what it holds is retried elsewhere when it dies, and nothing new may go there."""
        watch = self._watches[action.name]
        fatal = watch.condemn(action.reason, now)
        self._turn(action, "stopping", now)
        self._gate.sync(self._watches)
        if watch.child:
            watch.child.kill()
        self._tell(action.name, "killed", action.reason)
        self._tell_quarantined(action.name, fatal)

    def _forget(self, action: Action, now: MachineTime) -> None:
        watch = self._watches.pop(action.name)
        spec = watch.spec
        left = [spec.socket]
        if spec.socket:
            left += [grpc_socket(spec.socket), back_socket(spec.socket)]
        # Of one that only sleeps the counters must not fall, and what is known of its inputs still holds.
        if action.name not in self._wanted:
            left.append(spec.pulse)
            if all(other.spec.quarantine != spec.quarantine for other in self._watches.values()):
                left.append(spec.quarantine)
        for path in filter(None, left):
            with contextlib.suppress(OSError):
                Path(path).unlink(missing_ok=True)

    def _hand_over(self, watch: Watch, now: MachineTime) -> None:
        """A door with another structure takes the listening socket from the old one; nobody is refused."""
        if now < watch.retry_ns:
            return
        old, spec = watch.child, self._wanted[watch.spec.name]
        try:
            self._gate.prepare(spec, self._watches)
            child = spawn(self._gate.successor(spec, old), self._run.path)
        except (ProcessError, OSError) as error:
            watch.retry_ns = now + SECOND_NS
            self._tell(spec.name, "not replaced", str(error))
            return
        self._gate.retire(old, now)
        watch.spec = spec
        watch.holds(child, "starting", now)
        self._tell(watch.spec.name, "replaced", f"pid {child.pid}")

    def _turn(self, action: Action, state: PostState, now: MachineTime) -> None:
        self._watches[action.name].turn(state, now)
        self._tell(action.name, state, action.reason)

    def _wait(self) -> None:
        """Until the next tick is due, or at once when a process ends."""
        poller = select.poll()
        for descriptor in (*self._gate.pidfds(), *self._idle.descriptors()):
            poller.register(descriptor, select.POLLIN)
        for watch in self._watches.values():
            if watch.child:
                poller.register(watch.child.pidfd, select.POLLIN)
        rest_ns = self._last_tick_ns + round(TICK_S * SECOND_NS) - machine_now()
        poller.poll(max(0.0, rest_ns / 1e6))

    def _kill_strays(self) -> None:
        known = {watch.child.pid for watch in self._watches.values() if watch.child}
        for pid in kill_strays(self._run.path, known | self._gate.pids() | self._pool.pids()):
            self._tell("supervisor", "killed a stray", f"pid {pid}")

    def _write_down(self) -> None:
        entries = tuple(watch.entry() for watch in self._watches.values())
        pid = os.getpid()
        state = State(pid, procfs.start_ticks(pid), self._since, self._problem or self._gate.problem, entries)
        if state == self._written:
            return
        # A full disk must not stop supervision: the next tick tries again, and strays are found by their mark.
        with contextlib.suppress(OSError):
            write_state(self._run, state)
            self._written = state

    def _tell_quarantined(self, process: str, hashes: list[int]) -> None:
        for input_hash in hashes:
            self._tell(process, "quarantined", f"input {input_hash:016x} killed for the last time: it is refused")

    def _tell(self, process: str, event: str, reason: str) -> None:
        with contextlib.suppress(OSError):
            append_event(self._run, process, event, reason)
