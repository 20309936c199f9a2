"""One client's connection: bytes into requests, one after the other, and replies into bytes.

`Http` says what a head leads to and gets every whole body; here is when to read on, when to wait and when to end. A
head that was sent before, as most are, is looked up and not parsed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from gyroscope.clock import SECOND_NS, MachineTime, machine_now
from gyroscope.errors import InputError
from gyroscope.serving.body import ChunkedBody, SizedBody
from gyroscope.serving.head import END, MAX_HEAD_BYTES, Head, read_head, without_id
from gyroscope.serving.plane import Reply

if TYPE_CHECKING:
    from gyroscope.serving.http import Http, Route

IDLE_NS = 75 * SECOND_NS
PATIENCE_NS = 10 * SECOND_NS
"""For a head to come from its first byte to its last, for a reply to be taken, for a body that nobody wants to end."""
LINGER_NS = SECOND_NS
"""So long an ended connection is still read, and what comes is thrown away: the kernel answers unread bytes with a
reset, and the client would never see its reply."""

READING, RECEIVING, ANSWERING, SKIPPING, LEAVING = range(5)

# What a client may send ahead while its request is worked on.
_AHEAD_BYTES = 64 * 1024
# An unread body is taken in and thrown away up to this size, so that the connection lives on.
_SKIPPED_BYTES = 64 * 1024 * 1024
_ENDLESS = -1
_END_BYTES = len(END)


class Connection(asyncio.Protocol):
    """Reading a head, receiving its body, answering, skipping a body that is not wanted, or leaving."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._state = READING
        self._come = b""
        self._route: Route
        self._body: SizedBody | ChunkedBody = SizedBody(0)
        self._unread = 0
        self._is_last = self._is_clogged = self._is_advancing = self._is_paused = False
        self._arrived = machine_now()
        self._due = MachineTime(0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._http.met(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._state, self._come = LEAVING, b""
        self._http.lost(self)

    def data_received(self, data: bytes) -> None:
        if self._state == READING and not self._come:
            # The ordinary request: a whole one, with a head that was sent before but for its id.
            http, end = self._http, data.find(END) + _END_BYTES
            text, request_id = data[:end], ""
            route = http.routes.get(text)
            if route is None:
                text, request_id = without_id(text)
                route = http.routes.get(text)
            if route is not None and len(data) - end == route.head.length:
                self._state, self._route = ANSWERING, route
                self._arrived = arrived = machine_now()
                if http.admits(self, route, arrived):
                    http.take(self, route, data[end:], arrived, request_id)
                return
        if self._state != LEAVING:
            self._come += data
            self._advance()

    def eof_received(self) -> bool:
        """A client that has said all it has to say may still wait for its reply."""
        self._is_last = True
        return self._state == ANSWERING

    def pause_writing(self) -> None:
        self._is_clogged, self._due = True, MachineTime(machine_now() + PATIENCE_NS)
        self._pause_or_resume()

    def resume_writing(self) -> None:
        self._is_clogged = False
        if self._state != LEAVING:
            self._due = MachineTime(0)
        self._advance()

    @property
    def is_last(self) -> bool:
        """Whether the connection ends with the reply in hand."""
        return self._is_last or self._unread == _ENDLESS

    def deliver(self, reply: Reply) -> None:
        """The reply to what `Http` took or refused."""
        self.send(self._http.message(reply, self._is_last or self._unread == _ENDLESS))

    def send(self, message: bytes) -> None:
        """Send a whole reply, then go on with the next request or leave."""
        if self._state == LEAVING:
            return  # the client is gone
        self._transport.write(message)
        if self._is_last or self._unread == _ENDLESS:  # as `is_last`, which costs more to ask
            self._leave()
            return
        self._state = SKIPPING if self._unread else READING
        if self._come or self._unread:
            if self._unread:
                self._due = MachineTime(machine_now() + PATIENCE_NS)
            elif not self._is_clogged:  # else it says until when the reply must have been taken
                self._due = MachineTime(0)
            self._advance()

    def abort(self) -> None:
        """Cut it off: nobody knows any more what its client is owed."""
        self._transport.abort()

    def check(self, now: MachineTime) -> None:
        """Give up on what takes too long."""
        is_late = now >= self._due
        if self._is_clogged or self._state in (SKIPPING, LEAVING):
            if is_late:
                self._transport.abort()
        elif self._state == RECEIVING and is_late:
            error = InputError("the body did not arrive in time", fix="send it faster", status=408)
            self._refuse(error)
        elif self._state == READING and self._come and is_late:
            self._end(InputError("the head did not arrive in time", fix="send it faster", status=408))
        elif self._state == READING and not self._come and now - self._arrived >= IDLE_NS:
            self._leave()

    def drain(self) -> None:
        """End after the request in hand, at once when there is none."""
        self._is_last = True
        if self._state == READING and not self._come:
            self._leave()

    def _advance(self) -> None:
        """Do all that can be done with what has come. A reply may be sent, and this be called, in the middle of it."""
        if self._is_advancing:
            return
        self._is_advancing = True
        try:
            while not self._is_clogged and self._step():
                pass
        finally:
            self._is_advancing = False
        self._pause_or_resume()

    def _step(self) -> bool:
        """One change of state; False when there is none to make."""
        if self._state == READING and self._come:
            return self._read()
        if self._state == RECEIVING:
            return self._receive()
        if self._state == SKIPPING:
            skipped = min(len(self._come), self._unread)
            self._come, self._unread = self._come[skipped:], self._unread - skipped
            if self._unread == 0:
                self._state, self._due = READING, MachineTime(0)
            return self._unread == 0
        if self._state == READING and self._is_last:
            self._leave()
        return False

    def _read(self) -> bool:
        end = self._come.find(END, 0, MAX_HEAD_BYTES)
        if end < 0:
            self._due = self._due or MachineTime(machine_now() + PATIENCE_NS)
            if len(self._come) >= MAX_HEAD_BYTES:
                self._end(InputError(f"the head is larger than {MAX_HEAD_BYTES:,} bytes", status=431))
            return False
        text, self._come = self._come[: end + len(END)], self._come[end + len(END) :]
        try:
            self._route = self._http.routes.get(text) or self._http.route(text, read_head(text))
        except InputError as error:
            self._end(error)
            return False
        return self._begin(self._route.head)

    def _begin(self, head: Head) -> bool:
        self._state, self._due = ANSWERING, MachineTime(0)
        self._arrived = arrived = machine_now()
        self._is_last = self._is_last or not head.keeps
        self._unread = _ENDLESS if head.length is None or head.length > _SKIPPED_BYTES else head.length
        if not self._http.admits(self, self._route, arrived):
            return self._state != ANSWERING
        self._body = ChunkedBody(self._http.cap_bytes) if head.length is None else SizedBody(head.length)
        self._unread = 0
        self._state, self._due = RECEIVING, MachineTime(arrived + self._http.deadline_ns)
        if head.expects and not self._come:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _receive(self) -> bool:
        try:
            rest = self._body.feed(self._come)
        except InputError as error:
            self._refuse(error)
            return False
        if rest is None:
            self._come = b""
            return False
        self._state, self._come, self._due = ANSWERING, rest, MachineTime(0)
        self._http.take(self, self._route, self._body.content, self._arrived)
        return self._state != ANSWERING

    def _refuse(self, error: InputError) -> None:
        """A body that will not be read to its end."""
        self._state, self._unread, self._come = ANSWERING, _ENDLESS, b""
        self._http.refuse(self, self._route, error, self._arrived)

    def _end(self, error: InputError) -> None:
        """What came is no request."""
        self._state, self._unread, self._come = ANSWERING, _ENDLESS, b""
        self._http.complain(self, error)

    def _leave(self) -> None:
        self._state, self._come = LEAVING, b""
        if self._unread and self._transport.can_write_eof():
            self._due = MachineTime(machine_now() + LINGER_NS)
            self._transport.write_eof()
            self._pause_or_resume()
        else:
            self._due = MachineTime(machine_now() + PATIENCE_NS)
            self._transport.close()

    def _pause_or_resume(self) -> None:
        """Take no more than there is a use for, so that the kernel makes the client wait."""
        wanted = self._is_clogged or (self._state == ANSWERING and len(self._come) > _AHEAD_BYTES)
        if wanted == self._is_paused or self._transport.is_closing():
            return
        self._is_paused = wanted
        if wanted:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
