"""Which JSON values stand for which tensor datatypes and features: the types that msgspec holds every value to.

The intake and the V2 dialect decode with these, so range, null and kind are checked in C, each with its path.
Nothing here converts.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal

from msgspec import Meta
from msgspec.json import Decoder

from gyroscope.errors import InputError
from gyroscope.records import Dtype, Feature

Nesting = Literal["flat", "rows"]

# A model is handed float64: beyond 2^53 two whole numbers would become the same one, so they are refused.
_WHOLE = 2**53
_FP16, _FP32 = 65_504.0, 3.4028234663852886e38


def _whole(low: int, high: int) -> Any:
    return Annotated[int, Meta(ge=max(low, -_WHOLE), le=min(high, _WHOLE))]


FLOATS: dict[str, Any] = {
    "FP16": Annotated[float, Meta(ge=-_FP16, le=_FP16)],
    "FP32": Annotated[float, Meta(ge=-_FP32, le=_FP32)],
    "FP64": float,
}
INTS: dict[str, Any] = {
    **{f"INT{bits}": _whole(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": _whole(0, 2**bits - 1) for bits in (8, 16, 32, 64)},
}
NUMBERS = {**FLOATS, **INTS}
ACCEPTED: dict[Dtype, dict[str, Any]] = {
    "float64": NUMBERS,
    "float32": {**NUMBERS, "FP64": FLOATS["FP32"]},
    "int64": INTS,
    "bool": {"BOOL": bool},
    "string": {"BYTES": str},
}
"""Per dtype of a feature: the datatypes a tensor for it may declare, each with the type of its values."""

DATATYPES: dict[Dtype, str] = {
    "float64": "FP64",
    "float32": "FP32",
    "int64": "INT64",
    "bool": "BOOL",
    "string": "BYTES",
}
"""What the metadata says a feature is."""


def value_type(feature: Feature) -> Any:
    """The type of one JSON value of a feature."""
    kind = ACCEPTED[feature.dtype][DATATYPES[feature.dtype]]
    return kind | None if feature.nullable else kind


def tensor_decoder(datatype: str, feature: Feature, nesting: Nesting) -> Decoder[list[Any]]:
    """The decoder of a tensor's JSON `data` for one feature.

    Raises `InputError` when a tensor of this datatype cannot carry the feature.
    """
    refuse_misfit(datatype, feature)
    return _decoder(feature.dtype, datatype, feature.nullable, nesting)


def matrix_decoder(datatype: str, is_nullable: bool, nesting: Nesting, where: str) -> Decoder[list[Any]]:
    """The decoder of the JSON `data` of one tensor that holds all features.

    Raises `InputError` for a datatype that is no number.
    """
    refuse_no_number(datatype, where)
    return _decoder("float64", datatype, is_nullable, nesting)


def refuse_misfit(datatype: str, feature: Feature, where: str = "datatype") -> None:
    """Raises `InputError` when a tensor of this datatype cannot carry the feature."""
    accepted = ACCEPTED[feature.dtype]
    if datatype not in accepted:
        raise InputError(
            f"{feature.name!r} is {feature.dtype}; a tensor for it is not {datatype!r}",
            where=where,
            fix=f"use one of {', '.join(accepted)}",
        )


def refuse_no_number(datatype: str, where: str) -> None:
    """Raises `InputError` for a datatype that one tensor of all features cannot have."""
    if datatype not in NUMBERS:
        raise InputError(
            f"one tensor for all features is of numbers, not {datatype!r}",
            where=where,
            fix=f"use one of {', '.join(NUMBERS)}",
        )


def in_json(datatype: str) -> str:
    """The datatype that has the same values in JSON: BF16 travels only as raw bytes.

    >>> in_json("BF16"), in_json("INT8")
    ('FP32', 'INT8')
    """
    return "FP32" if datatype == "BF16" else datatype


@cache
def _decoder(dtype: Dtype, datatype: str, is_nullable: bool, nesting: Nesting) -> Decoder[list[Any]]:
    kind = ACCEPTED[dtype][datatype]
    value = kind | None if is_nullable else kind
    return Decoder(list[list[value]] if nesting == "rows" else list[value])  # type: ignore[valid-type]
