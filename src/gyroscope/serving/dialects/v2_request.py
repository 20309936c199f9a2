"""The JSON of an Open Inference Protocol request, as structs, and what it says besides its tensors.

`v2.py` decodes into these. Unknown keys are left alone, as the protocol wants; no key counts twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from gyroscope.clock import EventTime
from gyroscope.errors import InputError, did_you_mean
from gyroscope.serving.envelope import read_event_time

Parameters = dict[str, Any]


class Wanted(msgspec.Struct):
    """One output that the client asks for."""

    name: str
    parameters: Parameters | UnsetType = UNSET


class Input(msgspec.Struct):
    """One tensor in JSON; `data` is flat or nested, row by row."""

    name: str
    shape: list[int]
    datatype: str
    data: Raw
    parameters: Parameters | UnsetType = UNSET


class Piece(msgspec.Struct):
    """One tensor of a request with bytes: its data is here, or in the bytes that `parameters` announce."""

    name: str
    shape: list[int]
    datatype: str
    data: Raw | UnsetType = UNSET
    parameters: Parameters | UnsetType = UNSET


class Around(msgspec.Struct):
    """What a request says around its inputs."""

    id: str | UnsetType = UNSET
    parameters: Parameters | UnsetType = UNSET
    outputs: list[Wanted] | UnsetType = UNSET


class Request(Around, kw_only=True):
    """The body of an infer request."""

    inputs: list[Input]


class BinaryRequest(Around, kw_only=True):
    """The head of an infer request that has bytes after it."""

    inputs: list[Piece]


REQUEST = msgspec.json.Decoder(Request)
BINARY_REQUEST = msgspec.json.Decoder(BinaryRequest)


def pairs(request: Request | BinaryRequest) -> int:
    """How many keys of the body were understood, when it holds nothing but those."""
    found = 1 + (request.id is not UNSET) + (request.parameters is not UNSET) + (request.outputs is not UNSET)
    inputs: Iterable[Input | Piece] = request.inputs
    for one in inputs:
        found += 4 if one.data is not UNSET else 3
        found += 1 + len(one.parameters) if one.parameters else 0
    found += len(request.parameters) if request.parameters else 0
    for wanted in request.outputs or ():
        found += 2 + len(wanted.parameters) if wanted.parameters else 1
    return found


def event_time(parameters: Parameters) -> EventTime | None:
    """When it happened, where the body says so. Raises `InputError`."""
    given = parameters.get("event_time")
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise InputError("expected a time", where="parameters.event_time", fix="ISO 8601 or seconds since 1970")
    return read_event_time(str(given), "parameters.event_time")


def wants_bytes(request: Around, output: str) -> bool:
    """Whether the output is to come as bytes; what is said of the output counts before what is said of all.

    Raises `InputError` for an output that is not there.
    """
    wanted = _flag(request.parameters, "binary_data_output", "parameters") or False
    for i, one in enumerate(request.outputs or ()):
        if one.name != output:
            raise InputError(
                f"no output is called {one.name!r}", where=f"outputs[{i}].name", fix=did_you_mean(one.name, [output])
            )
        said = _flag(one.parameters, "binary_data", f"outputs[{i}].parameters")
        wanted = wanted if said is None else said
    return wanted


def _flag(parameters: Parameters | UnsetType, name: str, where: str) -> bool | None:
    value = parameters.get(name) if parameters else None
    if value is None or isinstance(value, bool):
        return value
    raise InputError(f"expected bool, got {type(value).__name__}", where=f"{where}.{name}", fix="true or false")
