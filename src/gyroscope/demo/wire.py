"""One keep-alive connection of the client's kind, without its ids, retries and time budget.

`replay.py` keeps one per worker, so that the demo's generator does not eat the cores it shares with the servers. It
speaks to our own door only and never follows a redirect.
"""

from __future__ import annotations

import asyncio

from gyroscope.client.asynchronous import Link
from gyroscope.client.wire import Reply


class Connection:
    """One request in flight; reconnects when asked for the next."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._link: Link | None = None

    async def ask(self, request: bytes, timeout_s: float) -> Reply:
        """Send one request and wait for its reply.

        Raises `ConnectionError` when the peer went away before a whole reply, `TimeoutError` when it took too long.
        """
        if self._link is None or not self._link.is_open():
            _, self._link = await asyncio.get_running_loop().create_connection(Link, *self._address)
        try:
            async with asyncio.timeout(timeout_s):
                reader = await self._link.ask(request)
        except BaseException:
            self.close()
            raise
        if not reader.keeps_alive:
            self.close()
        assert reader.reply is not None  # ask() waits for it
        return reader.reply

    def close(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None
