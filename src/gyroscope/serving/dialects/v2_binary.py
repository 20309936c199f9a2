"""The binary tensor data extension of the Open Inference Protocol: a JSON head, then tensors as they lie in memory.

`v2.py` takes bodies apart with this and puts binary answers together. Sizes come from strangers: each is held against
what is there before a byte is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Raw

from gyroscope.errors import InputError
from gyroscope.serving.dialects import Headers
from gyroscope.serving.dialects.media import OCTETS
from gyroscope.serving.dialects.v2_request import Piece
from gyroscope.serving.tensors import Packed

HEAD_LENGTH = b"inference-header-content-length"

_SIZE = "binary_data_size"


def read_length(header: bytes) -> int:
    """The length of the JSON head. Raises `InputError`, status 400, for what is no length."""
    if header.isdigit() and len(header) <= 12:
        return int(header)
    raise _broken("this is no length", "Inference-Header-Content-Length", "the number of bytes of the JSON head")


def parted(body: bytes, length: int) -> tuple[bytes, memoryview]:
    """Head and bytes. Raises `InputError`, status 400, when the body is shorter than its head."""
    if length > len(body):
        what = f"the head is said to have {length:,} bytes and the body has {len(body):,}"
        raise _broken(what, "Inference-Header-Content-Length", "send the length of the JSON alone")
    return body[:length], memoryview(body)[length:]


def tensors(pieces: Sequence[Piece], rest: memoryview) -> list[Packed]:
    """The inputs, each with its own bytes or its JSON.

    Raises `InputError` for a tensor without data or with two, status 400 when the sizes are not those of the bytes.
    """
    found = list(_tensors(pieces, rest))
    used = sum(len(packed.data) for packed in found if not isinstance(packed.data, Raw))
    if used != len(rest):
        raise _broken(f"{len(rest):,} bytes came and {used:,} are announced", "inputs", f"mend {_SIZE}")
    return found


def joined(head: bytes, raw: bytes) -> tuple[bytes, Headers]:
    """A binary answer."""
    return head + raw, ((b"content-type", OCTETS.encode()), (HEAD_LENGTH, b"%d" % len(head)))


def _tensors(pieces: Sequence[Piece], rest: memoryview) -> Iterator[Packed]:
    at = 0
    for i, piece in enumerate(pieces):
        size = piece.parameters.get(_SIZE) if piece.parameters else None
        if isinstance(piece.data, Raw) and size is None:
            yield Packed(piece.name, piece.shape, piece.datatype, piece.data)
            continue
        if isinstance(piece.data, Raw) or size is None:
            what = "there is no data" if size is None else f"there is data and {_SIZE}"
            raise InputError(what, where=f"inputs[{i}]", fix=f"send either data or {_SIZE}")
        where = f"inputs[{i}].parameters.{_SIZE}"
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise _broken("this is no size", where, "a number of bytes")
        if size > len(rest) - at:
            raise _broken(f"{size:,} bytes are announced and {len(rest) - at:,} are left", where, f"mend {_SIZE}")
        yield Packed(piece.name, piece.shape, piece.datatype, rest[at : at + size])
        at += size


def _broken(what: str, where: str, fix: str) -> InputError:
    return InputError(what, where=where, fix=fix, status=400)
