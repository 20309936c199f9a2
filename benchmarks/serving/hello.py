"""The chosen HTTP server and nothing behind it: our own connection, every whole request answered with one constant.

`python -m benchmarks.serving.hello PORT`; what a request costs here is what HTTP itself costs ours.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, cast

import uvloop

from gyroscope.serving.connection import Connection
from gyroscope.serving.http import Http, Route

BODY = b'{"outputs":[{"data":[0.5]}]}'
REPLY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)


class Hello:
    """What a connection asks of an `Http`, done as shortly as can be."""

    cap_bytes, deadline_ns = 1 << 20, 1_000_000_000

    def __init__(self) -> None:
        self.routes: dict[bytes, Route] = {}

    def met(self, connection: Connection) -> None:
        return None

    lost = met

    def route(self, text: bytes, head: Any) -> Route:
        route = self.routes[text] = Route(head, cast(Any, None))
        return route

    def admits(self, connection: Connection, route: Route, now: int) -> bool:
        return True

    def take(self, connection: Connection, *about: object) -> None:
        connection.send(REPLY)


async def main(port: int) -> None:
    """Serve until killed."""
    http = cast(Http, Hello())
    server = await asyncio.get_running_loop().create_server(lambda: Connection(http), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
