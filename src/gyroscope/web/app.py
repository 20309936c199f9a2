"""The application: the table of routes, behind the guard, and how errors become answers.

Assembly calls `create_app` and serves the result on control's socket (without an access log: login codes are in URLs).
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from gyroscope.errors import GyroscopeError, InputError, ModelError, OverloadError, StoreError
from gyroscope.web import (
    alerts,
    api,
    assets,
    deciding,
    figures,
    incidents,
    labels,
    login,
    metrics,
    pages,
    predictions,
    scale,
    settle,
)
from gyroscope.web.guard import Gate, Guard
from gyroscope.web.hosts import allowed_hosts
from gyroscope.web.parts import Parts, cookie_name

__all__ = ["Parts", "create_app", "routes"]


def create_app(parts: Parts) -> ASGIApp:
    """Everything control serves. What `guard.OPEN` does not list needs a session or an API key."""
    app = Starlette(routes=routes(), exception_handlers=_ANSWERS)
    app.state.parts = parts
    app.state.tries = login.Tries()
    door = parts.settings.door
    return Guard(app, Gate(parts.keys, allowed_hosts(door.host, door.allowed_hosts), cookie_name(parts)))


def routes() -> list[Route]:
    """Every path there is."""
    return [
        Route("/healthz", _healthz),
        Route("/login", login.login),
        Route("/", pages.home),
        Route("/models/{model}", pages.model),
        Route("/models/{model}/facts.json", pages.facts),
        Route("/models/{model}/figures/{name}.json", figures.figure),
        Route("/incidents/{incident}", incidents.incident),
        Route("/static/{name}", assets.asset),
        Route("/v1/predictions", predictions.add_predictions, methods=["POST"]),
        Route("/v1/labels", labels.add_labels, methods=["POST"]),
        Route("/v1/alerts", alerts.alerts),
        Route("/v1/incidents", incidents.incidents),
        Route("/v1/incidents/{incident}", deciding.decide, methods=["POST"]),
        Route("/v1/status", api.status),
        Route("/v1/scale/{model}", scale.scale),
        Route("/v1/settle", settle.settle, methods=["POST"]),
        Route("/v1/signals", api.signals),
        Route("/metrics", metrics.metrics),
    ]


def _healthz(_: Request) -> Response:
    return PlainTextResponse("ok\n")


def _refused(_: Request, error: Exception) -> Response:
    """What, where and fix of our own errors; StoreErrors name paths of the server and stay in its log."""
    if isinstance(error, InputError | OverloadError):
        return JSONResponse({"error": error.what, "where": error.where, "fix": error.fix}, error.status)
    if isinstance(error, ModelError):
        return JSONResponse({"error": error.what, "fix": error.fix}, 404)
    status = 503 if isinstance(error, StoreError) else 422
    what = error.what if isinstance(error, GyroscopeError) else "this cannot be done"
    return JSONResponse({"error": what}, status)


def _too_large(_: Request, __: Exception) -> Response:
    """The guard ends a body at its cap; a client that really left does not read this."""
    return JSONResponse({"error": "the body is too large, or ended early"}, 413, {"Connection": "close"})


def _plain(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    what = {404: "nothing is here", 405: "this cannot be done here"}.get(status, "this cannot be done")
    return JSONResponse({"error": what}, status)


_ANSWERS = {GyroscopeError: _refused, ClientDisconnect: _too_large, HTTPException: _plain}
