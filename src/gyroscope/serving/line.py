"""The line in front of the model: one request at a time, first come first served, no more waiting than there is room.

The HTTP shell makes every question pass through it. It counts; it never looks at a clock or a request.
"""

from __future__ import annotations

import asyncio
from collections import deque

from gyroscope.errors import OverloadError


class Line:
    """A turn is handed on in the next round of the event loop, not at once.

    So what arrived while the model ran is read, counted and given its arrival time before the next item starts; handed
    on at once, a burst would be worked off with every later request believing that it had only just arrived.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._is_taken = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Wait for one's turn. Raises `OverloadError` at once when the line is full."""
        if not self._is_taken:
            self._is_taken = True
            await self._look_around()
            return
        if len(self._waiting) >= self._room:
            raise OverloadError(f"{self._room} requests are waiting", fix="try again in a moment", status=503)
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()  # the turn had just come; without this nobody would ever have it again
            raise

    async def _look_around(self) -> None:
        """One round of the loop before the work, so that whoever came in the same burst is in line by then."""
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.leave()
            raise

    def leave(self) -> None:
        """End one's turn; whoever entered must call this."""
        asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # a wait that was cancelled is over
                turn.set_result(None)
                return
        self._is_taken = False
