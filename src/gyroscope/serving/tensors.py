"""From named tensors to rows: all features as one matrix of numbers, or one tensor per feature.

The V2 dialect decodes the envelope and calls `read_tensors`; each `data` is decoded here, once its datatype and the
feature it belongs to are known. It never broadcasts, pads or converts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET, Raw, UnsetType

from gyroscope.errors import InputError
from gyroscope.models.runners import Rows
from gyroscope.records import Feature
from gyroscope.serving.datatypes import Nesting, matrix_decoder, tensor_decoder
from gyroscope.serving.intake import Intake, Where
from gyroscope.serving.strict import decode

_NESTED = re.compile(rb"\[\s*\[")
_BLANK, _OPENING = ord(" "), ord("[")


class Tensor(msgspec.Struct):
    """One input; `data` is flat or nested, row by row."""

    name: str
    shape: list[int]
    datatype: str
    data: Raw
    parameters: dict[str, Any] | UnsetType = UNSET


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
            where = f"inputs[{place}].{error.where}"
            raise InputError(error.what, where=where, fix=error.fix, status=error.status) from None
    return intake.from_columns(columns)


def _column(tensor: Tensor, feature: Feature, n: int) -> list[Any]:
    """The values of one feature; paths in complaints begin at the tensor, whose place only the caller knows."""
    if tensor.shape != [n] and tensor.shape != [n, 1]:
        what = f"the shape {_brief(tensor.shape)} is neither [{n}] nor [{n}, 1]"
        raise InputError(what, where="shape", fix="every tensor has the same rows, one column")
    nesting = _nesting(tensor.data)
    values = decode(tensor_decoder(tensor.datatype, feature, nesting), tensor.data, "data")
    _check_lengths(values, n, 1, nesting, "data")
    return [row[0] for row in values] if nesting == "rows" else values


def _nesting(data: Raw) -> Nesting:
    text = memoryview(data)
    if len(text) > 1 and text[1] > _BLANK:
        return "rows" if text[1] == _OPENING else "flat"
    return "rows" if _NESTED.match(text) else "flat"


def _check_lengths(values: list[Any], n: int, width: int, nesting: Nesting, where: str) -> None:
    wanted = n if nesting == "rows" else n * width
    if len(values) != wanted:
        raise InputError(f"{len(values)} values where the shape says {wanted}", where=where, fix="mend shape or data")
    if nesting == "flat":
        return
    for i, row in enumerate(values):
        if len(row) != width:
            raise InputError(f"{len(row)} values where the shape says {width}", where=f"{where}[{i}]")


def _where_in_matrix(features: int, nesting: Nesting) -> Where:
    if nesting == "rows":
        return lambda row, column: f"inputs[0].data[{row}][{column}]"
    return lambda row, column: f"inputs[0].data[{row * features + column}]"


def _brief(shape: list[int]) -> str:
    return str(shape) if len(shape) <= 4 else f"of {len(shape)} dimensions"
