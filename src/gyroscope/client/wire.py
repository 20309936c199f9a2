"""HTTP/1.1 as bytes: the head of a request, the reply fed piece by piece. No socket is touched here.

Both drivers, `blocking.py` and `asynchronous.py`, read through a `ReplyReader`.
"""

from __future__ import annotations

from collections.abc import Mapping

import httptools
import msgspec

from gyroscope.errors import InputError


class Origin(msgspec.Struct, frozen=True):
    """Where a server listens."""

    scheme: str
    host: str
    port: int

    @property
    def address(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class Reply(msgspec.Struct, frozen=True):
    """A whole answer; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Lost(msgspec.Struct, frozen=True):
    """There is no whole answer: nobody listens, the connection broke, or time ran out."""

    why: str
    is_late: bool = False


def lost(error: OSError) -> Lost:
    """What an exchange came to that ended in this error.

    >>> lost(ConnectionError("the peer went away"))
    Lost(why='the peer went away', is_late=False)
    """
    if isinstance(error, TimeoutError):
        return Lost("time ran out", is_late=True)
    return Lost(error.strerror or str(error))


def head(method: str, path: str, headers: Mapping[str, str]) -> bytes:
    """Everything before the body.

    >>> head("GET", "/v2", {"Host": "a"})
    b'GET /v2 HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n'

    Raises `InputError` for a value that would end its line or is not ASCII.
    """
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise InputError("this cannot be sent in a header", where=name, fix="printable ASCII characters only")
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("ascii")


class ReplyReader:
    """One reply; `reply` is there when it is whole."""

    def __init__(self) -> None:
        self.reply: Reply | None = None
        self.keeps_alive = False
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> bool:
        """Whether the reply is whole. Raises `ConnectionError` for what is not HTTP."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise ConnectionError(f"the reply is not HTTP: {error}") from error
        return self.reply is not None

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self.keeps_alive = self._parser.should_keep_alive()
        self.reply = Reply(self._parser.get_status_code(), self._headers, b"".join(self._body))
