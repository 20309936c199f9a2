"""The Open Inference Protocol, version 2, over gRPC: the bytes of one message in, the bytes of one message out.

`grpc.py` builds one `V2Grpc` per replica. Tensors are read by the code that reads those of REST; what comes raw is
answered raw. It knows no call, no stream and no status of gRPC.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from gyroscope.errors import InputError, did_you_mean
from gyroscope.records import Version
from gyroscope.serving.dialects import Headers, Question
from gyroscope.serving.dialects.v2_grpc_pages import check_name
from gyroscope.serving.dialects.v2_request import event_time
from gyroscope.serving.envelope import read_id
from gyroscope.serving.intake import Intake
from gyroscope.serving.messages import message
from gyroscope.serving.raw import Values
from gyroscope.serving.tensors import Packed, read_tensors

_CONTENTS = {
    "BOOL": ("bool_contents", np.dtype(np.bool_)),
    **{f"INT{bits}": ("int_contents", np.dtype(f"i{bits // 8}")) for bits in (8, 16, 32)},
    "INT64": ("int64_contents", np.dtype("i8")),
    **{f"UINT{bits}": ("uint_contents", np.dtype(f"u{bits // 8}")) for bits in (8, 16, 32)},
    "UINT64": ("uint64_contents", np.dtype("u8")),
    "FP32": ("fp32_contents", np.dtype("f4")),
    "FP64": ("fp64_contents", np.dtype("f8")),
}
"""Which field of a tensor's contents holds a datatype, and the kind of number that fits it."""

_RAW_ONLY = ("FP16", "BF16")


class V2Grpc:
    """The dialect of `ModelInfer` for one version of one model."""

    def __init__(self, version: Version, intake: Intake) -> None:
        self._intake = intake
        self._version = version
        self._output = version.signature.output
        self._request, self._response = message("ModelInferRequest"), message("ModelInferResponse")

    def read(self, body: bytes) -> Question:
        try:
            request = self._request.FromString(body)
        except DecodeError as error:
            raise InputError(f"this is no ModelInferRequest: {error}", status=400) from None
        check_name(self._version, request.model_name, request.model_version)
        for i, output in enumerate(request.outputs):
            if output.name != self._output:
                fix = did_you_mean(output.name, [self._output])
                raise InputError(f"no output is called {output.name!r}", where=f"outputs[{i}].name", fix=fix)
        rows = read_tensors(list(_tensors(request)), self._intake)
        parameters = {name: _value(parameter) for name, parameter in request.parameters.items()}
        client_id = read_id(request.id, "id") if request.id else ""
        return Question(rows, client_id, event_time(parameters), wish=bool(request.raw_input_contents))

    def answer(self, question: Question, outputs: NDArray[np.float64], request_id: str) -> tuple[bytes, Headers]:
        response = self._response(
            model_name=self._version.model,
            model_version=self._version.version,
            id=question.client_id or request_id,
        )
        response.parameters["request_id"].string_param = request_id
        output = response.outputs.add(name=self._output, datatype="FP64", shape=outputs.shape)
        if question.wish:
            response.raw_output_contents.append(outputs.astype("<f8").tobytes())
        else:
            output.contents.fp64_contents.extend(outputs.ravel().tolist())
        return response.SerializeToString(), ()

    def complain(self, status: int, what: str) -> tuple[int, bytes]:
        return status, what.encode()


def _tensors(request: Any) -> Iterator[Packed]:
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        what = f"{len(raw)} raw contents for {len(request.inputs)} inputs"
        raise InputError(what, where="raw_input_contents", fix="send one for each input, or none", status=400)
    for i, tensor in enumerate(request.inputs):
        if raw and tensor.HasField("contents"):
            what = "contents beside raw_input_contents"
            raise InputError(what, where=f"inputs[{i}].contents", fix="send one of them", status=400)
        data = raw[i] if raw else _values(tensor, f"inputs[{i}]")
        yield Packed(tensor.name, list(tensor.shape), tensor.datatype, data)


def _values(tensor: Any, where: str) -> Values:
    """What the contents hold. Raises `InputError` for what is not of the tensor's datatype."""
    if tensor.datatype == "BYTES":
        return _texts(tensor.contents.bytes_contents, where)
    if tensor.datatype not in _CONTENTS:
        known = [*_CONTENTS, "BYTES"]
        fix = "send raw_input_contents" if tensor.datatype in _RAW_ONLY else did_you_mean(tensor.datatype, known)
        raise InputError(f"contents hold no {tensor.datatype!r}", where=f"{where}.datatype", fix=fix)
    field, kind = _CONTENTS[tensor.datatype]
    values = list(getattr(tensor.contents, field))
    if not values and any(len(found) for _, found in tensor.contents.ListFields()):
        raise InputError(f"values of {tensor.datatype} belong into {field}", where=f"{where}.contents", status=400)
    try:
        return np.array(values, dtype=kind)
    except OverflowError:
        bounds = np.iinfo(kind)
        at = next(at for at, value in enumerate(values) if not bounds.min <= value <= bounds.max)
        raise InputError(f"{values[at]} is no {tensor.datatype}", where=f"{where}.contents.{field}[{at}]") from None


def _texts(contents: Any, where: str) -> list[str]:
    texts = []
    for at, content in enumerate(contents):
        try:
            texts.append(content.decode())
        except UnicodeDecodeError as error:
            path = f"{where}.contents.bytes_contents[{at}]"
            raise InputError(f"not UTF-8 ({error.reason})", where=path, status=400) from None
    return texts


def _value(parameter: Any) -> Any:
    chosen = parameter.WhichOneof("parameter_choice")
    return getattr(parameter, chosen) if chosen else None
