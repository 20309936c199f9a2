"""The line in front of the model: first come, first served, no more waiting than there is room.

Every shell brings its calls here and is told the reply. No task is made for a call: calls that come together are worked
off together, in one callback of the event loop. It knows no transport.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from gyroscope.clock import SECOND_NS, machine_now
from gyroscope.errors import InputError, OverloadError
from gyroscope.serving.acknowledgement import until_known
from gyroscope.serving.plane import Call, Pending, Plane, Reply

LOG = logging.getLogger(__name__)

Deliver = Callable[[Reply], None]

# After this long the loop looks around: what has arrived meanwhile is read, counted and given its time of arrival
# before the next call begins. Else every later call of a burst would believe that it had only just arrived.
ROUND_NS = SECOND_NS // 1_000


class Line:
    """Calls on their way to one plane, all on the thread of its event loop."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._room = plane.limits.max_in_flight
        self._waiting: deque[tuple[Call, Deliver]] = deque()
        self._is_called = False
        self._settling: set[asyncio.Task[None]] = set()

    def enter(self, call: Call, deliver: Deliver) -> None:
        """Take a place; `deliver` gets the reply, at once when there is no room, and is never called twice."""
        if len(self._waiting) > self._room:  # one of them is worked on next
            error = OverloadError(f"{self._room} requests are waiting", fix="try again in a moment", status=503)
            self.refuse(call, error, deliver)
            return
        self._waiting.append((call, deliver))
        if not self._is_called:
            # Not at once: who came in the same burst is to be in line before the first one begins.
            self._is_called = True
            asyncio.get_running_loop().call_soon(self._round)

    def refuse(self, call: Call, error: InputError | OverloadError, deliver: Deliver) -> None:
        """Have it written down and answered that a call is not worked on."""
        self._give(self._plane.refuse(call, error), deliver)

    async def ask(self, call: Call) -> Reply:
        """As `enter`, for who can wait."""
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.enter(call, lambda answer: None if reply.done() else reply.set_result(answer))
        return await reply

    def _round(self) -> None:
        waiting, until = self._waiting, machine_now() + ROUND_NS
        while waiting:
            call, deliver = waiting.popleft()
            try:
                self._give(self._plane.handle(call), deliver)
            except Exception:
                LOG.exception("a request met a fault of the replica's own")
                deliver(self._plane.broken(call))
            if machine_now() >= until:
                break
        self._is_called = bool(waiting)
        if waiting:
            asyncio.get_running_loop().call_soon(self._round)

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
