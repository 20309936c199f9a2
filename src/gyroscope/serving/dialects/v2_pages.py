"""What the Open Inference Protocol says besides inference: health, metadata, versions, statistics, the repository.

`v2.py` serves these pages. A replica holds one version for its whole life, so the repository's acts change nothing
here: which versions run is decided by `gyro models serve`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import orjson
from msgspec import UNSET, UnsetType

from gyroscope import __version__
from gyroscope.errors import InputError
from gyroscope.records import Version
from gyroscope.serving.datatypes import DATATYPES
from gyroscope.serving.dialects import Page, fixed
from gyroscope.serving.openapi import document
from gyroscope.serving.strict import decode
from gyroscope.supervisor.pulse import Pulse

EXTENSIONS = ("binary_tensor_data", "model_repository", "statistics")

_LOADED = {"state": "READY", "reason": ""}


class Filter(msgspec.Struct):
    """The body of an index request."""

    ready: bool = False


class Act(msgspec.Struct):
    """The body of a load or unload request."""

    parameters: dict[str, Any] | UnsetType = UNSET


_FILTER, _ACT = msgspec.json.Decoder(Filter), msgspec.json.Decoder(Act)


def pages(version: Version, pulse: Pulse) -> dict[str, Page]:
    """Every path of the protocol that asks the model nothing."""
    model = f"/v2/models/{version.model}"
    both = (model, f"{model}/versions/{version.version}")
    described = fixed(orjson.dumps(metadata(version)))
    ready = fixed(orjson.dumps({"name": version.model, "ready": True}))
    counted = Page(lambda _: orjson.dumps(statistics(version, pulse)))
    acts = f"/v2/repository/models/{version.model}"
    return {
        "/v2": fixed(orjson.dumps({"name": "gyroscope", "version": __version__, "extensions": EXTENSIONS})),
        "/v2/health/live": fixed(b'{"live":true}'),
        "/v2/health/ready": fixed(b'{"ready":true}'),
        **dict.fromkeys(("/v2/openapi.json", f"{model}/openapi.json"), Page(lambda _: orjson.dumps(document(version)))),
        "/v2/models": fixed(orjson.dumps({"models": [version.model]})),
        **dict.fromkeys(both, described),
        **{f"{path}/ready": ready for path in both},
        **{f"{path}/stats": counted for path in both},
        "/v2/repository/index": Page(_index(version), "POST"),
        f"{acts}/load": Page(_load(version), "POST"),
        f"{acts}/unload": Page(_unload(version), "POST"),
    }


def metadata(version: Version) -> dict[str, Any]:
    """What the model takes and gives back, in the protocol's words."""
    signature = version.signature
    inputs = [
        {"name": feature.name, "datatype": DATATYPES[feature.dtype], "shape": [-1, 1]} for feature in signature.features
    ]
    shape = [-1, signature.width] if signature.task == "multiclass" else [-1]
    return {
        "name": version.model,
        "versions": [version.version],
        "platform": f"gyroscope_{version.runner}",
        "inputs": inputs,
        "outputs": [{"name": signature.output, "datatype": "FP64", "shape": shape}],
    }


def statistics(version: Version, pulse: Pulse) -> dict[str, Any]:
    """Counts and times since the pulse began, in Triton's shape; what is not measured is left out, not 0."""
    counts = pulse.counters()
    failed = counts["requests_4xx"] + counts["requests_5xx"]
    measured = {
        "success": {"count": counts["requests_2xx"], "ns": pulse.latency_sum_ns - counts["failed_ns"]},
        "fail": {"count": failed, "ns": counts["failed_ns"]},
        # Until the model began, reading and checking included; then the model's own time, once per prediction.
        "queue": {"count": counts["model_requests"], "ns": counts["queue_ns"]},
        "compute_infer": {"count": counts["model_calls"], "ns": counts["busy_ns"]},
    }
    one = {
        "name": version.model,
        "version": version.version,
        "inference_count": counts["rows"],
        "execution_count": counts["model_calls"],
        "inference_stats": measured,
    }
    return {"model_stats": [one]}


def _index(version: Version) -> Callable[[bytes], bytes]:
    # What is loaded is ready, so a filter for what is ready leaves nothing out.
    listed = orjson.dumps([{"name": version.model, "version": version.version, **_LOADED}])

    def index(body: bytes) -> bytes:
        if body:
            decode(_FILTER, body)
        return listed

    return index


def _load(version: Version) -> Callable[[bytes], bytes]:
    def load(body: bytes) -> bytes:
        act = decode(_ACT, body) if body else Act()
        if act.parameters:
            raise InputError(
                f"{version.model} {version.version} is loaded as it was registered; nothing of it can be overridden",
                where="parameters",
                fix="register another version: gyro models add",
                status=400,
            )
        return b"{}"

    return load


def _unload(version: Version) -> Callable[[bytes], bytes]:
    def unload(body: bytes) -> bytes:
        if body:
            decode(_ACT, body)
        raise cannot_unload(version)

    return unload


def cannot_unload(version: Version) -> InputError:
    """Why not."""
    return InputError(
        f"{version.model} {version.version} cannot be unloaded: a replica holds its version as long as it lives",
        fix=f"gyro models serve {version.model} VERSION puts another version in its place",
        status=400,
    )
