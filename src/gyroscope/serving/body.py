"""Bodies, whole: no larger than the cap, no slower than the deadline.

The HTTP shell reads every question's body through one `BodyReader` and calls `sweep` on each beat. It never parses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gyroscope.clock import MachineTime
from gyroscope.errors import InputError

Receive = Callable[[], Awaitable[Mapping[str, Any]]]


class BodyReader:
    """Reads with a cap, and remembers who is still being read.

    One sweep every 100 ms finds the slow ones: a timer per request (`asyncio.timeout`) costs 7 us, more than parsing.
    """

    def __init__(self, cap_bytes: int) -> None:
        self._cap = cap_bytes
        self._reading: dict[asyncio.Task[Any], MachineTime] = {}
        self._late: set[asyncio.Task[Any]] = set()

    async def read(self, receive: Receive, deadline: MachineTime) -> bytes | None:
        """The whole body; None when the client went away.

        Raises `InputError`: 413 over the cap, 408 past the deadline.
        """
        task = asyncio.current_task()
        assert task is not None  # we are in one
        self._reading[task] = deadline
        try:
            return await self._collect(receive)
        except asyncio.CancelledError:
            if task not in self._late:
                raise
            task.uncancel()
            raise InputError("the body did not arrive in time", fix="send it faster", status=408) from None
        finally:
            del self._reading[task]
            self._late.discard(task)

    def sweep(self, now: MachineTime) -> None:
        """Give up on bodies that are past their deadline."""
        for task, deadline in self._reading.items():
            if now >= deadline and task not in self._late:
                self._late.add(task)
                task.cancel()

    def refuse_size(self, size: int) -> None:
        """Raises `InputError`, 413, when a body of this many bytes is too large."""
        if size > self._cap:
            raise InputError(
                f"the body is larger than {self._cap:,} bytes",
                fix="split the request, or raise serving.body_mib",
                status=413,
            )

    async def _collect(self, receive: Receive) -> bytes | None:
        chunks: list[bytes] = []
        size = 0
        while (message := await receive())["type"] == "http.request":
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            self.refuse_size(size)
            chunks.append(chunk)
            if not message.get("more_body", False):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)
        return None
