"""The one gate in front of every page and every call: who asks, from where, and what the answer may do in a browser.

Deny by default: a route is closed unless it is in `OPEN`. `create_app` wraps the whole application in it. It knows no
page, and never writes a key, code or cookie anywhere.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gyroscope.web.hardening import hardened
from gyroscope.web.hosts import is_allowed_host, is_own_origin
from gyroscope.web.keys import Keys

OPEN = frozenset({"/login", "/healthz"})
BODY_CAP_BYTES = 8 * 1_048_576

SAFE_METHODS = frozenset({"GET", "HEAD"})

Caller = Literal["program", "person", "nobody"]


class Gate(msgspec.Struct, frozen=True):
    """What the guard compares with: the keys, the host names that are ours, the cookie's name."""

    keys: Keys
    hosts: frozenset[str]
    cookie: str


class Guard:
    """Wraps an application; what it refuses never reaches it."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # No websocket is served; what is left is the server's own start and stop.
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = refuse(self._gate, scope["method"], scope["path"], headers)
        answer: ASGIApp = refusal or self._app
        await answer(scope, _capped(receive), hardened(send))


def refuse(gate: Gate, method: str, path: str, headers: Headers) -> Response | None:
    """The refusal, or None for a request that may go on."""
    if path == "/healthz":
        return None  # says nothing, and is asked by things that send no Host
    if len(headers.getlist("host")) != 1:
        return _say(400, "one Host header is needed")
    if not is_allowed_host(headers["host"], gate.hosts):
        return _say(421, "this name is not ours", "add it to door.allowed_hosts in gyroscope.yaml")
    if too_large := _too_large(headers):
        return too_large
    if path in OPEN:
        return None
    caller = who(gate, headers)
    if caller == "nobody":
        return _sign_in(headers)
    if caller == "person" and not _from_our_page(method, headers):
        return _say(403, "this request comes from another site")
    return None


def who(gate: Gate, headers: Headers) -> Caller:
    """Programs bring `Authorization: Bearer <api key>`, people the cookie of their session."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme:
        return "program" if scheme.lower() == "bearer" and gate.keys.check(key.strip()) else "nobody"
    token = cookie_parser(headers.get("cookie", "")).get(gate.cookie, "")
    return "person" if token and gate.keys.check_session(token) else "nobody"


def _from_our_page(method: str, headers: Headers) -> bool:
    """Cookies ride along with requests of any page on this host, whatever its port: ask the browser who sent it."""
    site = headers.get("sec-fetch-site", "")
    if method in SAFE_METHODS:
        opens_page = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        return site in ("", "none", "same-origin") or opens_page
    origin = headers.get("origin")
    if origin is None:
        return site == "same-origin"
    return is_own_origin(origin, headers["host"]) and site in ("", "same-origin")


def _too_large(headers: Headers) -> Response | None:
    length = headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit():
        return _say(400, "Content-Length must be a number")
    return _say(413, f"a body may have {BODY_CAP_BYTES} bytes") if int(length) > BODY_CAP_BYTES else None


def _sign_in(headers: Headers) -> Response:
    if "text/html" not in headers.get("accept", ""):
        return JSONResponse({"error": "sign in, or send an API key"}, 401, {"WWW-Authenticate": "Bearer"})
    return HTMLResponse(
        '<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>Gyroscope</title>'
        "<h1>Not signed in</h1><p>Open the link that <code>gyro up</code> prints; it works once, for 15 minutes.</p>",
        401,
    )


def _say(status: int, error: str, fix: str = "") -> Response:
    return JSONResponse({"error": error, "fix": fix} if fix else {"error": error}, status)


def _capped(receive: Receive) -> Receive:
    """Bodies that announce no length are counted as they come; the reader of a body too large sees the client leave."""
    left = BODY_CAP_BYTES

    async def read() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        return message if left >= 0 else {"type": "http.disconnect"}

    return read
