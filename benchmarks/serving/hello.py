"""The chosen HTTP server and nothing behind it: our own connection, every whole request answered with one constant.

`python -m benchmarks.serving.hello PORT [remembering]`. It does what any HTTP server must: it parses each head,
takes the body by its length, looks the path up, keeps the connection, and dates its reply; what came in one turn of the
loop is answered together, as ours does, which wakes the client less often. With `remembering` a head
that was seen before is not parsed again, which is a shortcut of ours and no part of HTTP.
"""

from __future__ import annotations

import asyncio
import sys
from email.utils import formatdate
from typing import Any, cast

import uvloop

from gyroscope.clock import SECOND_US, wall_now
from gyroscope.serving.connection import Connection
from gyroscope.serving.http import Http, Route

BODY = b'{"outputs":[{"data":[0.5]}]}'
REPLY = b"HTTP/1.1 200 OK\r\ndate: %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
PATH = "/v2/models/probe/infer"


class Hello:
    """What a connection asks of an `Http`, done as shortly as can be."""

    cap_bytes, deadline_ns = 1 << 20, 1_000_000_000

    def __init__(self, is_remembering: bool) -> None:
        self.routes: dict[bytes, Route] = {}
        self._is_remembering = is_remembering
        self._known = {PATH: BODY}
        self._reply = (0, b"")
        self._asked: list[tuple[Connection, Route]] = []

    def met(self, connection: Connection) -> None:
        return None

    lost = met

    def route(self, text: bytes, head: Any) -> Route:
        route = Route(head, cast(Any, None))
        if self._is_remembering:
            self.routes[text] = route
        return route

    def admits(self, connection: Connection, route: Route, now: int) -> bool:
        return True

    def take(self, connection: Connection, route: Route, *about: object) -> None:
        if not self._asked:
            asyncio.get_running_loop().call_soon(self._turn)
        self._asked.append((connection, route))

    def _turn(self) -> None:
        asked, self._asked = self._asked, []
        for connection, route in asked:
            body, second = self._known[route.head.path], wall_now() // SECOND_US
            if second != self._reply[0]:
                self._reply = second, REPLY % (formatdate(second, usegmt=True).encode(), len(body), body)
            connection.send(self._reply[1])


async def main(port: int, is_remembering: bool) -> None:
    """Serve until killed."""
    http = cast(Http, Hello(is_remembering))
    server = await asyncio.get_running_loop().create_server(lambda: Connection(http), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), "remembering" in sys.argv[2:]))
