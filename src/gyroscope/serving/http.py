"""The HTTP shell: routes, headers and statuses around the plane, as a bare ASGI application.

`replica.py` runs it under uvicorn. One model, so every path is known at the start and a route is a dictionary look-up.
It never parses a body.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from gyroscope.clock import MachineTime, machine_now, wall_now
from gyroscope.errors import GyroscopeError, InputError, OverloadError, did_you_mean
from gyroscope.serving.acknowledgement import until_known
from gyroscope.serving.body import BodyReader, Receive
from gyroscope.serving.dialects import Service
from gyroscope.serving.keys import ApiKeys
from gyroscope.serving.line import Line
from gyroscope.serving.plane import Call, Pending, Plane, Reply, one_line

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]
Headers = list[Header]
Answered = tuple[int, Headers, bytes]

_JSON = (b"content-type", b"application/json")
_JSON_BODY = (_JSON,)
_CLOSE = (b"connection", b"close")
# An unread body is taken in and thrown away up to this size, so that the client can still read its answer; a larger
# one, or one of unknown size, ends the connection.
_DISCARDED_BYTES = 64 * 1024 * 1024
_LOGGED = {said: (b"x-logged", said.encode()) for said in ("os", "full", "sampled", "no")}
_LOGGED["off"] = _LOGGED["no"]


class Http:
    """The application. `services` in order of preference: the last one words what no path belongs to."""

    def __init__(self, plane: Plane, services: Sequence[Service], keys: ApiKeys, bodies: BodyReader) -> None:
        self._plane = plane
        self._keys = keys
        self._bodies = bodies
        self._line = Line(plane.limits.max_in_flight)
        self._asks = {path: service for service in services for path in service.asks}
        self._pages = {path: page for service in services for path, page in service.pages.items()}
        self._services = services
        self._version = (b"x-model-version", plane.version.version.encode())

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        service = self._asks.get(path)
        if service is not None and method == "POST":
            answered = await self._ask(service, dict(scope["headers"]), receive)
        else:
            answered = await self._page(path, method, dict(scope["headers"]), receive)
        if answered is None:
            return  # the client is gone
        status, headers, body = answered
        headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _ask(self, service: Service, headers: Mapping[bytes, bytes], receive: Receive) -> Answered | None:
        arrived = machine_now()
        if not self._keys.allow(headers.get(b"authorization", b""), arrived):
            return self._no_key(service, headers)
        call = _call(service, headers, arrived)
        try:
            call.dialect = service.dialect(headers)
            self._check_head(headers)
            body_or_gone = await self._bodies.read(receive, MachineTime(arrived + self._plane.limits.deadline_ns))
            if body_or_gone is None:
                return None
            call.body = body_or_gone
            await self._line.enter()
        except (InputError, OverloadError) as error:
            reply = await self._settled(self._plane.refuse(call, error))
            unread = [] if call.body else _leftover(headers, is_slow=reply.status == 408)
            return reply.status, [*self._headers(reply), *unread], reply.body
        try:
            answer = self._plane.handle(call)
        finally:
            self._line.leave()
        reply = await self._settled(answer)
        return reply.status, self._headers(reply), reply.body

    async def _settled(self, answer: Reply | Pending) -> Reply:
        if isinstance(answer, Reply):
            return answer
        await until_known(answer.waiting, answer.deadline)
        return self._plane.settle(answer)

    def _headers(self, reply: Reply) -> Headers:
        about = reply.headers or _JSON_BODY
        headers = [*about, (b"x-request-id", reply.request_id.encode()), self._version, _LOGGED[reply.logged]]
        if reply.retry_after_s:
            headers.append((b"retry-after", b"%d" % reply.retry_after_s))
        return headers

    def _check_head(self, headers: Mapping[bytes, bytes]) -> None:
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise InputError(
                "compressed bodies are not accepted", where="Content-Encoding", fix="send it plain", status=415
            )
        length = headers.get(b"content-length", b"")
        if length.isdigit():
            # Refused before a byte of it is read. Nothing with 20 digits fits, and it would not be cheap to convert.
            self._bodies.refuse_size(int(length[:20]))

    async def _page(self, path: str, method: str, headers: Mapping[bytes, bytes], receive: Receive) -> Answered | None:
        page = self._pages.get(path)
        if page is None:
            return self._missing(path, headers)
        if page.method == "GET":
            if method not in ("GET", "HEAD"):
                return self._refusal(path, 405, GyroscopeError(f"{path} takes GET, HEAD"), headers, allow="GET, HEAD")
            return 200, [_JSON, *_leftover(headers)], page.show(b"")
        if method != "POST":
            return self._refusal(path, 405, GyroscopeError(f"{path} takes POST"), headers, allow="POST")
        arrived = machine_now()
        if not self._keys.allow(headers.get(b"authorization", b""), arrived):
            return self._no_key(self._speaker(path), headers)
        try:
            self._check_head(headers)
            body = await self._bodies.read(receive, MachineTime(arrived + self._plane.limits.deadline_ns))
            return None if body is None else (200, [_JSON], page.show(body))
        except InputError as error:
            return self._refusal(path, error.status, error, headers)

    def _missing(self, path: str, headers: Mapping[bytes, bytes]) -> Answered:
        if path in self._asks:
            return self._refusal(path, 405, GyroscopeError(f"{path} takes POST"), headers, allow="POST")
        fix = did_you_mean(path[:200], [*self._pages, *self._asks])
        return self._refusal(path, 404, GyroscopeError(f"nothing is served at {path[:200]!r}", fix=fix), headers)

    def _no_key(self, service: Service, headers: Mapping[bytes, bytes]) -> Answered:
        error = InputError("no valid API key", where="Authorization", fix="send 'Authorization: Bearer <key>'")
        status, body = service.complain(401, one_line(error))
        self._plane.turn_away()
        return status, [_JSON, (b"www-authenticate", b"Bearer"), *_leftover(headers)], body

    def _refusal(
        self, path: str, status: int, error: GyroscopeError, headers: Mapping[bytes, bytes], allow: str = ""
    ) -> Answered:
        status, body = self._speaker(path).complain(status, one_line(error))
        allowed = [(b"allow", allow.encode())] if allow else []
        return status, [_JSON, *allowed, *_leftover(headers, is_slow=status == 408)], body

    def _speaker(self, path: str) -> Service:
        return self._services[0] if path.startswith("/v2") else self._services[-1]


def _leftover(headers: Mapping[bytes, bytes], *, is_slow: bool = False) -> Headers:
    length = headers.get(b"content-length", b"0")
    is_small = length.isdigit() and int(length[:20]) <= _DISCARDED_BYTES
    return [] if is_small and not is_slow and b"transfer-encoding" not in headers else [_CLOSE]


def _call(service: Service, headers: Mapping[bytes, bytes], arrived: MachineTime) -> Call:
    get = headers.get
    return Call(
        service,
        arrived,
        wall_now(),
        b"",
        get(b"x-request-id", b"").decode("latin-1"),
        get(b"x-event-time", b"").decode("latin-1"),
        get(b"x-request-timeout-ms", b"").decode("latin-1"),
        get(b"x-entity-key", b"").decode("latin-1"),
    )
