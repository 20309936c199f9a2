"""The OpenAPI document of a replica: every path that it serves and every status that it can answer.

`dialects/v2_pages.py` serves it as `/v2/openapi.json`. It is made from the version when somebody asks. It describes;
what is refused is decided where bodies are read.
"""

from __future__ import annotations

from gyroscope import __version__
from gyroscope.records import Signature, Version
from gyroscope.serving.datatypes import DATATYPES
from gyroscope.serving.dialects.media import ARROW, CSV, JSON, OCTETS
from gyroscope.serving.envelope import MAX_TIMEOUT_MS
from gyroscope.serving.openapi_schemas import OBJECT, PRINTABLE, Plain, exactly, example, named, schemas

REFUSALS = {
    400: "malformed, or a header that says what cannot be",
    401: "no valid API key",
    408: "the body did not arrive in time",
    413: "a body too large, or too many rows",
    415: "a media type, charset or encoding that is not spoken",
    422: "well-formed, and not what the signature says",
    429: "turned away to protect the others; try again",
    500: "the model raised, or broke its own signature",
    503: "no room, or the prediction could not be written down; try again",
    504: "the deadline passed",
}
_BYTES: Plain = {"type": "string", "format": "binary"}


def document(version: Version) -> Plain:
    """The whole document, OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{version.model} {version.version}",
            "version": __version__,
            "description": "Open Inference Protocol 2 and MLflow scoring over one plane.",
        },
        "paths": {**_inference(version), **_about(version), **_repository(version), **_mlflow(version)},
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas(version.signature),
        },
    }


def _inference(version: Version) -> Plain:
    model = f"/v2/models/{version.model}"
    bodies = {JSON: named("InferRequest"), OCTETS: _BYTES, ARROW: _BYTES}
    answers = {JSON: named("InferResponse"), OCTETS: _BYTES, ARROW: _BYTES}
    length = _header("Inference-Header-Content-Length", {"type": "string", "pattern": "^[0-9]{1,12}$"})
    content = _content(bodies)
    content[JSON]["example"] = {"inputs": _example_tensors(version.signature)}
    one = _posted("Predict.", {"required": True, "content": content}, answers, "V2Error", tuple(REFUSALS))
    asked = {"post": {**one, "parameters": [*_HEADERS, length]}}
    return dict.fromkeys((f"{model}/infer", f"{model}/versions/{version.version}/infer"), asked)


def _about(version: Version) -> Plain:
    model = f"/v2/models/{version.model}"
    server = exactly(name="string", version="string", extensions="array")
    live, ready = exactly(live="boolean"), exactly(ready="boolean")
    pages = {
        "/v2": _page("The server and its extensions.", server),
        "/v2/health/live": _page("Whether the process answers.", live),
        "/v2/health/ready": _page("Whether it takes questions.", ready),
        **dict.fromkeys(("/v2/openapi.json", f"{model}/openapi.json"), _page("This document.", OBJECT)),
        "/v2/models": _page("The one model.", exactly(models="array")),
    }
    for path in (model, f"{model}/versions/{version.version}"):
        pages[path] = _page("What the model takes and gives back.", named("Metadata"))
        pages[f"{path}/ready"] = _page("Whether it is ready.", exactly(name="string", ready="boolean"))
        pages[f"{path}/stats"] = _page("What it has answered.", named("Statistics"))
    return pages


def _repository(version: Version) -> Plain:
    acts = f"/v2/repository/models/{version.model}"
    entry = exactly(name="string", version="string", state="string", reason="string")
    asked = {"type": "object", "properties": {"ready": {"type": "boolean"}}}
    act = {"type": "object", "properties": {"parameters": OBJECT}}
    statuses = (400, 401, 408, 413, 415, 422)

    def posted(summary: str, body: Plain, answer: Plain) -> Plain:
        return {"post": _posted(summary, {"content": _content({JSON: body})}, {JSON: answer}, "V2Error", statuses)}

    return {
        "/v2/repository/index": posted("What is loaded here.", asked, {"type": "array", "items": entry}),
        f"{acts}/load": posted("Fine: it is loaded.", act, OBJECT),
        f"{acts}/unload": posted("Refused: a replica holds its version as long as it lives.", act, OBJECT),
    }


def _mlflow(version: Version) -> Plain:
    # MLflow answers 400 to what does not fit the signature.
    statuses = tuple(status for status in REFUSALS if status != 422)
    bodies = {JSON: named("Invocation"), CSV: {"type": "string"}}
    summary = "Predict, as `mlflow models serve` does."
    row, content = example(version.signature), _content(bodies)
    content[JSON]["example"] = {"dataframe_split": {"columns": list(row), "data": [list(row.values())]}}
    body, answers = {"required": True, "content": content}, {JSON: named("Predictions")}
    one = {"post": {**_posted(summary, body, answers, "MlflowError", statuses), "parameters": _HEADERS}}
    blank = {"get": {"summary": "An empty line.", "responses": {"200": {"description": "it is there"}}}}
    return {
        **dict.fromkeys(("/invocations", f"/models/{version.model}/invocations"), one),
        **dict.fromkeys(("/ping", "/health", "/version"), blank),
    }


def _example_tensors(signature: Signature) -> list[Plain]:
    row = example(signature)
    return [
        {"name": one.name, "shape": [1], "datatype": DATATYPES[one.dtype], "data": [row[one.name]]}
        for one in signature.features
    ]


def _posted(summary: str, body: Plain, answers: Plain, error: str, statuses: tuple[int, ...]) -> Plain:
    refused = {JSON: {"schema": named(error)}}
    return {
        "summary": summary,
        "security": [{"key": []}],
        "requestBody": body,
        "responses": {
            "200": {"description": "answered", "content": _content(answers)},
            **{str(status): {"description": REFUSALS[status], "content": refused} for status in statuses},
        },
    }


def _page(summary: str, schema: Plain) -> Plain:
    shown = {"description": "what is so", "content": _content({JSON: schema})}
    return {"get": {"summary": summary, "responses": {"200": shown}}}


def _content(schemas: Plain) -> Plain:
    return {media: {"schema": schema} for media, schema in schemas.items()}


def _header(name: str, schema: Plain) -> Plain:
    return {"name": name, "in": "header", "required": False, "schema": schema}


_HEADERS = [
    _header("X-Request-Id", PRINTABLE),
    _header("X-Entity-Key", PRINTABLE),
    _header("X-Event-Time", {"type": "string"}),
    _header("X-Request-Timeout-Ms", {"type": "integer", "minimum": 1, "maximum": MAX_TIMEOUT_MS}),
]
