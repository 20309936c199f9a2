"""The Open Inference Protocol, version 2, over REST with JSON tensors.

`replica.py` builds one `V2` per replica. Features come as one tensor of numbers, or as one tensor each, named after
them. Binary tensors are not spoken: nothing here reads a byte that is not JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import orjson
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

from gyroscope import __version__
from gyroscope.clock import EventTime
from gyroscope.errors import InputError, did_you_mean
from gyroscope.records import Version
from gyroscope.serving.datatypes import DATATYPES
from gyroscope.serving.dialects import Dialect, Headers, Page, Question, fixed
from gyroscope.serving.dialects.media import JSON, media_type, unspoken
from gyroscope.serving.envelope import read_event_time, read_id
from gyroscope.serving.intake import Intake
from gyroscope.serving.strict import decode, refuse_twin_keys
from gyroscope.serving.tensors import Tensor, read_tensors


class Wanted(msgspec.Struct):
    """One output that the client asks for."""

    name: str
    parameters: dict[str, Any] | UnsetType = UNSET


class Request(msgspec.Struct):
    """The body of an infer request."""

    inputs: list[Tensor]
    id: str | UnsetType = UNSET
    parameters: dict[str, Any] | UnsetType = UNSET
    outputs: list[Wanted] | UnsetType = UNSET


_REQUEST = msgspec.json.Decoder(Request)


class V2:
    """The dialect for one version of one model."""

    def __init__(self, version: Version, intake: Intake) -> None:
        self._intake = intake
        self._output = version.signature.output
        model = f"/v2/models/{version.model}"
        one = f"{model}/versions/{version.version}"
        self.asks: tuple[str, ...] = (f"{model}/infer", f"{one}/infer")
        ready = fixed(orjson.dumps({"name": version.model, "ready": True}))
        described = fixed(orjson.dumps(_metadata(version)))
        self.pages: Mapping[str, Page] = {
            "/v2": fixed(orjson.dumps({"name": "gyroscope", "version": __version__, "extensions": []})),
            "/v2/health/live": fixed(b'{"live":true}'),
            "/v2/health/ready": fixed(b'{"ready":true}'),
            **dict.fromkeys((model, one), described),
            **{f"{path}/ready": ready for path in (model, one)},
        }
        names = {"model_name": version.model, "model_version": version.version}
        self._head = orjson.dumps(names)[:-1] + b',"id":'
        self._output_head = b',"outputs":[{"name":' + orjson.dumps(self._output) + b',"shape":['

    def dialect(self, headers: Mapping[bytes, bytes]) -> Dialect:
        media = media_type(headers)
        if media != JSON:
            raise unspoken(media, (JSON,))
        if b"inference-header-content-length" in headers:
            raise InputError(
                "binary tensors are not accepted",
                where="Inference-Header-Content-Length",
                fix="send JSON data (binary_data=False)",
                status=415,
            )
        return self

    def read(self, body: bytes) -> Question:
        request = decode(_REQUEST, body)
        refuse_twin_keys(body, _pairs(request))
        if request.outputs:
            self._check_wanted(request.outputs)
        rows = read_tensors(request.inputs, self._intake)
        client_id = read_id(request.id, "id") if request.id else ""
        return Question(rows, client_id, _event_time(request.parameters) if request.parameters else None)

    def answer(self, question: Question, outputs: NDArray[np.float64], request_id: str) -> tuple[bytes, Headers]:
        shape = b"%d" % len(outputs) if outputs.ndim == 1 else b"%d,%d" % outputs.shape
        quoted = orjson.dumps(request_id)
        text = b"".join(
            (
                self._head,
                orjson.dumps(question.client_id) if question.client_id else quoted,
                self._output_head,
                shape,
                b'],"datatype":"FP64","data":',
                orjson.dumps(outputs.ravel().tolist()),
                b'}],"parameters":{"request_id":',
                quoted,
                b"}}",
            )
        )
        return text, ()

    def complain(self, status: int, what: str) -> tuple[int, bytes]:
        return status, orjson.dumps({"error": what})

    def _check_wanted(self, outputs: list[Wanted]) -> None:
        for i, output in enumerate(outputs):
            if output.name != self._output:
                raise InputError(
                    f"no output is called {output.name!r}",
                    where=f"outputs[{i}].name",
                    fix=did_you_mean(output.name, [self._output]),
                )


def _pairs(request: Request) -> int:
    """How many keys of the body were understood, when it holds nothing but those."""
    fields = (request.id, request.parameters, request.outputs)
    found = 1 + sum(field is not UNSET for field in fields) + 4 * len(request.inputs)
    found += sum(1 + len(tensor.parameters) for tensor in request.inputs if tensor.parameters)
    found += len(request.parameters) if request.parameters else 0
    return found + (len(request.outputs) if request.outputs else 0)


def _event_time(parameters: dict[str, Any]) -> EventTime | None:
    given = parameters.get("event_time")
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise InputError("expected a time", where="parameters.event_time", fix="ISO 8601 or seconds since 1970")
    return read_event_time(str(given), "parameters.event_time")


def _metadata(version: Version) -> dict[str, Any]:
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
