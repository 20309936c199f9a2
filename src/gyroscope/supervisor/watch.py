"""One post as the supervisor lives with it: who holds it, whether it is ready, what signs of life it gives.

The loop keeps one `Watch` per name, looks through it each tick and gets the plain `Post` that `reconcile.py` decides
about. It reads pulses, sockets and /proc; it signals nobody.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

from gyroscope.clock import SECOND_NS, MachineTime, wall_now
from gyroscope.errors import ProcessError
from gyroscope.supervisor import procfs
from gyroscope.supervisor.hung import Signs, hung_reason
from gyroscope.supervisor.processes import Child
from gyroscope.supervisor.pulse import Pulse
from gyroscope.supervisor.quarantine import Quarantine
from gyroscope.supervisor.reconcile import STEADY_NS, Post, back_off_ns
from gyroscope.supervisor.state import Entry, PostState
from gyroscope.supervisor.wanted import ProcessSpec

# Without the door nobody is served, so it is tried again every second whatever happens.
_LONGEST_WAIT_NS = {"door": SECOND_NS, "replica": 10 * SECOND_NS, "service": 10 * SECOND_NS}


@dataclass
class Watch:
    """A name and its present holder. `reason` is why the last holder went, or is going."""

    spec: ProcessSpec
    child: Child | None = None
    state: PostState = "waiting"
    since: int = 0  # wall time in microseconds
    since_ns: int = 0
    started_ns: int = 0
    ready_ns: int = 0
    was_ready: bool = False  # whether any holder ever was
    stopped_ns: int = 0
    retry_ns: int = 0
    restarts: int = 0
    failures: int = 0
    reason: str = ""
    kill_reason: str = ""
    pulse: Pulse | None = None
    quarantine: Quarantine | None = None
    ran_at_beat: tuple[int, int] = (0, 0)  # the last beat seen, and the processor time of then

    def holds(self, child: Child, state: PostState, now: MachineTime) -> None:
        """A process took the post."""
        self.child = child
        self.started_ns = now
        self.stopped_ns = 0
        self.kill_reason = ""
        self.ready_ns = now if state == "ready" else 0
        self.turn(state, now)

    def turn(self, state: PostState, now: MachineTime) -> None:
        """The post goes into another state."""
        self.state = state
        self.since_ns = now
        self.since = wall_now()
        if state == "ready":
            self.ready_ns, self.was_ready = now, True

    def lost(self, now: MachineTime) -> list[int]:
        """The holder ended. A death counts towards the back-off, a leave that we asked for does not.

        Returns hashes of inputs that nobody may work on from now on, as `blame` does.
        """
        how = self.child.bury() if self.child else ""
        fatal = self.blame(now) if self.child and self.child.fell and not self.kill_reason else []
        self._drop_pulse()
        self.child = None
        if self.state in ("draining", "stopping") and not self.kill_reason:
            self.retry_ns = 0
            self.turn("waiting", now)
        else:
            self.failed(f"killed: {self.kill_reason}" if self.kill_reason else how, now)
        return fatal

    @property
    def is_in(self) -> bool:
        """Whether the holder is ready and the door has been told."""
        return self.state == "ready" and self.child is not None

    def asked(self) -> int:
        """Requests that holders of this post have answered, and the ones in hand."""
        pulse = self._own_pulse()
        if pulse is None:
            return 0
        counts = pulse.counters()
        return sum(counts[name] for name in ("requests_2xx", "requests_4xx", "requests_5xx")) + pulse.in_hand

    def condemn(self, reason: str, now: MachineTime) -> list[int]:
        """The holder is about to be killed. When what it has in hand is the reason, that is blamed before its death,
        since the door hands it to the next replica at once. One that a signal stopped could not get on with it.
        """
        self.kill_reason = reason
        pulse = self._own_pulse()
        is_overdue = pulse and pulse.deadline_ns and now > pulse.deadline_ns and not self.stopped_ns
        return self.blame(now) if is_overdue else []

    def blame(self, now: MachineTime) -> list[int]:
        """Blame what the holder has in hand; hashes of inputs that killed once too often."""
        pulse = self._own_pulse()
        if not (pulse and pulse.started_ns and self.spec.quarantine):
            return []
        try:
            self.quarantine = self.quarantine or Quarantine(self.spec.quarantine)
        except ProcessError:
            return []  # a full runtime folder must not keep a dead replica's post from being filled
        return self.quarantine.blame(pulse.inputs, now)

    def failed(self, why: str, now: MachineTime) -> None:
        """Nobody holds the post against our will: wait longer each time in a row."""
        steady = self.ready_ns > 0 and now - self.ready_ns > STEADY_NS[self.spec.kind]
        self.failures = 1 if steady else self.failures + 1
        self.ready_ns = 0
        self.reason = why
        longest = _LONGEST_WAIT_NS[self.spec.kind]
        # A start costs seconds of a processor; where nobody waits for it, the champion's clients shall not pay for it.
        self.retry_ns = now + (longest if self.spec.is_shadow else min(back_off_ns(self.failures), longest))
        self.turn("waiting", now)

    def look(self, now: MachineTime, calm_ns: int, in_flight: int, answering_door: int) -> Post:
        """What is to be decided about. `answering_door` is the pid that answers the door's admin socket."""
        is_ready = self._is_ready(answering_door)
        return Post(
            spec=self.spec,
            state=self.state,
            since_ns=self.since_ns,
            is_ready=is_ready,
            in_flight=in_flight,
            retry_ns=self.retry_ns,
            hung=self._hung(now, calm_ns, is_ready),
            reason=self.reason,
        )

    def admits(self) -> tuple[int, int]:
        """Requests that the holder wants at once, and how many may wait for it; zeros while it has not said."""
        pulse = self._own_pulse()
        return (pulse.limit, pulse.room) if pulse else (0, 0)

    def entry(self) -> Entry:
        """For the state file."""
        pid, ticks = (self.child.pid, self.child.start_ticks) if self.child else (0, 0)
        return Entry(self.spec, pid, ticks, self.state, self.restarts, self.reason, self.since)

    def _is_ready(self, answering_door: int) -> bool:
        if self.child is None:
            return False
        if self.ready_ns:
            return True
        if self.spec.kind == "door":
            return answering_door == self.child.pid
        if self.spec.pulse:
            pulse = self._own_pulse()
            return pulse is not None and pulse.state == "ready"
        return _answers(self.spec.socket) if self.spec.socket else True

    def _hung(self, now: MachineTime, calm_ns: int, is_ready: bool) -> str:
        """Whom we already killed is not judged again: a process in the kernel's hands may take a while to go."""
        if self.child is None or self.kill_reason:
            return ""
        run_state = procfs.run_state(self.child.pid)
        self.stopped_ns = (self.stopped_ns or now) if run_state == "T" else 0
        # The deadline is read before the beat: a replica that ends an item writes them the other way round.
        pulse = self._own_pulse() if self.spec.kind == "replica" else None
        deadline_ns = pulse.deadline_ns if pulse else 0
        beat_ns = pulse.beat_ns if pulse else now
        signs = Signs(
            kind=self.spec.kind,
            started_ns=self.started_ns,
            is_ready=is_ready,
            calm_ns=calm_ns,
            ready_ns=self.ready_ns or now,
            beat_ns=beat_ns,
            deadline_ns=deadline_ns,
            stopped_ns=self.stopped_ns,
            is_starved=run_state == "R" and self._ran_since(beat_ns) < (now - beat_ns) // 2,
        )
        return hung_reason(signs, now)

    def _ran_since(self, beat_ns: int) -> int:
        """The processor time that the holder has had since its last beat."""
        ran_ns = procfs.ran_ns(self.child.pid) if self.child else 0
        if self.ran_at_beat[0] != beat_ns:
            self.ran_at_beat = (beat_ns, ran_ns)
        return ran_ns - self.ran_at_beat[1]

    def _own_pulse(self) -> Pulse | None:
        """The pulse, once the present holder writes it; before that it still says what the last one did."""
        if self.pulse is None:
            try:
                self.pulse = Pulse.open(self.spec.pulse)
            except ProcessError:
                return None
        return self.pulse if self.child and self.pulse.pid == self.child.pid else None

    def _drop_pulse(self) -> None:
        if self.pulse:
            self.pulse.close()
            self.pulse = None


def _answers(path: str) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(0.05)
            probe.connect(path)
            return True
    except OSError:
        return False
