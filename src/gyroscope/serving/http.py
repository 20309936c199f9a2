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
from gyroscope.serving.dialects import Dialect
from gyroscope.serving.keys import ApiKeys
from gyroscope.serving.line import Line
from gyroscope.serving.plane import Call, Pending, Plane, Reply, one_line

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]
Headers = list[Header]

_JSON = (b"content-type", b"application/json")
_CLOSE = (b"connection", b"close")
# An unread body is taken in and thrown away up to this size, so that the client can still read its answer; a larger
# one, or one of unknown size, ends the connection.
_DISCARDED_BYTES = 64 * 1024 * 1024
_MEDIA = (b"", b"application/json", b"application/json; charset=utf-8", b"application/json;charset=utf-8")
_LOGGED = {said: (b"x-logged", said.encode()) for said in ("os", "full", "sampled", "no")}
_LOGGED["off"] = _LOGGED["no"]


class Http:
    """The application. `dialects` in order of preference: the last one words what no path belongs to."""

    def __init__(self, plane: Plane, dialects: Sequence[Dialect], keys: ApiKeys, bodies: BodyReader) -> None:
        self._plane = plane
        self._keys = keys
        self._bodies = bodies
        self._line = Line(plane.limits.max_in_flight)
        self._asks = {path: dialect for dialect in dialects for path in dialect.asks}
        self._pages = {path: page for dialect in dialects for path, page in dialect.pages.items()}
        self._dialects = dialects
        self._version = (b"x-model-version", plane.version.version.encode())

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        dialect = self._asks.get(scope["path"])
        if dialect is not None and scope["method"] == "POST":
            answered = await self._ask(dialect, dict(scope["headers"]), receive)
            if answered is None:
                return  # the client is gone
            status, headers, body = answered
        else:
            status, headers, body = self._page(scope["path"], scope["method"])
            headers += _leftover(dict(scope["headers"]))
        headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _ask(
        self, dialect: Dialect, headers: Mapping[bytes, bytes], receive: Receive
    ) -> tuple[int, Headers, bytes] | None:
        arrived = machine_now()
        if not self._keys.allow(headers.get(b"authorization", b""), arrived):
            error = InputError("no valid API key", where="Authorization", fix="send 'Authorization: Bearer <key>'")
            status, body = dialect.complain(401, one_line(error))
            self._plane.turn_away()
            return status, [_JSON, (b"www-authenticate", b"Bearer"), *_leftover(headers)], body
        call = _call(dialect, headers, arrived)
        try:
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
        headers = [_JSON, (b"x-request-id", reply.request_id.encode()), self._version, _LOGGED[reply.logged]]
        if reply.retry_after_s:
            headers.append((b"retry-after", b"%d" % reply.retry_after_s))
        return headers

    def _check_head(self, headers: Mapping[bytes, bytes]) -> None:
        media = headers.get(b"content-type", b"").strip().lower()
        if media not in _MEDIA:
            raise InputError(
                "this kind of body is not accepted",
                where="Content-Type",
                fix="send application/json (charset=utf-8)",
                status=415,
            )
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise InputError(
                "compressed bodies are not accepted", where="Content-Encoding", fix="send it plain", status=415
            )
        if b"inference-header-content-length" in headers:
            raise InputError(
                "binary tensors are not accepted",
                where="Inference-Header-Content-Length",
                fix="send JSON data (binary_data=False)",
                status=415,
            )
        length = headers.get(b"content-length", b"")
        if length.isdigit():
            # Refused before a byte of it is read. Nothing with 20 digits fits, and it would not be cheap to convert.
            self._bodies.refuse_size(int(length[:20]))

    def _page(self, path: str, method: str) -> tuple[int, Headers, bytes]:
        page = self._pages.get(path)
        if page is not None and method in ("GET", "HEAD"):
            return 200, [_JSON], page
        if page is None and path not in self._asks:
            known = [*self._pages, *self._asks]
            return self._refusal(
                path, 404, GyroscopeError(f"nothing is served at {path[:200]!r}", fix=did_you_mean(path[:200], known))
            )
        allowed = "GET, HEAD" if page is not None else "POST"
        status, headers, body = self._refusal(path, 405, GyroscopeError(f"{path} takes {allowed}"))
        return status, [*headers, (b"allow", allowed.encode())], body

    def _refusal(self, path: str, status: int, error: GyroscopeError) -> tuple[int, Headers, bytes]:
        speaker = self._dialects[0] if path.startswith("/v2") else self._dialects[-1]
        status, body = speaker.complain(status, one_line(error))
        return status, [_JSON], body


def _leftover(headers: Mapping[bytes, bytes], *, is_slow: bool = False) -> Headers:
    length = headers.get(b"content-length", b"0")
    is_small = length.isdigit() and int(length[:20]) <= _DISCARDED_BYTES
    return [] if is_small and not is_slow and b"transfer-encoding" not in headers else [_CLOSE]


def _call(dialect: Dialect, headers: Mapping[bytes, bytes], arrived: MachineTime) -> Call:
    get = headers.get
    return Call(
        dialect,
        arrived,
        wall_now(),
        b"",
        get(b"x-request-id", b"").decode("latin-1"),
        get(b"x-event-time", b"").decode("latin-1"),
        get(b"x-request-timeout-ms", b"").decode("latin-1"),
        get(b"x-entity-key", b"").decode("latin-1"),
    )
