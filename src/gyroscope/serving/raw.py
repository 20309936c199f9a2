"""Tensor values as raw bytes: little-endian, row by row, texts each behind four bytes of length.

`tensors.py` unpacks with this what REST's binary extension and gRPC carry, once it knows how many values there must be.
Numbers are a view of the bytes; nothing is copied or parsed one by one but texts.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gyroscope.errors import InputError, did_you_mean
from gyroscope.models.encoding import EXACT_INTEGER

Buffer = bytes | memoryview
Values = NDArray[Any] | list[str]

_KINDS = {
    "BOOL": np.dtype("u1"),
    **{f"UINT{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"INT{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
    "BF16": np.dtype("<u2"),
}
_LENGTH = struct.Struct("<I")


def unpack(datatype: str, raw: Buffer, count: int, where: str) -> Values:
    """The values of one tensor, `count` of them; numbers as an array, BYTES as texts.

    >>> unpack("INT16", bytes([1, 0, 255, 255]), 2, "inputs[0]").tolist()
    [1, -1]
    >>> unpack("BYTES", bytes([2, 0, 0, 0]) + b"UA", 1, "inputs[0]")
    ['UA']

    Raises `InputError`, status 400, when the bytes are not exactly that many values.
    """
    if datatype == "BYTES":
        return _texts(memoryview(raw), count, where)
    kind = _KINDS.get(datatype)
    if kind is None:
        raise InputError(
            f"{datatype!r} is no datatype", where=f"{where}.datatype", fix=did_you_mean(datatype, [*_KINDS, "BYTES"])
        )
    if len(raw) != count * kind.itemsize:
        raise InputError(
            f"{len(raw):,} bytes where {count:,} values of {datatype} are {count * kind.itemsize:,}",
            where=where,
            fix="mend the shape, the datatype or the size",
            status=400,
        )
    numbers = np.frombuffer(raw, kind)
    if datatype == "BF16":  # the upper half of an FP32
        return (numbers.astype(np.uint32) << 16).view(np.float32)
    return numbers


def as_float64(datatype: str, numbers: NDArray[Any], where: str) -> NDArray[np.float64]:
    """A new array, for models take float64.

    Raises `InputError` for what it would hide: a whole number beyond 2^53, and a BOOL that is neither.
    """
    low, high = (0, 1) if datatype == "BOOL" else (-EXACT_INTEGER, EXACT_INTEGER)
    if numbers.dtype.kind in "iu" and (datatype == "BOOL" or numbers.dtype.itemsize == 8):
        outside = (numbers < low) | (numbers > high)
        if outside.any():
            at = int(outside.argmax())
            raise InputError(f"{numbers[at]} is not within {low} and {high}", where=f"{where}[{at}]")
    return numbers.astype(np.float64)


def _texts(raw: memoryview, count: int, where: str) -> list[str]:
    texts: list[str] = []
    at = 0
    try:
        while at < len(raw):
            (length,) = _LENGTH.unpack_from(raw, at)
            at += _LENGTH.size
            if length > len(raw) - at:
                raise _broken(f"{length:,} bytes are announced and {len(raw) - at:,} are left", texts, where)
            texts.append(str(raw[at : at + length], "utf-8"))
            at += length
    except struct.error:
        raise _broken("the length is cut off", texts, where) from None
    except UnicodeDecodeError as error:
        raise _broken(f"not UTF-8 ({error.reason})", texts, where) from None
    if len(texts) != count:
        raise InputError(f"{len(texts):,} texts where the shape says {count:,}", where=where, status=400)
    return texts


def _broken(what: str, before: list[str], where: str) -> InputError:
    return InputError(f"text {len(before)}: {what}", where=where, fix="a length in 4 bytes, then UTF-8", status=400)
