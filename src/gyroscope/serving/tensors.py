"""From named tensors to rows: all features as one matrix of numbers, or one tensor per feature.

The V2 dialects, REST and gRPC, decode the envelope and call `read_tensors`; each `data` is decoded here, once its
datatype and the feature it belongs to are known. It never broadcasts or pads, and refuses what float64 cannot hold.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
import numpy as np
from msgspec import Raw
from numpy.typing import NDArray

from gyroscope.errors import InputError
from gyroscope.models.runners import Rows
from gyroscope.records import Feature
from gyroscope.serving.datatypes import (
    Nesting,
    in_json,
    matrix_decoder,
    refuse_misfit,
    refuse_no_number,
    tensor_decoder,
)
from gyroscope.serving.intake import Intake, Where
from gyroscope.serving.raw import Buffer, Values, as_float64, unpack
from gyroscope.serving.strict import decode

_NESTED = re.compile(rb"\[\s*\[")
_BLANK, _OPENING = ord(" "), ord("[")


class Tensor(Protocol):
    """One input, row by row: JSON not yet decoded, raw bytes, or values."""

    name: str
    shape: list[int]
    datatype: str

    @property
    def data(self) -> Raw | Buffer | Values: ...


class Packed(msgspec.Struct):
    """One input, from whatever brought it."""

    name: str
    shape: list[int]
    datatype: str
    data: Raw | Buffer | Values


def read_tensors(inputs: Sequence[Tensor], intake: Intake) -> Rows:
    """The rows that the tensors hold. Raises `InputError` with the path of the fault."""
    if not inputs:
        raise InputError("there are no tensors", where="inputs", fix="send one per feature, or one for all")
    if len(inputs) == 1 and not _is_one_feature(inputs[0], intake):
        return _matrix(inputs[0], intake)
    return _columns(inputs, intake)


def _is_one_feature(tensor: Tensor, intake: Intake) -> bool:
    """Whether a lone tensor is one feature, not all of them under the name of one."""
    features = len(intake.names)
    return tensor.name in intake.index and (features == 1 or tensor.shape[1:] != [features])


def _matrix(tensor: Tensor, intake: Intake) -> Rows:
    features = len(intake.names)
    if intake.strings:
        fix = f"send one tensor per feature; {intake.names[intake.strings[0]]!r} is of strings"
        raise InputError("one tensor cannot hold this model's features", where="inputs[0]", fix=fix)
    if len(tensor.shape) != 2 or tensor.shape[1] != features:
        fix = f"send one tensor [n, {features}] in the signature's order, or one per feature, named after it"
        raise InputError(f"the shape {_brief(tensor.shape)} does not fit", where="inputs[0].shape", fix=fix)
    n = intake.count(tensor.shape[0], "inputs[0].shape[0]")
    if not isinstance(tensor.data, Raw):
        refuse_no_number(in_json(tensor.datatype), "inputs[0].datatype")
        matrix = _numbers(tensor, tensor.data, n * features, "inputs[0]").reshape(n, features)
        return intake.from_unchecked(matrix, _where_in_matrix(features, "flat"))
    nesting = _nesting(tensor.data)
    decoder = matrix_decoder(tensor.datatype, intake.is_nullable, nesting, "inputs[0].datatype")
    values = decode(decoder, tensor.data, "inputs[0].data")
    _check_lengths(values, n, features, nesting, "inputs[0].data")
    matrix = np.array(values, dtype=np.float64).reshape(n, features)
    return intake.from_matrix(matrix, _where_in_matrix(features, nesting))


def _columns(inputs: Sequence[Tensor], intake: Intake) -> Rows:
    order = intake.order([tensor.name for tensor in inputs], lambda place: f"inputs[{place}].name", "inputs")
    n = intake.count(inputs[0].shape[0] if inputs[0].shape else 0, "inputs[0].shape")
    columns = []
    for feature, place in zip(intake.features, order, strict=True):
        try:
            columns.append(_column(inputs[place], feature, n))
        except InputError as error:
            where = f"inputs[{place}].{error.where}".rstrip(".")
            raise InputError(error.what, where=where, fix=error.fix, status=error.status) from None
    rows = intake.from_columns(columns)
    if all(isinstance(tensor.data, Raw) for tensor in inputs):
        return rows
    intake.check(rows.matrix, lambda row, column: f"inputs[{order[column]}].data[{row}]")
    return rows


def _column(tensor: Tensor, feature: Feature, n: int) -> Sequence[Any] | NDArray[np.float64]:
    """The values of one feature; paths in complaints begin at the tensor, whose place only the caller knows."""
    if tensor.shape != [n] and tensor.shape != [n, 1]:
        what = f"the shape {_brief(tensor.shape)} is neither [{n}] nor [{n}, 1]"
        raise InputError(what, where="shape", fix="every tensor has the same rows, one column")
    if not isinstance(tensor.data, Raw):
        refuse_misfit(in_json(tensor.datatype), feature)
        is_text = feature.dtype == "string"
        return _texts(tensor.data, n) if is_text else _numbers(tensor, tensor.data, n, "")
    nesting = _nesting(tensor.data)
    values = decode(tensor_decoder(tensor.datatype, feature, nesting), tensor.data, "data")
    _check_lengths(values, n, 1, nesting, "data")
    return [row[0] for row in values] if nesting == "rows" else values


def _texts(data: Buffer | Values, n: int) -> Sequence[str]:
    texts = unpack("BYTES", data, n, "") if isinstance(data, Buffer) else data
    _check_count(len(texts), n, "data")
    return list(texts)


def _numbers(tensor: Tensor, data: Buffer | Values, count: int, where: str) -> NDArray[np.float64]:
    numbers = np.asarray(unpack(tensor.datatype, data, count, where) if isinstance(data, Buffer) else data)
    path = f"{where}.data".lstrip(".")
    _check_count(len(numbers), count, path)
    return as_float64(tensor.datatype, numbers, path)


def _nesting(data: Raw) -> Nesting:
    text = memoryview(data)
    if len(text) > 1 and text[1] > _BLANK:
        return "rows" if text[1] == _OPENING else "flat"
    return "rows" if _NESTED.match(text) else "flat"


def _check_lengths(values: list[Any], n: int, width: int, nesting: Nesting, where: str) -> None:
    _check_count(len(values), n if nesting == "rows" else n * width, where)
    if nesting == "flat":
        return
    for i, row in enumerate(values):
        if len(row) != width:
            raise InputError(f"{len(row)} values where the shape says {width}", where=f"{where}[{i}]")


def _check_count(found: int, wanted: int, where: str) -> None:
    if found != wanted:
        raise InputError(f"{found} values where the shape says {wanted}", where=where, fix="mend shape or data")


def _where_in_matrix(features: int, nesting: Nesting) -> Where:
    if nesting == "rows":
        return lambda row, column: f"inputs[0].data[{row}][{column}]"
    return lambda row, column: f"inputs[0].data[{row * features + column}]"


def _brief(shape: list[int]) -> str:
    return str(shape) if len(shape) <= 4 else f"of {len(shape)} dimensions"
