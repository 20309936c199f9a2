"""Copies of answered requests: how a replica sends them to a shadow, and how the shadow takes them.

`Http` hands over what it has answered, after the answer has left; one datagram each, which is dropped where it would
have to wait. So a shadow that is slow, stopped or gone costs the champion a failed system call. It answers nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from pathlib import Path

import msgspec

from gyroscope.clock import EventTime, MachineTime, machine_now
from gyroscope.errors import InputError
from gyroscope.serving.dialects import Service
from gyroscope.serving.line import Line
from gyroscope.serving.plane import Call, Reply
from gyroscope.supervisor.pulse import Pulse

NOT_COPIED = frozenset((b"authorization", b"x-canary", b"x-request-timeout-ms", b"x-door-time"))
_ROOM_BYTES = 4 * 1024 * 1024  # asked for; the kernel gives what its limit allows, some 200 KiB


class Target(msgspec.Struct, frozen=True):
    """Whom to send copies of which share of the requests; the content of a replica's mirror file."""

    socket: str
    share: float = 1.0


class Copy(msgspec.Struct, frozen=True, array_like=True):
    """One request as the champion took it, without its key."""

    path: str
    headers: dict[bytes, bytes]
    request_id: str
    arrived_at: EventTime
    body: bytes


class Mirror:
    """The sender. `file` says whom to send to; it is looked at with every beat. Without it nothing is sent."""

    def __init__(self, file: Path, pulse: Pulse) -> None:
        self._file = file
        self._pulse = pulse
        self._stamp = (0, 0)
        self._share, self._due = 1.0, 0.0
        self._link: socket.socket | None = None
        self._address = ""
        self._encode = msgspec.msgpack.Encoder().encode

    @property
    def is_on(self) -> bool:
        """Whether anybody wants copies."""
        return self._link is not None

    def look(self) -> None:
        """See whether somebody else, or nobody, wants copies now."""
        try:
            told = self._file.stat()
            stamp = (told.st_ino, told.st_mtime_ns)
            if stamp == self._stamp:
                return
            target = msgspec.json.decode(self._file.read_bytes(), type=Target)
        except (OSError, msgspec.MsgspecError):
            self.close()
            return
        self.close()
        self._stamp, self._share, self._address = stamp, target.share, target.socket
        self._link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._link.setblocking(False)
        self._link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ROOM_BYTES)

    def send(self, copy: Copy) -> None:
        """Send one, or drop it; never waits."""
        self._due += self._share
        if self._due < 1 or self._link is None:
            return
        self._due -= 1
        try:
            self._link.sendto(self._encode(copy), self._address)
            self._pulse.add("copied")
        except OSError:  # full, gone, or larger than a datagram
            self._pulse.add("copies_lost")

    def close(self) -> None:
        """Send no more."""
        if self._link is not None:
            self._link.close()
        self._link, self._stamp = None, (0, 0)


class Copies:
    """The taker: one copy at a time, the next one when the last is done, as calls of the variant shadow."""

    def __init__(self, path: Path, services: Sequence[Service], line: Line) -> None:
        self._services = {ask: service for service in services for ask in service.asks}
        self._line = line
        self._path = path
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(path))
        self._decode = msgspec.msgpack.Decoder(Copy).decode

    def open(self) -> None:
        """Take copies from now on."""
        asyncio.get_running_loop().add_reader(self._socket, self._take)

    def close(self) -> None:
        """Take no more."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _take(self) -> None:
        with contextlib.suppress(BlockingIOError, msgspec.MsgspecError):
            copy = self._decode(self._socket.recv(_ROOM_BYTES))
            call = self._call(copy, machine_now())
            if call is not None:
                asyncio.get_running_loop().remove_reader(self._socket)
                self._line.enter(call, self._done)

    def _done(self, _: Reply) -> None:
        if self._socket.fileno() >= 0:
            self.open()

    def _call(self, copy: Copy, now: MachineTime) -> Call | None:
        service = self._services.get(copy.path)
        if service is None:  # the path of one version
            return None
        try:
            dialect = service.dialect(copy.headers)
        except InputError:
            return None
        get = copy.headers.get
        return Call(
            dialect,
            now,
            copy.arrived_at,
            copy.body,
            copy.request_id,
            get(b"x-event-time", b"").decode("latin-1"),
            entity_key=get(b"x-entity-key", b"").decode("latin-1"),
            variant="shadow",
        )


def copy_of(path: str, headers: dict[bytes, bytes], request_id: str, arrived_at: EventTime, body: bytes) -> Copy:
    """What is sent of a request: nothing that opens a door, and no deadline that is over."""
    kept = {name: value for name, value in headers.items() if name not in NOT_COPIED}
    return Copy(path, kept, request_id, arrived_at, body)
