"""A body on its way, by its length or in chunks; never more of it than the cap.

`connection.py` feeds it what comes from the network. It never looks into a body, and knows nothing of time.
"""

from __future__ import annotations

import re

from gyroscope.errors import InputError

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")
# A line of a chunk's size, or all lines behind the last chunk.
_MAX_LINE_BYTES = 4096


class SizedBody:
    """A body whose length is known; somebody has looked at it before."""

    def __init__(self, length: int) -> None:
        self._missing = length
        self._parts: list[bytes] = []

    def feed(self, data: bytes) -> bytes | None:
        """What is left of `data` behind the body's end; None while the body is not whole."""
        part = data[: self._missing]
        self._parts.append(part)
        self._missing -= len(part)
        return None if self._missing else data[len(part) :]

    @property
    def content(self) -> bytes:
        return b"".join(self._parts)


class ChunkedBody:
    """A body in chunks. What is sent behind the last one, as further headers, is passed over."""

    def __init__(self, cap_bytes: int) -> None:
        self._cap = cap_bytes
        self._come = bytearray()
        self._parts: list[bytes] = []
        self._size = 0
        self._is_ending = False

    def feed(self, data: bytes) -> bytes | None:
        """As `SizedBody.feed`. Raises `InputError`: 413 over the cap, 400 for what is no chunk."""
        self._come += data
        while not self._is_ending:
            if not self._take_chunk():
                return None
        return self._take_end()

    @property
    def content(self) -> bytes:
        return b"".join(self._parts)

    def _take_chunk(self) -> bool:
        """Whether the next chunk, or the mark of the last one, was all there."""
        end = self._line_end()
        if end < 0:
            return False
        match = _SIZE.fullmatch(self._come, 0, end)
        if match is None:
            raise InputError("this is not a chunk of a body", where="Transfer-Encoding", status=400)
        size, begin = int(match[1], 16), end + 2
        refuse_size(self._size + size, self._cap)
        if size == 0:
            del self._come[:begin]
            self._is_ending = True
            return True
        if len(self._come) < begin + size + 2:
            return False
        if self._come[begin + size : begin + size + 2] != b"\r\n":
            raise InputError("a chunk is longer than it says", where="Transfer-Encoding", status=400)
        self._parts.append(bytes(self._come[begin : begin + size]))
        self._size += size
        del self._come[: begin + size + 2]
        return True

    def _take_end(self) -> bytes | None:
        while (end := self._line_end()) > 0:
            del self._come[: end + 2]
        return bytes(self._come[2:]) if end == 0 else None

    def _line_end(self) -> int:
        end = self._come.find(b"\r\n", 0, _MAX_LINE_BYTES)
        if end < 0 and len(self._come) >= _MAX_LINE_BYTES:
            raise InputError("this is not a chunk of a body", where="Transfer-Encoding", status=400)
        return end


def refuse_size(size: int, cap_bytes: int) -> None:
    """Raises `InputError`, 413, when a body of this many bytes is too large."""
    if size > cap_bytes:
        raise InputError(
            f"the body is larger than {cap_bytes:,} bytes",
            fix="split the request, or raise serving.body_mib",
            status=413,
        )
