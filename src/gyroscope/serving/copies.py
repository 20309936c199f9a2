"""Copies of answered requests: how a replica sends them to a shadow, and how the shadow takes them.

`Http` hands over what it has answered, after the answer has left; one message each, which is dropped where it would
have to wait. So a shadow that is slow, stopped or gone costs the champion a failed system call. It answers nobody.

The sockets are connected: of datagrams sent to an address the kernel lets ten wait, whatever room they have.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
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
_ROOM_BYTES = 4 * 1024 * 1024  # asked for; the kernel gives what its limit allows (net.core.wmem_max)
_ACCEPT_AGAIN_S = 1.0
_BACKLOG = 64  # replicas of one champion that connect at once


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
        return bool(self._address)

    def look(self) -> None:
        """See whether somebody else, or nobody, wants copies now."""
        try:
            told = self._file.stat()
            stamp = (told.st_ino, told.st_mtime_ns)
            if stamp == self._stamp:
                if self._link is None:
                    self._connect()
                return
            target = msgspec.json.decode(self._file.read_bytes(), type=Target)
        except (OSError, msgspec.MsgspecError):
            self.close()
            return
        self.close()
        self._stamp, self._share, self._address = stamp, target.share, target.socket
        self._connect()

    def send(self, copy: Copy) -> None:
        """Send one, or drop it; never waits."""
        self._due += self._share
        if self._due < 1 or not self._address:
            return
        self._due -= 1
        try:
            if self._link is None:
                raise ConnectionError
            self._link.send(self._encode(copy))
            self._pulse.add("copied")
        except OSError as error:  # full, gone, or larger than the room
            self._pulse.add("copies_lost")
            if isinstance(error, ConnectionError):
                self._disconnect()

    def _connect(self) -> None:
        link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        link.setblocking(False)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ROOM_BYTES)
        try:
            link.connect(self._address)
        except OSError:  # it starts, or is gone: tried again with the next beat
            link.close()
        else:
            self._link = link

    def _disconnect(self) -> None:
        if self._link is not None:
            self._link.close()
        self._link = None

    def close(self) -> None:
        """Send no more."""
        self._disconnect()
        self._address, self._stamp = "", (0, 0)


class Copies:
    """The taker: one copy at a time, the next one when the last is done, as calls of the variant shadow."""

    def __init__(self, path: Path, services: Sequence[Service], line: Line) -> None:
        self._services = {ask: service for service in services for ask in service.asks}
        self._line = line
        self._path = path
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.setblocking(False)
        self._listener.bind(str(path))
        self._listener.listen(_BACKLOG)
        self._links = deque[socket.socket]()
        self._room = memoryview(bytearray(_ROOM_BYTES))
        self._is_busy = False
        self._decode = msgspec.msgpack.Decoder(Copy).decode

    def open(self) -> None:
        """Take copies from now on."""
        asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def close(self) -> None:
        """Take no more."""
        self._listen(False)
        asyncio.get_running_loop().remove_reader(self._listener)
        for link in (self._listener, *self._links):
            link.close()
        self._links.clear()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            link = self._listener.accept()[0]
        except BlockingIOError:  # it has gone again
            return
        except OSError:  # no file descriptor is left: whoever waits there waits a little longer
            loop.remove_reader(self._listener)
            loop.call_later(_ACCEPT_AGAIN_S, self._open_again)
            return
        link.setblocking(False)
        self._links.append(link)
        if not self._is_busy:
            loop.add_reader(link, self._take)

    def _open_again(self) -> None:
        if self._listener.fileno() >= 0:
            self.open()

    def _listen(self, is_wanted: bool) -> None:
        loop = asyncio.get_running_loop()
        for link in self._links:
            if is_wanted:
                loop.add_reader(link, self._take)
            else:
                loop.remove_reader(link)

    def _take(self) -> None:
        """Work on one, or wait for more where nobody has any. Who was served stands behind the others."""
        self._listen(False)
        self._is_busy = False
        try:
            self._is_busy = any(self._work(self._links.popleft()) for _ in range(len(self._links)))
        finally:
            if not self._is_busy:
                self._listen(True)

    def _work(self, link: socket.socket) -> bool:
        """Begin with what a sender sent; whether there is such."""
        message = self._message(link)
        if message is None:
            link.close()
            return False
        self._links.append(link)
        with contextlib.suppress(msgspec.MsgspecError):
            call = self._call(self._decode(message), machine_now()) if message else None
            if call is not None:
                self._line.enter(call, self._done)
                return True
        return False

    def _message(self, link: socket.socket) -> memoryview | None:
        """The next one; empty when there is none, None when the sender has gone."""
        try:
            return self._room[: link.recv_into(self._room)] or None
        except BlockingIOError:
            return self._room[:0]
        except OSError:
            return None

    def _done(self, _: Reply) -> None:
        asyncio.get_running_loop().call_soon(self._take)

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
