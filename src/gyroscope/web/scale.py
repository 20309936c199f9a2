"""`GET /v1/scale/{model}`: how many replicas a model should have and why, for whoever scales it elsewhere.

What control's loop decided last is in the signals and the journal; this only reads. KEDA's metrics-api scaler takes it
with `valueLocation: desired_replicas`.
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gyroscope.clock import SECOND_US, iso, wall_now
from gyroscope.errors import OverloadError
from gyroscope.records import NotEnoughData
from gyroscope.scaling.loop import DESIRED
from gyroscope.settings_models import ModelPolicy
from gyroscope.web.parts import Parts, check_model

BELIEVED_US = 60 * SECOND_US
"""An older decision is none: its loop is away, and a platform's scaler must not follow it."""


def scale(request: Request) -> Response:
    """The newest decision; 503 where there is none to follow, so that a scaler which asks holds what it has."""
    parts: Parts = request.app.state.parts
    model = check_model(parts, request.path_params["model"])
    size = parts.routes.replicas(model, parts.settings)
    policy = parts.settings.models.get(model, ModelPolicy())
    told: dict[str, object] = {"model": model, "replicas": size, "desired_replicas": size, "reason": "fixed_size"}
    if policy.bounds.min < policy.bounds.max:
        newest = parts.signals.latest(DESIRED, {"model": model})
        if isinstance(newest, NotEnoughData) or isinstance(newest.value, NotEnoughData) or _is_old(newest.at):
            raise OverloadError(
                "nothing was decided in the last minute", where=model, fix="see gyro status", status=503
            )
        acts = parts.journal.newest("scaling", model, 1)
        told |= {"desired_replicas": round(newest.value), "at": iso(newest.at)}
        told |= {"reason": acts[0].reason, "id": acts[0].id, "mode": acts[0].mode} if acts else {}
    return Response(msgspec.json.encode(told), media_type="application/json")


def _is_old(at: int) -> bool:
    return wall_now() - at > BELIEVED_US
