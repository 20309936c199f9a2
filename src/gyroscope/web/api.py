"""The calls for programs that read: status and signals as JSON.

Thin: parse, ask one store, format.
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gyroscope.clock import EventTime, iso, parse_event_time
from gyroscope.errors import InputError
from gyroscope.records import NotEnoughData, Signal
from gyroscope.web.overview import overview
from gyroscope.web.parts import Parts

MOST_SIGNALS = 100_000


def status(request: Request) -> Response:
    """`GET /v1/status`: processes, models, routes, sizes, labels by state."""
    return _json(overview(request.app.state.parts))


def signals(request: Request) -> Response:
    """`GET /v1/signals?name=&model=&start=&end=`: the points of one name; without a name, the names there are."""
    parts: Parts = request.app.state.parts
    query = request.query_params
    name = query.get("name", "")
    if not name:
        return _json({"names": parts.signals.names()})
    labels = {key: value for key, value in query.items() if key not in ("name", "start", "end")}
    found = parts.signals.query(name, labels, _time(query.get("start"), -(2**62)), _time(query.get("end"), 2**62))
    return _json(
        {"name": name, "cut": len(found) > MOST_SIGNALS, "points": [_point(one) for one in found[-MOST_SIGNALS:]]}
    )


def _time(text: str | None, default: int) -> EventTime:
    try:
        return EventTime(default) if text is None else parse_event_time(text)
    except ValueError as error:
        raise InputError(str(error), where="start or end", fix="send ISO 8601 or seconds since 1970") from error


def _point(signal: Signal) -> dict[str, object]:
    known = not isinstance(signal.value, NotEnoughData)
    value = {"value": signal.value} if known else {"value": None, "reason": signal.value.reason}  # type: ignore[union-attr]
    return {
        "at": iso(signal.at),
        "labels": dict(signal.labels),
        **value,
        "low": signal.low,
        "high": signal.high,
        "n": signal.n,
    }


def _json(content: object) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")
