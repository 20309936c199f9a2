"""A receiver of webhooks that misbehaves as it is told, and remembers every request: for O9 and for tests.

It takes a notification only where it answers 2xx. Each request has a thread; `close` ends those that hang.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

Behave = Callable[[str, int], str]
"""From the key of a request and how often it was seen before to what becomes of it.

A status, with `after SECONDS` behind it a Retry-After; or `hang`, `reset`, `slow SECONDS`, `trickle`, `redirect URL`.
"""


class Request(NamedTuple):
    """One request as it came, and what became of it; when it had come and was answered, in seconds of `monotonic`."""

    path: str
    headers: dict[str, str]
    body: bytes
    became: str
    came_s: float
    ended_s: float


class Receiver:
    """Listens on 127.0.0.1 until it is closed."""

    def __init__(self, behave: Behave = lambda key, seen: "204") -> None:
        self.behave = behave
        self.requests: list[Request] = []
        self.ended = threading.Event()
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def taken(self) -> Counter[str]:
        """How often each key was answered with 2xx."""
        with self._lock:
            return Counter(one.headers["webhook-id"] for one in self.requests if one.became.startswith("2"))

    def meet(self, request: Request) -> str:
        """Decide what becomes of a request."""
        key = request.headers.get("webhook-id", "")
        with self._lock:
            became = self.behave(key, self._seen[key])
            self._seen[key] += 1
        return became

    def note(self, request: Request, became: str) -> None:
        with self._lock:
            self.requests.append(request._replace(became=became, ended_s=time.monotonic()))

    def close(self) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def receiving(behave: Behave = lambda key, seen: "204") -> Iterator[Receiver]:
    """A receiver for as long as the block lasts."""
    receiver = Receiver(behave)
    try:
        yield receiver
    finally:
        receiver.close()


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            if len(body) < length:
                return  # who sent it has died
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.path, headers, body, "", time.monotonic(), 0.0)
            became = receiver.meet(request)
            # What is never answered is noted first, what is answered once the answer is on its way.
            word, _, more = became.partition(" ")
            if word == "slow":
                receiver.ended.wait(float(more))
                word = "204"
            if word in ("hang", "reset", "trickle"):
                receiver.note(request, word)
                getattr(self, f"_{word}")()
                return
            with contextlib.suppress(OSError):
                self._answer(word, more)
                receiver.note(request, word)

        def _answer(self, word: str, more: str) -> None:
            self.send_response(302 if word == "redirect" else int(word))
            if word == "redirect":
                self.send_header("Location", more)
            elif more:
                self.send_header("Retry-After", more.removeprefix("after "))
            self.send_header("Content-Length", "0")
            self.end_headers()
            self.wfile.flush()

        def _hang(self) -> None:
            receiver.ended.wait()

        def _reset(self) -> None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True

        def _trickle(self) -> None:
            with contextlib.suppress(OSError):
                while not receiver.ended.wait(0.02):
                    self.connection.sendall(b"H")

        def log_message(self, *_: object) -> None:
            pass

    return Handler
