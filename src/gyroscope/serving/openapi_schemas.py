"""The JSON schemas of the OpenAPI document: what bodies look like, with the features and the output of one signature.

`openapi.py` refers to them by name.
"""

from __future__ import annotations

from typing import Any

from gyroscope.ids import MAX_ID
from gyroscope.records import Signature
from gyroscope.serving.datatypes import DATATYPES, NUMBERS

Plain = dict[str, Any]

OBJECT: Plain = {"type": "object"}
PRINTABLE: Plain = {"type": "string", "maxLength": MAX_ID, "pattern": "^[ -~]*$"}

_COUNT: Plain = {"type": "integer", "minimum": 0}
_ARRAY: Plain = {"type": "array"}


def schemas(signature: Signature) -> Plain:
    """Every schema by its name."""
    return {
        "InferRequest": _request(signature),
        "InferResponse": {
            "type": "object",
            "required": ["model_name", "model_version", "id", "outputs"],
            "properties": {
                "id": {"type": "string"},
                "outputs": {"type": "array", "items": exactly(name="string", shape="array", datatype="string")},
            },
        },
        "Metadata": exactly(name="string", versions="array", platform="string", inputs="array", outputs="array"),
        "Statistics": _statistics(),
        "V2Error": exactly(error="string"),
        "Invocation": _invocation(),
        "Predictions": exactly(predictions="array"),
        "MlflowError": exactly(error_code="string", message="string"),
    }


def example(signature: Signature) -> dict[str, Any]:
    """A plain row: zeros, false, first categories."""
    plain = {"float64": 0.5, "float32": 0.5, "int64": 0, "bool": False}
    return {one.name: plain.get(one.dtype, next(iter(one.categories), "")) for one in signature.features}


def named(name: str) -> Plain:
    """The reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def exactly(**types: str) -> Plain:
    """An object that has these keys."""
    return {
        "type": "object",
        "required": list(types),
        "properties": {name: {"type": kind} for name, kind in types.items()},
    }


def _request(signature: Signature) -> Plain:
    tensor = {
        "type": "object",
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer"}},
            "datatype": {"enum": ["BOOL", "BYTES", *NUMBERS]},
            "data": _ARRAY,
            "parameters": OBJECT,
        },
    }
    wanted = {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"const": signature.output}, "parameters": OBJECT},
    }
    features = ", ".join(f"{one.name} {DATATYPES[one.dtype]}" for one in signature.features)
    every = f"[n, {len(signature.features)}]"
    return {
        "type": "object",
        "description": f"One tensor per feature ({features}), or one {every} of numbers for all.",
        "required": ["inputs"],
        "properties": {
            "id": PRINTABLE,
            "parameters": OBJECT,
            "inputs": {"type": "array", "minItems": 1, "items": tensor},
            "outputs": {"type": "array", "items": wanted},
        },
    }


def _statistics() -> Plain:
    timed = {"type": "object", "required": ["count", "ns"], "properties": {"count": _COUNT, "ns": _COUNT}}
    counted = dict.fromkeys(("inference_count", "execution_count"), "integer")
    one = exactly(name="string", version="string", inference_stats="object", **counted)
    named = dict.fromkeys(("success", "fail", "queue", "compute_infer"), timed)
    one["properties"]["inference_stats"] = {"type": "object", "properties": named}
    return {"type": "object", "properties": {"model_stats": {"type": "array", "items": one}}}


def _invocation() -> Plain:
    split = {
        "type": "object",
        "required": ["columns", "data"],
        "properties": {"columns": {"type": "array", "items": {"type": "string"}}, "data": _ARRAY},
    }
    many = {"type": ["array", "object"]}
    forms = {"dataframe_split": split, "dataframe_records": _ARRAY, "instances": many, "inputs": many}
    return {
        "type": "object",
        "properties": {**forms, "params": {}},
        "oneOf": [{"required": [form]} for form in forms],
    }
