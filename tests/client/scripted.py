"""A real HTTP server on 127.0.0.1 that answers as told: for the cases that a real house shows only when it fails."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Say(NamedTuple):
    """One answer: HTTP, or bytes as they are, or nothing at all but a closed connection."""

    status: int = 200
    body: bytes = b'{"predictions":[0.5]}'
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed
    raw: bytes | None = None
    after_s: float = 0.0


HANG_UP = Say(raw=b"")


class Scripted(ThreadingHTTPServer):
    """Gives its answers in order; the last one again and again."""

    daemon_threads = True
    request_queue_size = (
        128  # of 5, the usual, the kernel drops who comes with many: they try again after 1, 3, 7 seconds
    )

    def __init__(self, answers: list[Say]) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.answers = answers
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        self.connections: set[int] = set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """A client that no longer waits is what some tests are about."""


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Scripted

    def do_POST(self) -> None:
        server = self.server
        body = self.rfile.read(int(self.headers["content-length"]))
        server.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        server.connections.add(self.client_address[1])
        say = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
        time.sleep(say.after_s)
        if say.raw is not None:
            self.wfile.write(say.raw)
            self.close_connection = True
            return
        self.send_response(say.status)
        for name, value in say.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(say.body)))
        self.end_headers()
        self.wfile.write(say.body)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def serving(*answers: Say) -> Iterator[Scripted]:
    server = Scripted(list(answers) or [Say()])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
