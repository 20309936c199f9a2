"""Answers as an Arrow IPC stream: columns of float64 without gaps, one batch.

`dialects/arrow.py` calls it; the schema of a model's answers is laid out once.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import flatbuffers
import numpy as np
from numpy.typing import NDArray

_V5 = 4
_SCHEMA, _BATCH = 1, 3
_FLOAT, _DOUBLE = 3, 2
_END = struct.pack("<Ii", 0xFFFF_FFFF, 0)


class StreamWriter:
    """Streams of columns with these names."""

    def __init__(self, names: Sequence[str]) -> None:
        self._width = len(names)
        self._schema = _message(_SCHEMA, _schema(names), 0)

    def write(self, outputs: NDArray[np.float64]) -> bytes:
        """The stream of one answer, (n,) or (n, columns)."""
        columns = np.ascontiguousarray(outputs.reshape(len(outputs), self._width).T, dtype="<f8")
        batch = _message(_BATCH, _batch(len(outputs), self._width), columns.nbytes)
        return b"".join((self._schema, batch, columns.tobytes(), _END))


def _schema(names: Sequence[str]) -> tuple[flatbuffers.Builder, int]:
    builder = flatbuffers.Builder(256)
    fields = [_field(builder, name) for name in names]
    builder.StartVector(4, len(fields), 4)
    for field in reversed(fields):
        builder.PrependUOffsetTRelative(field)
    listed = builder.EndVector()
    builder.StartObject(4)
    builder.PrependUOffsetTRelativeSlot(1, listed, 0)
    return builder, builder.EndObject()


def _field(builder: flatbuffers.Builder, name: str) -> int:
    text = builder.CreateString(name)
    builder.StartObject(1)
    builder.PrependInt16Slot(0, _DOUBLE, 0)
    kind = builder.EndObject()
    builder.StartVector(4, 0, 4)
    children = builder.EndVector()
    builder.StartObject(7)
    builder.PrependUOffsetTRelativeSlot(0, text, 0)
    builder.PrependUint8Slot(2, _FLOAT, 0)
    builder.PrependUOffsetTRelativeSlot(3, kind, 0)
    # Readers want the list, though a flat column has no children.
    builder.PrependUOffsetTRelativeSlot(5, children, 0)
    return int(builder.EndObject())


def _batch(rows: int, width: int) -> tuple[flatbuffers.Builder, int]:
    builder = flatbuffers.Builder(256)
    size = rows * 8
    # Two buffers a column: the empty one says that nothing is missing.
    buffers = _pairs(builder, [pair for i in range(width) for pair in ((i * size, 0), (i * size, size))])
    nodes = _pairs(builder, [(rows, 0)] * width)
    builder.StartObject(5)
    builder.PrependInt64Slot(0, rows, 0)
    builder.PrependUOffsetTRelativeSlot(1, nodes, 0)
    builder.PrependUOffsetTRelativeSlot(2, buffers, 0)
    return builder, builder.EndObject()


def _pairs(builder: flatbuffers.Builder, pairs: Sequence[tuple[int, int]]) -> int:
    builder.StartVector(16, len(pairs), 8)
    for first, second in reversed(pairs):
        builder.PrependInt64(second)
        builder.PrependInt64(first)
    return int(builder.EndVector())


def _message(kind: int, head: tuple[flatbuffers.Builder, int], body_bytes: int) -> bytes:
    builder, at = head
    builder.StartObject(5)
    builder.PrependInt64Slot(3, body_bytes, 0)
    builder.PrependUOffsetTRelativeSlot(2, at, 0)
    builder.PrependInt16Slot(0, _V5, 0)
    builder.PrependUint8Slot(1, kind, 0)
    builder.Finish(builder.EndObject())
    raw = bytes(builder.Output())
    padded = raw + bytes(-len(raw) % 8)
    return struct.pack("<Ii", 0xFFFF_FFFF, len(padded)) + padded
