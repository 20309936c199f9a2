"""Carrying out the steps of a conversation on an event loop; any number of tasks of that loop may share one `Streams`.

`AsyncClient` uses it. Each request in flight has a connection of its own, and the next one takes it over.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque

from gyroscope.client.conversation import Exchange, Outcome, Step, Steps, T
from gyroscope.client.wire import Origin, ReplyReader, lost
from gyroscope.clock import SECOND_NS, machine_now


class Streams:
    """Connections to one origin; they belong to the loop that they were opened on."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._tls = ssl.create_default_context() if origin.scheme == "https" else None
        self._idle: deque[Link] = deque()

    async def run(self, steps: Steps[T]) -> T:
        """Do what the conversation says until it ends; returns or raises what it does."""
        try:
            step = next(steps)
            while True:
                step = steps.send(await self._do(step))
        except StopIteration as ended:
            result: T = ended.value
            return result

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().close()

    async def _do(self, step: Step) -> Outcome | None:
        if isinstance(step, Exchange):
            return await self._exchange(step)
        await asyncio.sleep(step.seconds)
        return None

    async def _exchange(self, step: Exchange) -> Outcome:
        link: Link | None = None
        try:
            async with asyncio.timeout((step.deadline - machine_now()) / SECOND_NS):
                link = await self._connected()
                reader = await link.ask(step.request)
        except BaseException as error:
            if link is not None:
                link.close()
            if isinstance(error, OSError):
                return lost(error)
            raise
        if reader.keeps_alive:
            self._idle.append(link)
        else:
            link.close()
        assert reader.reply is not None  # ask() waits for it
        return reader.reply

    async def _connected(self) -> Link:
        """An idle connection that its peer has not closed, else a new one."""
        while self._idle:
            link = self._idle.pop()
            if link.is_open():
                return link
        loop = asyncio.get_running_loop()
        _, link = await loop.create_connection(Link, self._origin.host, self._origin.port, ssl=self._tls)
        return link


class Link(asyncio.Protocol):
    """One connection with at most one request in flight. A protocol of our own: streams cost as much again."""

    _transport: asyncio.Transport
    _waiting: asyncio.Future[ReplyReader] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def is_open(self) -> bool:
        return not self._transport.is_closing()

    def close(self) -> None:
        self._transport.abort()

    async def ask(self, request: bytes) -> ReplyReader:
        """Raises `ConnectionError` when there will be no whole reply."""
        self._reader = ReplyReader()
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiting

    def data_received(self, data: bytes) -> None:
        try:
            if self._waiting is None or self._waiting.done():
                self.close()  # nobody asked
            elif self._reader.feed(data):
                self._waiting.set_result(self._reader)
        except ConnectionError as error:
            self.connection_lost(error)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or ConnectionError("the connection closed before the answer"))
