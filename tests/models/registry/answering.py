"""A server that answers by path what a test says, where a real registry could not be brought to say it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GONE = (404, b'{"error_code": "RESOURCE_DOES_NOT_EXIST"}', {})


class Server:
    """Answers what it was given by path, with or without its query, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes, dict[str, str]]] = {}
        self.asked: list[tuple[str, str, bytes, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                path = self.path.partition("?")[0]
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.asked.append((self.command, self.path, body, self.headers.get("Authorization", "")))
                status, content, headers = outer.answers.get(self.path) or outer.answers.get(path, GONE)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = answer  # noqa: N815  # what the library calls

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.http.server_port}"

    def says(self, path: str, content: object, status: int = 200, **headers: str) -> None:
        told = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.answers[path] = (status, told, headers)


@contextmanager
def answering() -> Iterator[Server]:
    """Answers until the end of the block."""
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join()
