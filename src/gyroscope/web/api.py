"""The calls for programs: labels in, status and signals out. JSON by typed records; faults name their row.

Thin: parse, ask one store, format.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from gyroscope.clock import EventTime, iso, parse_event_time, wall_now
from gyroscope.errors import InputError
from gyroscope.records import Label, NotEnoughData, Signal
from gyroscope.web.overview import overview
from gyroscope.web.parts import Parts, check_model

MOST_SIGNALS = 100_000


class LabelsIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a post. Rows stay raw, so that one bad row does not refuse its neighbours."""

    model: str
    labels: list[msgspec.Raw]


class LabelIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One outcome. `labeled_at`: ISO 8601 or seconds since 1970."""

    request_id: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    value: float | str | bool
    row: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] = 0
    labeled_at: str | float | None = None
    version: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None


async def add_labels(request: Request) -> Response:
    """`POST /v1/labels`: keeps what can be kept, and names each refused row by its place in the list."""
    content = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content != "application/json" or request.headers.get("content-encoding", "identity") != "identity":
        raise InputError("the body must be plain JSON", where="Content-Type", fix="send application/json", status=415)
    body = await request.body()
    return await run_in_threadpool(_add_labels, request.app.state.parts, body)


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


def _add_labels(parts: Parts, body: bytes) -> Response:
    try:
        posted = msgspec.json.decode(body, type=LabelsIn)
    except msgspec.ValidationError as error:
        raise InputError(str(error), where="the body", fix='send {"model": ..., "labels": [...]}') from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InputError(f"this is not JSON: {error}", where="the body", fix="mend it", status=400) from error
    model = check_model(parts, posted.model)
    labels, places, unread = _read_rows(posted.labels)
    now = wall_now()
    report = parts.labels.add(model, labels, now)
    parts.labels.refuse(model, [(at, _text(posted.labels[at]), reason) for at, reason in unread], now)
    refused = unread + [(places[row], reason) for row, reason in report.refused]
    rows = [{"row": row, "reason": reason} for row, reason in sorted(refused)]
    return _json({"received": len(posted.labels), **report.counts, "refused": rows})


def _read_rows(rows: list[msgspec.Raw]) -> tuple[list[Label], list[int], list[tuple[int, str]]]:
    """Labels that can be read, their places in the list, and the places and faults of the others."""
    labels, places, refused = [], [], []
    for place, row in enumerate(rows):
        try:
            labels.append(_label(msgspec.json.decode(row, type=LabelIn)))
            places.append(place)
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
            refused.append((place, str(error)))
    return labels, places, refused


def _text(row: msgspec.Raw) -> str:
    return bytes(row).decode("utf-8", "replace")


def _label(row: LabelIn) -> Label:
    at = None if row.labeled_at is None else parse_event_time(str(row.labeled_at))
    value = float(row.value) if isinstance(row.value, bool) else row.value
    return Label(row.request_id, value, row.row, row.version, at)


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
