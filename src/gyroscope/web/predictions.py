"""`POST /v1/predictions`: what models served elsewhere answered, row by row held against the signature.

Thin: JSON becomes columns, the store checks and writes them, the reply counts. Answered only when the rows are written.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from gyroscope.clock import wall_now
from gyroscope.errors import OverloadError, StoreError
from gyroscope.models.which import which_version
from gyroscope.predictions.ingest.given import Given
from gyroscope.predictions.ingest.ingest import Ingest
from gyroscope.records import Signature
from gyroscope.web.parts import Parts, check_model
from gyroscope.web.posted import plain_json, read_posted

# Below the door's own patience, so that the sender reads why.
PATIENCE_S = 20.0
PLAIN = ("event_time", "entity_key", "latency_ms", "status", "error", "variant")
KEYS = frozenset(("request_id", "inputs", "outputs", *PLAIN))
MOST_UNKNOWN = 1_000


class PredictionsIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a post. Rows stay raw, so that one bad row does not refuse its neighbours."""

    model: str
    predictions: list[msgspec.Raw]
    version: str = ""


async def add_predictions(request: Request) -> Response:
    """Keeps what can be kept, and names each refused row by its place in the list."""
    body = await plain_json(request)
    return await run_in_threadpool(_add, request.app.state.parts, body)


def _add(parts: Parts, body: bytes) -> Response:
    posted = read_posted(body, PredictionsIn, fix='send {"model": ..., "predictions": [...]}')
    model = check_model(parts, posted.model)
    version = which_version(parts.models, parts.routes, model, posted.version)
    rows, places, refused = _rows(posted.predictions, version.signature)
    unknown = _unknown(rows, version.signature)
    ingest = Ingest(parts.settings, version, patience_s=PATIENCE_S)
    try:
        written = ingest.add(_given(rows, version.signature), wall_now())
    except StoreError as error:
        raise OverloadError(error.what, fix="send the same again in a moment: nothing doubles") from error
    finally:
        ingest.close()
    refused += [(places[row], reason) for row, reason in written.refused]
    reply = {
        "received": len(posted.predictions),
        "written": written.written,
        "logged": written.logged,
        "version": version.version,
        "refused": [{"row": row, "reason": reason} for row, reason in sorted(refused)],
        "unknown_fields": dict(unknown.most_common(MOST_UNKNOWN)),
    }
    return Response(msgspec.json.encode(reply), media_type="application/json")


def _rows(
    raw: list[msgspec.Raw], signature: Signature
) -> tuple[list[dict[str, Any]], list[int], list[tuple[int, str]]]:
    """Rows with their inputs by name and their outputs as a list, their places, and the faults of the others."""
    rows, places, refused = [], [], []
    decoder = msgspec.json.Decoder(dict[str, Any])
    for place, text in enumerate(raw):
        try:
            rows.append(_row(decoder.decode(text), signature))
            places.append(place)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            refused.append((place, str(error)))
    return rows, places, refused


def _row(row: dict[str, Any], signature: Signature) -> dict[str, Any]:
    inputs = row.get("inputs")
    if isinstance(inputs, list):
        if len(inputs) != len(signature.names):
            raise ValueError(f"{len(inputs)} inputs where the signature has {len(signature.names)}")
        inputs = dict(zip(signature.names, inputs, strict=True))
    if not isinstance(inputs, dict | None):
        raise ValueError("inputs must be an object of values by feature, or a list in the signature's order")
    outputs = row.get("outputs")
    outputs = outputs if isinstance(outputs, list) else [outputs]
    if len(outputs) != signature.width and outputs != [None]:
        raise ValueError(f"{len(outputs)} outputs where the signature has {signature.width}")
    return {**row, "inputs": inputs or {}, "outputs": outputs + [None] * (signature.width - len(outputs))}


def _unknown(rows: list[dict[str, Any]], signature: Signature) -> Counter[str]:
    """How often each field came that nobody asked for; it is left out."""
    names = frozenset(signature.names)
    found = Counter(key for row in rows if not KEYS.issuperset(row) for key in row if key not in KEYS)
    found.update(
        f"inputs.{name}" for row in rows if not names.issuperset(row["inputs"]) for name in row["inputs"]
        if name not in names
    )  # fmt: skip
    return found


def _given(rows: list[dict[str, Any]], signature: Signature) -> Given:
    missing = msgspec.UNSET
    return Given(
        request_id=[row.get("request_id") for row in rows],
        inputs={name: [row["inputs"].get(name, missing) for row in rows] for name in signature.names},
        outputs=[[row["outputs"][index] for row in rows] for index in range(signature.width)],
        **{name: [row.get(name) for row in rows] for name in PLAIN},
    )
