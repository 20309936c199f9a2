"""Carrying out the steps of a conversation with plain sockets; any number of threads may share one `Sockets`.

`Client` uses it. Each request in flight has a connection of its own, and the next one takes it over.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
from collections import deque

from gyroscope.client.conversation import Exchange, Outcome, Step, Steps, T
from gyroscope.client.wire import Origin, ReplyReader, lost
from gyroscope.clock import SECOND_NS, MachineTime, machine_now, sleep

_PIECE = 262_144


class Sockets:
    """Connections to one origin."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._tls = ssl.create_default_context() if origin.scheme == "https" else None
        self._idle: deque[socket.socket] = deque()
        self._owner = os.getpid()

    def run(self, steps: Steps[T]) -> T:
        """Do what the conversation says until it ends; returns or raises what it does."""
        try:
            step = next(steps)
            while True:
                step = steps.send(self._do(step))
        except StopIteration as ended:
            result: T = ended.value
            return result

    def close(self) -> None:
        """Close what is idle; what is in use closes when it is handed back by nobody."""
        while self._idle:
            self._idle.pop().close()

    def _do(self, step: Step) -> Outcome | None:
        if isinstance(step, Exchange):
            return self._exchange(step)
        sleep(step.seconds)
        return None

    def _exchange(self, step: Exchange) -> Outcome:
        link: socket.socket | None = None
        reader = ReplyReader()
        try:
            link = self._connected(step.deadline)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may have answered before it read all
                link.sendall(step.request)
            while not reader.feed(self._received(link, step.deadline)):
                pass
        except BaseException as error:
            if link is not None:
                link.close()
            if isinstance(error, OSError):
                return lost(error)
            raise
        if reader.keeps_alive:
            self._idle.append(link)
        else:
            link.close()
        assert reader.reply is not None  # feed() said so
        return reader.reply

    def _connected(self, deadline: MachineTime) -> socket.socket:
        """An idle connection that its peer has not closed, else a new one."""
        if self._owner != os.getpid():
            # After a fork both processes would read each other's replies.
            self._idle, self._owner = deque(), os.getpid()
        while True:
            try:
                link = self._idle.pop()
            except IndexError:
                return self._connect(deadline)
            if not _is_readable(link):
                link.settimeout(_left_s(deadline))
                return link
            link.close()

    def _connect(self, deadline: MachineTime) -> socket.socket:
        link = socket.create_connection((self._origin.host, self._origin.port), _left_s(deadline))
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._tls.wrap_socket(link, server_hostname=self._origin.host) if self._tls else link

    def _received(self, link: socket.socket, deadline: MachineTime) -> bytes:
        link.settimeout(_left_s(deadline))
        data = link.recv(_PIECE)
        if not data:
            raise ConnectionError("the connection closed before the answer")
        return data


def _is_readable(link: socket.socket) -> bool:
    """Whether something came, or the end; on an idle connection both mean that it is of no more use."""
    ready = select.poll()
    ready.register(link, select.POLLIN)
    return bool(ready.poll(0))


def _left_s(deadline: MachineTime) -> float:
    """Raises `TimeoutError` when nothing is left."""
    left = (deadline - machine_now()) / SECOND_NS
    if left <= 0:
        raise TimeoutError
    return left
