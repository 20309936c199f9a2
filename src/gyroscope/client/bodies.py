"""The bodies of requests and replies: many rows of numbers as binary tensors of the V2 protocol, all else as JSON.

`requests.py` calls it. JSON is MLflow's split form: there the server takes a column's type from its name, so a
column that is all missing needs none. It never looks at what a model wants: the server checks.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
import numpy as np
import orjson
from numpy.typing import NDArray

from gyroscope.client.table import Column
from gyroscope.client.wire import Reply
from gyroscope.errors import InputError, ProcessError

# A tensor per column has a head of some 90 bytes: for fewer rows JSON is shorter, and quicker on both sides.
_MANY = 8
_INFINITY = float("inf")
_DATATYPES = {
    "b1": "BOOL",
    "f2": "FP16",
    "f4": "FP32",
    "f8": "FP64",
    **{f"i{size}": f"INT{8 * size}" for size in (1, 2, 4, 8)},
    **{f"u{size}": f"UINT{8 * size}" for size in (1, 2, 4, 8)},
}


class Body(msgspec.Struct, frozen=True):
    """What to send where."""

    path: str
    content: bytes
    headers: dict[str, str]


class _Output(msgspec.Struct):
    shape: list[int]
    datatype: str


class _Head(msgspec.Struct):
    outputs: list[_Output]


class _Predictions(msgspec.Struct):
    predictions: list[Any]


_HEAD = msgspec.json.Decoder(_Head)
_PREDICTIONS = msgspec.json.Decoder(_Predictions)


def encode(model: str, table: dict[str, Column] | NDArray[Any]) -> Body:
    """The request for these rows."""
    if isinstance(table, np.ndarray):
        return _binary(model, {"rows": table})
    if len(next(iter(table.values()))) >= _MANY:
        arrays = {name: array for name, column in table.items() if (array := _as_array(column)) is not None}
        if len(arrays) == len(table):
            return _binary(model, arrays)
    return _split(model, table)


def decode(reply: Reply) -> NDArray[np.float64]:
    """(n,) or (n, classes). Raises `ProcessError` when this is no answer of ours."""
    try:
        length = reply.headers.get("inference-header-content-length", "")
        if not length:
            return np.array(_PREDICTIONS.decode(reply.body).predictions, dtype=np.float64)
        output = _HEAD.decode(memoryview(reply.body)[: int(length)]).outputs[0]
        if output.datatype != "FP64":
            raise ValueError(f"an output of {output.datatype}")
        return np.frombuffer(reply.body, "<f8", offset=int(length)).reshape(output.shape)
    except (msgspec.MsgspecError, ValueError, IndexError) as error:
        fix = "is another program listening there?"
        raise ProcessError(f"the answer cannot be read: {error}", where="the reply", fix=fix) from error


def _as_array(column: Column) -> NDArray[Any] | None:
    """None for texts, and for a gap among numbers that no array can show."""
    if isinstance(column, np.ndarray):
        return column
    kinds = set(map(type, column))
    if kinds <= {float, int, type(None)} and float in kinds:
        return np.array(column, dtype=np.float64)
    return np.array(column) if kinds in ({int}, {bool}) else None


def _binary(model: str, arrays: dict[str, NDArray[Any]]) -> Body:
    inputs, raw = [], []
    for name, array in arrays.items():
        plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        datatype = _DATATYPES.get(plain.dtype.str[1:])
        if datatype is None:
            raise InputError(f"numbers of {plain.dtype} cannot be sent", where=name, fix="use float64")
        size = {"binary_data_size": plain.nbytes}
        inputs.append({"name": name, "datatype": datatype, "shape": plain.shape, "parameters": size})
        raw.append(plain.tobytes())
    header = orjson.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}})
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(header))}
    return Body(f"/v2/models/{quote(model, safe='')}/infer", b"".join((header, *raw)), headers)


def _split(model: str, table: dict[str, Column]) -> Body:
    columns = [column.tolist() if isinstance(column, np.ndarray) else column for column in table.values()]
    for name, column in zip(table, columns, strict=True):
        if _INFINITY in column or -_INFINITY in column:
            raise InputError("JSON has no infinity", where=name, fix="send a finite number, or None for unknown")
    split = {"columns": list(table), "data": list(zip(*columns, strict=True))}
    content = orjson.dumps({"dataframe_split": split})
    return Body(f"/models/{quote(model, safe='')}/invocations", content, {"Content-Type": "application/json"})
