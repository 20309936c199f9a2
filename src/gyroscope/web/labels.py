"""`POST /v1/labels`: outcomes from programs. Keeps what can be kept, and names each refused row.

Thin: parse, ask the store, format.
"""

from __future__ import annotations

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from gyroscope.clock import wall_now
from gyroscope.errors import InputError
from gyroscope.predictions.labels.reading import LabelIn, Read, read_labels, read_raw
from gyroscope.web.parts import Parts, check_model
from gyroscope.web.posted import plain_json, read_posted


class LabelsIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a post. Rows stay raw, so that one bad row does not refuse its neighbours.

    `numbers` is what the sender calls each row, such as its line in a file; without it they are called by their places.
    """

    model: str
    labels: list[msgspec.Raw]
    numbers: list[int] = []


class FineLabelsIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The same when every row is of the right form, which is read five times as fast."""

    model: str
    labels: list[LabelIn]
    numbers: list[int] = []


async def add_labels(request: Request) -> Response:
    """Read on the loop's thread, kept on another: the disk is waited for there."""
    body = await plain_json(request)
    return await run_in_threadpool(_add_labels, request.app.state.parts, body)


def _add_labels(parts: Parts, body: bytes) -> Response:
    model, read, numbers = _read(body)
    received = len(read.labels.values) + len(read.unread)
    if numbers and len(numbers) != received:
        raise InputError("there must be one number for each label", where="numbers", fix="leave it out: places count")
    check_model(parts, model)
    now = wall_now()
    places = read.labels.numbers if read.labels.numbers is not None else range(received)
    labels = msgspec.structs.replace(read.labels, numbers=[numbers[at] for at in places] if numbers else places)
    unread = [(numbers[at] if numbers else at, text, reason) for at, text, reason in read.unread]
    report = parts.labels.add_columns(model, labels, now)
    parts.labels.refuse(model, unread, now)
    refused = sorted([*report.refused, *((number, reason) for number, _, reason in unread)])
    rows = [{"row": row, "reason": reason} for row, reason in refused]
    content = {"received": received, **report.counts, "refused": rows}
    return Response(msgspec.json.encode(content), media_type="application/json")


def _read(body: bytes) -> tuple[str, Read, list[int]]:
    try:
        fine = msgspec.json.decode(body, type=FineLabelsIn)
        return fine.model, read_labels(fine.labels), fine.numbers
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        posted = read_posted(body, LabelsIn, fix='send {"model": ..., "labels": [...]}')
        return posted.model, read_raw(posted.labels), posted.numbers
