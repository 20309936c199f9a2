"""Requests below HTTP: what no client library would send, and what must come of it. The replica and the door get all.

`corpus` names bytes; `send` speaks them over a socket that somebody else opened. Where a request is hidden in another,
a second reply, or one about `SECRET`, would show that it was found.
"""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Iterable, Iterator
from itertools import chain, repeat, takewhile
from typing import NamedTuple

SECRET = "/v2/models/flights/smuggled"
REFUSALS = {400, 401, 404, 405, 408, 413, 414, 415, 417, 422, 431, 501, 505}

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
_CHUNKED = b"Transfer-Encoding: chunked"
_HIDDEN = b"GET " + SECRET.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n"


class Said(NamedTuple):
    """What came back: statuses in order and all bytes; whether there were bytes that nobody took any more."""

    statuses: list[int]
    text: bytes
    is_cut: bool


def send(connection: socket.socket, pieces: Iterable[bytes], wait_s: float = 1.0, give_up_s: float = 20.0) -> Said:
    """Speak until the other side hangs up or all is said; then listen until it has been silent for a while."""
    text, is_cut, until = b"", False, time.monotonic() + give_up_s
    connection.settimeout(wait_s)
    try:
        for piece in takewhile(lambda _: time.monotonic() < until, pieces):
            connection.sendall(piece)
    except OSError:
        is_cut = True
    with contextlib.suppress(OSError):
        while part := connection.recv(1 << 16):
            text += part
    return Said([int(status) for status in _STATUS.findall(text)], text, is_cut)


def _smuggle(ask: bytes, *lines: bytes) -> list[bytes]:
    """A body that is read in two ways, with a request in what one of them leaves over."""
    return [ask + b"\r\n".join(lines) + b"\r\n\r\n0\r\n\r\n" + _HIDDEN]


def endless(ask: bytes) -> dict[str, Iterator[bytes]]:
    """What never ends by itself."""
    return {
        "chunks without end": chain([ask + _CHUNKED + b"\r\n\r\n"], repeat(b"400\r\n" + b" " * 1024 + b"\r\n")),
        "a chunk's size without end": chain([ask + _CHUNKED + b"\r\n\r\n1;"], repeat(b"a" * 4096)),
        "a head without end": chain([ask + b"X: "], repeat(b"a" * 4096)),
    }


def corpus(ask: bytes) -> dict[str, Iterable[bytes]]:
    """Everything else. `ask` is the head of a sound request, its key included, without its last lines."""
    return {**_sizes(ask), **_grammar(ask), **_hidden(ask)}


def _sizes(ask: bytes) -> dict[str, Iterable[bytes]]:
    return {
        "100,000 headers": [ask, b"".join(b"X-%d: 1\r\n" % at for at in range(100_000)), b"\r\n"],
        "101 headers": [ask, b"".join(b"X-%d: 1\r\n" % at for at in range(101)), b"\r\n"],
        "a header of a megabyte": [ask, b"X: ", b"a" * 1_000_000, b"\r\n\r\n"],
        "a path of 20,000 letters": [b"GET /", b"a" * 20_000, b" HTTP/1.1\r\nHost: x\r\n\r\n"],
        "10 GB announced": [ask + b"Content-Length: 10000000000\r\n\r\n{}"],
        "a length of 30 digits": [ask + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n{}"],
        "a length below zero": [ask + b"Content-Length: -1\r\n\r\n"],
        "a length with a plus": [ask + b"Content-Length: +2\r\n\r\n{}"],
        "a length in hex": [ask + b"Content-Length: 0x2\r\n\r\n{}"],
        "a chunk below zero": [ask + _CHUNKED + b"\r\n\r\n-1\r\n\r\n"],
        "a chunk of 2^64": [ask + _CHUNKED + b"\r\n\r\nFFFFFFFFFFFFFFFFF\r\nx"],
        "a chunk with 0x": [ask + _CHUNKED + b"\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n"],
        "a chunk longer than it says": [ask + _CHUNKED + b"\r\n\r\n2\r\n{}{}\r\n0\r\n\r\n"],
        "trailers of a megabyte": [ask + _CHUNKED + b"\r\n\r\n0\r\n", b"X: a\r\n" * 180_000],
    }


def _grammar(ask: bytes) -> dict[str, Iterable[bytes]]:
    return {
        "lines that end in LF alone": [ask.replace(b"\r\n", b"\n") + b"Content-Length: 0\n\r\n\r\n"],
        "a lone CR in a header": [ask + b"X: a\rTransfer-Encoding: chunked\r\n\r\n"],
        "NUL in a header": [ask + b"X: a\0b\r\nContent-Length: 0\r\n\r\n"],
        "NUL in a name": [ask + b"X\0: a\r\nContent-Length: 0\r\n\r\n"],
        "blank before the colon": [ask + b"Content-Length : 0\r\n\r\n"],
        "two hosts": [ask + b"Host: y\r\nContent-Length: 0\r\n\r\n"],
        "no host": [b"GET /v2/health/live HTTP/1.1\r\n\r\n"],
        "no version": [b"GET /v2/health/live\r\n\r\n"],
        "HTTP/3.7": [b"GET /v2/health/live HTTP/3.7\r\nHost: x\r\n\r\n"],
        "HTTP/2": [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
        "TLS": [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2 + b"\r\n\r\n"],
        "CONNECT": [b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n"],
        "nothing but line ends": [b"\r\n" * 50_000],
        "nothing but zeros": [b"\0" * 100_000],
    }


def _hidden(ask: bytes) -> dict[str, Iterable[bytes]]:
    long = b"Content-Length: %d" % (5 + len(_HIDDEN))
    return {
        "CL.TE": _smuggle(ask, long, _CHUNKED),
        "TE.CL": _smuggle(ask, _CHUNKED, long),
        "two lengths": _smuggle(ask, b"Content-Length: 5", long),
        "two lengths in one line": _smuggle(ask, b"Content-Length: 5, %d" % (5 + len(_HIDDEN))),
        "two codings": _smuggle(ask, _CHUNKED, b"Transfer-Encoding: identity", long),
        "codings in a row": _smuggle(ask, b"Transfer-Encoding: gzip, chunked", long),
        "a coding that is nearly one": _smuggle(ask, b"Transfer-Encoding: xchunked", long),
        "a coding behind a tab": _smuggle(ask, b"Transfer-Encoding:\x0bchunked", long),
        "a coding with a blank before the colon": _smuggle(ask, b"Transfer-Encoding : chunked", long),
        "a coding on the next line": _smuggle(ask, b"Transfer-Encoding:\r\n chunked", long),
        "a coding in quotes": _smuggle(ask, b'Transfer-Encoding: "chunked"', long),
        "chunks in HTTP/1.0": [piece.replace(b"HTTP/1.1", b"HTTP/1.0", 1) for piece in _smuggle(ask, _CHUNKED, long)],
    }
