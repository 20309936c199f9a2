"""The HTTP shell: what a head leads to, who may ask, and replies as bytes.

`replica.py` gives it to every `Connection`. One model, so every path is known at the start and a route is a dictionary
look-up. It never parses a body, and waits for nothing: a reply is sent from wherever it becomes known.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from email.utils import formatdate
from http import HTTPStatus

import msgspec

from gyroscope.clock import SECOND_NS, SECOND_US, EventTime, MachineTime, machine_now, wall_now
from gyroscope.errors import GyroscopeError, InputError, did_you_mean
from gyroscope.predictions.segments.wal import Variant
from gyroscope.serving.body import refuse_size
from gyroscope.serving.connection import Connection
from gyroscope.serving.copies import Mirror, copy_of
from gyroscope.serving.dialects import Dialect, Headers, OneRow, Page, Service
from gyroscope.serving.express import TOGETHER, Asked, Express
from gyroscope.serving.head import Head, without_id
from gyroscope.serving.keys import ApiKeys
from gyroscope.serving.line import Deliver, Line
from gyroscope.serving.plane import Call, Plane, Reply
from gyroscope.serving.wording import one_line

LOG = logging.getLogger(__name__)

_JSON: Headers = ((b"content-type", b"application/json"),)
_JSON_LINE = b"content-type: application/json\r\n"
# Heads differ by the length of the body, the key, and little else.
_REMEMBERED, _REMEMBERED_BYTES = 1_000, 2_048
MANY = 4
"""Where so many came in one turn, more have come while they were read: the loop looks once more, as long as it finds
some. Fewer are answered at once."""

_SAYS = {"os": b"os", "full": b"full", "sampled": b"sampled", "no": b"no", "off": b"no"}


class Route(msgspec.Struct, frozen=True):
    """Where a head leads and what of it a call needs; as good for the next request that has the same head.

    `dialect` is there when the model is asked, `page` for other paths; `refusal` says why a body is not wanted.
    `express` is the dialect again when nothing but an id is in the head that an answer would depend on.
    """

    head: Head
    service: Service
    dialect: Dialect | None = None
    page: Page | None = None
    refusal: InputError | None = None
    needs_key: bool = False
    authorization: bytes = b""
    request_id: str = ""
    event_time: str = ""
    timeout_ms: str = ""
    entity_key: str = ""
    door_time: str = ""
    variant: Variant = "live"
    express: OneRow | None = None


class Http:
    """The application. `services` in order of preference: the last one words what no path belongs to."""

    def __init__(
        self,
        plane: Plane,
        services: Sequence[Service],
        keys: ApiKeys,
        line: Line,
        express: Express | None = None,
        mirror: Mirror | None = None,
    ) -> None:
        self.cap_bytes = plane.limits.body_bytes
        self.deadline_ns = plane.limits.deadline_ns
        self.routes: dict[bytes, Route] = {}
        self._plane = plane
        self._keys = keys
        self._line = line
        self._express = express
        self._asked: list[Asked] = []
        self._seen = 0
        self._mirror = mirror
        self._asks = {path: service for service in services for path in service.asks}
        self._pages = {path: page for service in services for path, page in service.pages.items()}
        self._services = services
        self._version = plane.version.version.encode()
        self._canary = f"{plane.version.model}-{plane.version.version}".encode()
        self._connections: set[Connection] = set()
        self._is_draining = False
        self._is_empty = asyncio.Event()
        self._second = 0
        self._starts: dict[tuple[int, str, int, bool], bytes] = {}
        self._date = b""
        self._read_date()

    def met(self, connection: Connection) -> None:
        """A client has come."""
        self._connections.add(connection)
        if self._is_draining:
            connection.drain()

    def lost(self, connection: Connection) -> None:
        """A client is gone."""
        self._connections.discard(connection)
        if not self._connections:
            self._is_empty.set()

    def beat(self, now: MachineTime) -> None:
        """Several times a second: end what takes too long, and look at the date."""
        for connection in tuple(self._connections):
            connection.check(now)
        if self._mirror is not None:
            self._mirror.look()
        self._read_date()

    async def drain(self, patience_s: float) -> None:
        """Answer what has been begun and end every connection; those that take longer are cut off."""
        self._is_draining = True
        for connection in tuple(self._connections):
            connection.drain()
        until = machine_now() + round(patience_s * SECOND_NS)
        while self._connections and machine_now() < until:
            self._is_empty.clear()
            try:
                await asyncio.wait_for(self._is_empty.wait(), (until - machine_now()) / SECOND_NS)
            except TimeoutError:
                break

    def route(self, text: bytes, head: Head) -> Route:
        """Where a head leads. It is remembered, without its id, when the next request may well have the same."""
        route = self._find(head)
        text, request_id = without_id(text)
        is_plain = route.dialect is not None and head.keeps and head.length and not head.expects
        if is_plain and request_id == route.request_id and not route.event_time and len(text) <= _REMEMBERED_BYTES:
            if len(self.routes) >= _REMEMBERED:
                self.routes.clear()
            around = route.event_time or route.timeout_ms or route.entity_key or route.door_time
            is_plain = not around and route.variant == "live"
            known = self._express.dialects if self._express is not None and is_plain else ()
            fitting = next((one for one in known if one is route.dialect), None)
            self.routes[text] = msgspec.structs.replace(route, request_id="", express=fitting)
        return route

    def _find(self, head: Head) -> Route:
        service, page = self._asks.get(head.path), self._pages.get(head.path)
        asks = service is not None and head.method == "POST"
        if not asks and (page is None or page.method != "POST" or head.method != "POST"):
            return Route(head, service or self._speaker(head.path), page=page)
        service = service if service is not None and asks else self._speaker(head.path)
        dialect: Dialect = service
        refusal = None
        try:
            dialect = service.dialect(head.headers) if asks else service
            _check(head, self.cap_bytes)
        except InputError as error:
            refusal = error.with_traceback(None)  # it may be remembered, and would keep frames alive
        get = head.headers.get
        return Route(
            head,
            service,
            dialect if asks else None,
            page,
            refusal,
            True,
            get(b"authorization", b""),
            get(b"x-request-id", b"").decode("latin-1"),
            get(b"x-event-time", b"").decode("latin-1"),
            get(b"x-request-timeout-ms", b"").decode("latin-1"),
            get(b"x-entity-key", b"").decode("latin-1"),
            get(b"x-door-time", b"").decode("latin-1"),
            "canary" if get(b"x-canary", b"") == self._canary else "live",
        )

    def admits(self, connection: Connection, route: Route, now: MachineTime) -> bool:
        """Whether the body is wanted; if not, the reply is sent or on its way."""
        if not route.needs_key:
            connection.send(self._tell(route, connection.is_last))
        elif not self._keys.allow(route.authorization, now):
            self._plane.turn_away()
            error = InputError("no valid API key", where="Authorization", fix="send 'Authorization: Bearer <key>'")
            header = ((b"www-authenticate", b"Bearer"),)
            connection.send(self._refusal(route, 401, error, connection.is_last, header))
        elif route.refusal is not None:
            self.refuse(connection, route, route.refusal, now)
        else:
            return True
        return False

    def take(
        self, connection: Connection, route: Route, body: bytes, arrived: MachineTime, request_id: str = ""
    ) -> None:
        """Have a whole request answered; an id that is given is that of the head that was not read again."""
        # Once a turn: `Express` looks again before it begins.
        if route.express is not None and (self._asked or self._line.is_free):
            if not self._asked:
                # Not at once: what came in the same turn of the loop shares what is done once, and so do its replies.
                asyncio.get_running_loop().call_soon(self._turn)
            self._asked.append((route.express, body, arrived, request_id, connection, route))
        else:
            self._enter(connection, route, body, arrived, request_id)

    def _turn(self) -> None:
        """Answer the ordinary requests of the turn that is over; then what is not so ordinary goes to the line."""
        if self._seen < len(self._asked) < TOGETHER and len(self._asked) >= MANY:
            self._seen = len(self._asked)
            asyncio.get_running_loop().call_soon(self._turn)
            return
        left, self._asked, self._seen = self._asked, [], 0
        is_copied = self._mirror is not None and self._mirror.is_on
        others: list[Asked] = []
        while left:
            asked, left = left[:TOGETHER], left[TOGETHER:]
            for one, reply in zip(asked, self._answer(asked), strict=True):
                _, body, _, _, connection, route = one
                if reply is None:
                    others.append(one)
                    continue
                try:
                    connection.deliver(reply)  # and what this client has sent since, which may be about anything
                except Exception:
                    LOG.exception("a reply met a fault of the replica's own")
                    connection.abort()
                if is_copied:
                    self._copy(route, reply.request_id, wall_now(), body)
        for _, body, arrived, request_id, connection, route in others:
            self._enter(connection, route, body, arrived, request_id)

    def _answer(self, asked: Sequence[Asked]) -> list[Reply | None]:
        assert self._express is not None, "routes say so"
        try:
            return self._express.answer(asked)
        except Exception:
            LOG.exception("ordinary requests met a fault of the replica's own")
            return [None] * len(asked)  # the line asks about each by itself, and answers a fault to its own alone

    def _enter(self, connection: Connection, route: Route, body: bytes, arrived: MachineTime, request_id: str) -> None:
        if route.dialect is not None:
            call = _call(route, route.dialect, arrived, body, request_id)
            deliver: Deliver = connection.deliver
            if self._mirror is not None and self._mirror.is_on and route.variant == "live":
                deliver = self._copying(route, call, deliver)
            self._line.enter(call, deliver)
        elif route.page is not None:
            try:
                shown = route.page.show(body)
            except InputError as error:
                self.refuse(connection, route, error, arrived)
            else:
                connection.send(self._compose(200, _JSON, shown, connection.is_last))

    def _copying(self, route: Route, call: Call, deliver: Deliver) -> Deliver:
        def delivered(reply: Reply) -> None:
            deliver(reply)
            if reply.status == 200:
                self._copy(route, reply.request_id, call.arrived_at, call.body)

        return delivered

    def _copy(self, route: Route, request_id: str, arrived_at: EventTime, body: bytes) -> None:
        """In the next round of the loop: what was written in this one leaves first."""
        if self._mirror is not None:
            copy = copy_of(route.head.path, route.head.headers, request_id, arrived_at, body)
            asyncio.get_running_loop().call_soon(self._mirror.send, copy)

    def refuse(self, connection: Connection, route: Route, error: InputError, arrived: MachineTime) -> None:
        """Answer a request whose body is not wanted, or cannot be had."""
        if route.dialect is None:
            connection.send(self._refusal(route, error.status, error, connection.is_last))
            return
        self._line.refuse(_call(route, route.dialect, arrived), error, connection.deliver)

    def complain(self, connection: Connection, error: InputError) -> None:
        """Answer what is no request; the connection ends with it."""
        self._plane.turn_away()
        status, body = self._services[0].complain(error.status, one_line(error))
        connection.send(self._compose(status, _JSON, body, is_last=True))

    def message(self, reply: Reply, is_last: bool) -> bytes:
        """A reply of the plane as bytes, in one piece."""
        known = (reply.status, reply.logged, reply.retry_after_s, is_last)
        start = self._starts.get(known) or self._start(reply, is_last)
        if reply.headers:
            start = start.replace(_JSON_LINE, _lines(reply.headers))
        body = reply.body
        return b"%bx-request-id: %b\r\ncontent-length: %d\r\n\r\n%b" % (
            start,
            reply.request_id.encode(),
            len(body),
            body,
        )

    def _start(self, reply: Reply, is_last: bool) -> bytes:
        """The lines that are the same for many replies, until the second is over."""
        headers: Headers = (*_JSON, (b"x-model-version", self._version), (b"x-logged", _SAYS[reply.logged]))
        if reply.retry_after_s:
            headers = (*headers, (b"retry-after", b"%d" % reply.retry_after_s))
        start = self._starts[reply.status, reply.logged, reply.retry_after_s, is_last] = self._head(
            reply.status, headers, is_last
        )
        return start

    def _head(self, status: int, headers: Headers, is_last: bool) -> bytes:
        first = b"HTTP/1.1 %d %b\r\ndate: %b\r\n" % (status, HTTPStatus(status).phrase.encode(), self._date)
        return first + _lines(headers) + (b"connection: close\r\n" if is_last else b"")

    def _compose(self, status: int, headers: Headers, body: bytes, is_last: bool, is_head: bool = False) -> bytes:
        length = b"content-length: %d\r\n\r\n" % len(body)
        return self._head(status, headers, is_last) + length + (b"" if is_head else body)

    def _tell(self, route: Route, is_last: bool) -> bytes:
        head, page = route.head, route.page
        if page is not None and page.method == "GET" and head.method in ("GET", "HEAD"):
            return self._compose(200, _JSON, page.show(b""), is_last, head.method == "HEAD")
        if page is None and head.path not in self._asks:
            path = head.path[:200]
            fix = did_you_mean(path, [*self._pages, *self._asks])
            return self._refusal(route, 404, GyroscopeError(f"nothing is served at {path!r}", fix=fix), is_last)
        takes = "GET, HEAD" if page is not None and page.method == "GET" else "POST"
        error = GyroscopeError(f"{head.path} takes {takes}")
        return self._refusal(route, 405, error, is_last, ((b"allow", takes.encode()),))

    def _refusal(self, route: Route, status: int, error: GyroscopeError, is_last: bool, headers: Headers = ()) -> bytes:
        status, body = route.service.complain(status, one_line(error))
        return self._compose(status, (*_JSON, *headers), body, is_last, route.head.method == "HEAD")

    def _speaker(self, path: str) -> Service:
        return self._services[0] if path.startswith("/v2") else self._services[-1]

    def _read_date(self) -> None:
        second = wall_now() // SECOND_US
        if second != self._second:
            self._second, self._date = second, formatdate(second, usegmt=True).encode()
            self._starts.clear()


def _call(route: Route, dialect: Dialect, arrived: MachineTime, body: bytes = b"", request_id: str = "") -> Call:
    return Call(
        dialect,
        arrived,
        wall_now(),
        body,
        request_id or route.request_id,
        route.event_time,
        route.timeout_ms,
        route.entity_key,
        route.door_time,
        route.variant,
    )


def _check(head: Head, cap_bytes: int) -> None:
    """Raises `InputError` when the body of an ask cannot be read, before a byte of it is."""
    if head.headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise InputError(
            "compressed bodies are not accepted", where="Content-Encoding", fix="send it plain", status=415
        )
    refuse_size(head.length or 0, cap_bytes)


def _lines(headers: Headers) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)
