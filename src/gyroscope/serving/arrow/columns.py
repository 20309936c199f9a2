"""Arrow buffers as values: numbers by numpy, texts one by one, missing ones marked.

`reader.py` hands over the buffers of one column of one batch, all of them cut out of the body; their contents are what
a stranger sent.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.serving.arrow.flatbuffer import malformed

Texts = list[str | None]

_VIEW = struct.Struct("<i4sii")
_INLINE = 12
# Views may name the same bytes again and again.
_MOST_VIEWED = 4 * 1024 * 1024


class Kind(msgspec.Struct, frozen=True):
    """What a column holds: the datatype in V2's words, and how it lies: `dtype`, or how the texts are laid out."""

    datatype: str
    layout: str

    @property
    def buffers(self) -> int:
        """How many buffers it has, without those that a view has in addition."""
        return 3 if self.layout in ("offsets32", "offsets64") else 2


class Part(msgspec.Struct):
    """What one batch has of a column. Numbers that are missing are 0 here and marked in `missing`; texts are None."""

    values: NDArray[Any] | Texts
    missing: NDArray[np.bool_] | None = None


def part(kind: Kind, buffers: Sequence[memoryview], count: int, nulls: int) -> Part:
    """`count` values out of the buffers of a batch.

    Raises `InputError`, status 400, when they do not hold that many.
    """
    missing = ~_bits(buffers[0], count) if nulls and len(buffers[0]) else None
    if kind.layout in ("offsets32", "offsets64"):
        return Part(_blank(_texts(kind.layout, buffers, count), missing))
    if kind.layout == "views":
        return Part(_blank(_viewed(buffers[1], buffers[2:], count), missing))
    if kind.layout == "bits":
        numbers: NDArray[Any] = _bits(buffers[1], count).view(np.uint8)
    else:
        dtype = np.dtype(kind.layout)
        numbers = np.frombuffer(_cut(buffers[1], count * dtype.itemsize), dtype)
    if missing is None:
        return Part(numbers)
    # Anything may lie where a value is missing.
    return Part(np.where(missing, numbers.dtype.type(0), numbers), missing)


def looked_up(indices: Part, words: Texts) -> Part:
    """The texts of a dictionary-encoded column. Raises `InputError`, status 400."""
    places = np.asarray(indices.values)
    gaps = indices.missing if indices.missing is not None else np.zeros(len(places), np.bool_)
    known = places[~gaps]
    if len(known) and not 0 <= int(known.min()) <= int(known.max()) < len(words):
        raise malformed("an index points outside of its dictionary")
    return Part([None if gap else words[place] for place, gap in zip(places.tolist(), gaps, strict=True)])


def _bits(raw: memoryview, count: int) -> NDArray[np.bool_]:
    octets = np.frombuffer(_cut(raw, (count + 7) // 8), np.uint8)
    return np.unpackbits(octets, count=count, bitorder="little").view(np.bool_)


def _cut(raw: memoryview, size: int) -> memoryview:
    if len(raw) < size:
        raise malformed(f"a buffer of {len(raw):,} bytes where {size:,} are needed")
    return raw[:size]


def _blank(texts: Texts, missing: NDArray[np.bool_] | None) -> Texts:
    return texts if missing is None else [None if gap else text for text, gap in zip(texts, missing, strict=True)]


def _texts(layout: str, buffers: Sequence[memoryview], count: int) -> Texts:
    dtype = np.dtype("<i4" if layout == "offsets32" else "<i8")
    if not count:
        return []
    ends = np.frombuffer(_cut(buffers[1], (count + 1) * dtype.itemsize), dtype)
    if ends[0] < 0 or ends[-1] > len(buffers[2]) or (np.diff(ends) < 0).any():
        raise malformed("the offsets of its texts do not fit")
    places = ends.tolist()
    return [_text(buffers[2][start:end]) for start, end in itertools.pairwise(places)]


def _viewed(views: memoryview, data: Sequence[memoryview], count: int) -> Texts:
    texts: Texts = []
    viewed = _cut(views, count * _VIEW.size)
    lengths = np.frombuffer(viewed, "<i4")[::4]
    if lengths.clip(0).sum(dtype=np.int64) > _MOST_VIEWED:
        raise malformed(f"its texts are more than {_MOST_VIEWED:,} bytes")
    for length, head, buffer, at in _VIEW.iter_unpack(viewed):
        if 0 <= length <= _INLINE:
            texts.append(_text((head + struct.pack("<ii", buffer, at))[:length]))
        elif length > 0 and 0 <= buffer < len(data) and 0 <= at <= len(data[buffer]) - length:
            texts.append(_text(data[buffer][at : at + length]))
        else:
            raise malformed("a view of a text points outside of its buffer")
    return texts


def _text(raw: memoryview | bytes) -> str:
    try:
        return str(raw, "utf-8")
    except UnicodeDecodeError as error:
        raise malformed(f"a text is not UTF-8 ({error.reason})") from None
