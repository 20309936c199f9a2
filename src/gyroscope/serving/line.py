"""The line in front of the model: first come, first served, no more waiting than there is room.

Every shell brings its calls here and is told the reply. No task is made for a call: calls that come together are worked
off together, in one callback of the event loop, and share a prediction where `batching.py` says so. It knows no
transport.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from gyroscope.clock import SECOND_NS, MachineTime, machine_now
from gyroscope.errors import InputError, OverloadError
from gyroscope.serving.acknowledgement import until_known
from gyroscope.serving.admission import Limit
from gyroscope.serving.batching import Batcher
from gyroscope.serving.plane import Call, Pending, Plane, Reply

LOG = logging.getLogger(__name__)

Deliver = Callable[[Reply], None]
Place = tuple[Call, Deliver]
GivenT = TypeVar("GivenT")
MadeT = TypeVar("MadeT")

# After this long the loop looks around: what has arrived meanwhile is read, counted and given its time of arrival
# before the next call begins. Else every later call of a burst would believe that it had only just arrived.
ROUND_NS = SECOND_NS // 1_000

# uvloop's timers tick in milliseconds: shorter waits look around all the time, which they are short enough for.
TICK_NS = SECOND_NS // 1_000

# Calls beyond this many bytes do not share a prediction: what they hold up is their own rows, not the fixed cost.
SHARED_BYTES = 262_144


class _Done(NamedTuple):
    """A turn that is over: when, how long its one prediction took (0: several or none), rows of each call."""

    began: MachineTime
    ended: MachineTime
    took_ns: int
    rows: list[int]


class Line:
    """Calls on their way to one plane, all on the thread of its event loop."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        limits = self.limits = plane.limits
        self._room = limits.max_in_flight
        self._batcher = Batcher(limits.batch_calls, limits.deadline_ns // 2)
        self.passed = self._batcher.passed
        self._limit = Limit(limits.max_in_flight, limits.deadline_ns // 2)
        plane.admit(self._limit.value, self._limit.room)
        self._waiting: deque[Place] = deque()
        self._is_called = False
        self._timer: asyncio.TimerHandle | None = None
        self._done: _Done | None = None
        self._ended = machine_now()
        self._settling: set[asyncio.Task[None]] = set()

    def enter(self, call: Call, deliver: Deliver) -> None:
        """Take a place; `deliver` gets the reply, at once when there is no room, and is never called twice."""
        if len(self._waiting) > self._room:  # one of them is worked on next
            error = OverloadError(f"{self._room} requests are waiting", fix="try again in a moment", status=503)
            self.refuse(call, error, deliver)
            return
        self._waiting.append((call, deliver))
        self._plane.wait(len(self._waiting))
        if self._timer:
            self._timer.cancel()
            self._timer, self._is_called = None, False
        if not self._is_called:
            # Not at once: who came in the same burst is to be in line before the first one begins.
            self._is_called = True
            asyncio.get_running_loop().call_soon(self._round)

    @property
    def is_free(self) -> bool:
        """Whether a call may be answered at once, past the line: nobody waits, and the model is fast."""
        return not self._is_called and self._batcher.is_quick

    def refuse(self, call: Call, error: InputError | OverloadError, deliver: Deliver) -> None:
        """Have it written down and answered that a call is not worked on."""
        self._give(self._plane.refuse(call, error), deliver)

    async def ask(self, call: Call) -> Reply:
        """As `enter`, for who can wait."""
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.enter(call, lambda answer: None if reply.done() else reply.set_result(answer))
        return await reply

    def _round(self) -> None:
        """Work off what is here, for a while; then have the loop look around and come back until there is nothing."""
        self._timer, wait_ns = None, 0
        try:
            wait_ns = self._work_for_a_while()
        finally:  # whatever went wrong with one call, the others are still in line
            self._is_called = bool(self._waiting or self._done)
            self._plane.wait(len(self._waiting))
            if wait_ns > TICK_NS:
                self._timer = asyncio.get_running_loop().call_later((wait_ns - TICK_NS) / SECOND_NS, self._round)
            elif self._is_called:
                asyncio.get_running_loop().call_soon(self._round)

    def _work_for_a_while(self) -> int:
        """Returns how long to wait for more; 0 when there is no reason to."""
        waiting, now = self._waiting, machine_now()
        until, wait_ns = now + ROUND_NS, 0
        self._learn()
        while waiting and now < until and not wait_ns:
            if self._batcher.passes(len(waiting)):
                self._ended = now = self._work_off_alone(waiting.popleft())
                continue
            turn = self._batcher.turn(len(waiting), now)
            wait_ns = turn.wait_ns
            if turn.take:
                now = self._work_off(self._pop(turn.take), now)
            if waiting:
                self._learn()  # else the loop first reads what came meanwhile: only then is it known who is left
        return wait_ns

    def _work_off_alone(self, place: Place) -> MachineTime:
        answer = self._step(self._plane.handle, place[0], [place])
        if answer is not None:
            self._give(answer, place[1])
        return machine_now()

    def _pop(self, n: int) -> list[Place]:
        waiting = self._waiting
        taken = [waiting.popleft()]
        size = len(taken[0][0].body)
        while len(taken) < n and size + len(waiting[0][0].body) <= SHARED_BYTES:
            taken.append(waiting.popleft())
            size += len(taken[-1][0].body)
        return taken

    def _work_off(self, taken: Sequence[Place], began: MachineTime) -> MachineTime:
        """Answer calls that share a prediction; returns when that was over."""
        prepared = [(self._step(self._plane.prepare, place[0], [place]), place) for place in taken]
        asked = [(work, place) for work, place in prepared if work is not None]
        took_ns = self._step(self._plane.predict, [work for work, _ in asked], [place for _, place in asked])
        for work, place in asked if took_ns is not None else ():
            answer = self._step(self._plane.finish, work, [place])
            if answer is not None:
                self._give(answer, place[1])
        rows = [len(work.outputs) for work, _ in asked if work.outputs is not None]
        self._done = _Done(began, machine_now(), took_ns or 0, rows)
        return self._done.ended

    def _step(self, step: Callable[[GivenT], MadeT], given: GivenT, places: Sequence[Place]) -> MadeT | None:
        """A step of these calls, so that a fault of our own in it is answered to them alone."""
        try:
            return step(given)
        except Exception:
            LOG.exception("a request met a fault of the replica's own")
            for call, deliver in places:
                deliver(self._plane.broken(call))
            return None

    def _learn(self) -> None:
        """From the turn that is over, now that who came meanwhile is here too."""
        done = self._done
        if done is None:
            return
        left, calls = len(self._waiting), len(done.rows)
        idle_ns, busy_ns = done.began - self._ended, done.ended - done.began
        self._ended, self._done = done.ended, None
        if calls:
            self._batcher.ended(calls, sum(done.rows), done.took_ns, left, done.ended)
        if self._limit.worked(idle_ns, busy_ns, max(1, calls), left) and self._limit.decide(self._batcher.wanted):
            self._plane.admit(self._limit.value, self._limit.room)

    def _give(self, answer: Reply | Pending, deliver: Deliver) -> None:
        if isinstance(answer, Reply):
            deliver(answer)
            return
        task = asyncio.get_running_loop().create_task(self._settle(answer, deliver))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def _settle(self, pending: Pending, deliver: Deliver) -> None:
        await until_known(pending.waiting, pending.deadline)
        deliver(self._plane.settle(pending))
