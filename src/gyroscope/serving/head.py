"""The head of an HTTP/1.1 request: method, path, headers, and how its body comes.

`connection.py` has a head read once and keeps it for as long as the client sends the same bytes again. What could be
understood in two ways is refused. No body is read here.
"""

from __future__ import annotations

from urllib.parse import unquote

import httptools
import msgspec

from gyroscope.errors import InputError
from gyroscope.ids import MAX_ID

END = b"\r\n\r\n"
MAX_HEAD_BYTES = 16 * 1024
MAX_HEADERS = 100

_ID_LINES = (b"\r\nx-request-id: ", b"\r\nX-Request-Id: ")


class Head(msgspec.Struct, frozen=True):
    """`headers` have names in lower case; `length` is that of the body, None when it comes in chunks.

    `keeps`: the client may send another request on this connection; `expects`: it waits for a word before the body.
    """

    method: str
    path: str
    headers: dict[bytes, bytes]
    length: int | None
    keeps: bool
    expects: bool

    @property
    def has_body(self) -> bool:
        return self.length != 0


def read_head(text: bytes) -> Head:
    r"""Read a head up to and with its empty line.

    >>> read_head(b"GET /v2%2Fa?b=1 HTTP/1.1\r\nHost: x\r\n\r\n").path
    '/v2/a'

    Raises `InputError`, 400 for what is no head, 431 for one that is too long.
    """
    found = _Collector()
    parser = httptools.HttpRequestParser(found)
    try:
        parser.feed_data(text)
    except httptools.HttpParserUpgrade:
        pass  # nothing is spoken here but HTTP/1.1: the wish is passed over, as the protocol allows
    except httptools.HttpParserError as error:
        raise _broken(f"{error}") from None
    version = parser.get_http_version()
    if found.heads != 1 or version not in ("1.0", "1.1"):
        raise _broken("one head of HTTP/1.1 was expected")
    if found.lines > MAX_HEADERS:
        raise InputError(f"the head has more than {MAX_HEADERS} headers", fix="send fewer", status=431)
    headers, is_new = found.headers, version == "1.1"
    if is_new and b"host" not in headers:
        raise _broken("it has no Host")
    return Head(
        method=parser.get_method().decode("ascii"),
        path=_path(found.url),
        headers=headers,
        length=_length(headers, is_new),
        keeps=is_new and b"close" not in headers.get(b"connection", b"").lower(),
        expects=is_new and headers.get(b"expect", b"").lower() == b"100-continue",
    )


def without_id(text: bytes) -> tuple[bytes, str]:
    r"""A head without the value of its X-Request-Id, and that value; what is not plainly written stays where it is.

    >>> without_id(b"GET / HTTP/1.1\r\nx-request-id: a-1\r\n\r\n")
    (b'GET / HTTP/1.1\r\nx-request-id: \r\n\r\n', 'a-1')
    """
    for line in _ID_LINES:
        at = text.find(line) + len(line)
        if at >= len(line):
            end = text.index(b"\r\n", at)
            value = text[at:end].decode("latin-1")
            is_plain = len(value) <= MAX_ID and value.isascii() and value.isprintable() and value == value.strip()
            return (text[:at] + text[end:], value) if is_plain else (text, "")
    return text, ""


class _Collector:
    """What the parser calls."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: dict[bytes, bytes] = {}
        self.lines = 0
        self.heads = 0

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value
        self.lines += 1

    def on_headers_complete(self) -> None:
        self.heads += 1


def _path(url: bytes) -> str:
    try:
        path = httptools.parse_url(url).path or b""
        text = path.decode("ascii")
    except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
        raise _broken("its address is no URL") from None
    return unquote(text) if "%" in text else text


def _length(headers: dict[bytes, bytes], is_new: bool) -> int | None:
    """The parser has refused lengths that are no numbers, two of them, and one beside chunks."""
    coding = headers.get(b"transfer-encoding")
    if coding is None:
        return int(headers.get(b"content-length", b"0"))
    if coding.lower() != b"chunked" or not is_new:
        raise InputError("this transfer coding is not accepted", where="Transfer-Encoding", fix="chunked", status=501)
    return None


def _broken(why: str) -> InputError:
    return InputError(f"this is not an HTTP request: {why}", status=400)
