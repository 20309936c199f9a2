"""Columns of an Arrow batch as profiles take them: numbers with NaN where missing, or texts. Nothing is decoded.

`blocks.py` calls this for each batch. Dates become microseconds since 1970, durations microseconds.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gyroscope.sources.arrow_stream import Batch, CArray, Field, Lease
from gyroscope.stats.profiles import Column
from gyroscope.stats.texts import Texts

_NUMBERS = dict(zip("cCsSiIlLefg", ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"), strict=True))
_MOMENTS = {"tdD": "i4", "tdm": "i8", "tts": "i4", "ttm": "i4", "ttu": "i8", "ttn": "i8"}
_MICROS = {"D": 86_400_000_000, "s": 1_000_000, "m": 1_000, "u": 1}
_NANOS = "n"
_OTHERS = {"+s": "records", "+m": "maps", "+u": "unions", "+r": "runs", "+": "lists", "ti": "intervals"}
_INLINE, _VIEW = 12, 16


class Unreadable(NamedTuple):
    """A column that cannot be profiled, and what it holds instead of numbers or text."""

    holds: str


class _Part(NamedTuple):
    """The rows of one array that count: `rows` of them from `offset` on."""

    lease: Lease
    array: CArray
    offset: int
    rows: int

    def buffer(self, place: int, kind: str) -> npt.NDArray[Any]:
        """These rows of a buffer of numbers."""
        size = np.dtype(kind).itemsize
        address = self.array.buffers[place]
        return self.lease.numbers(address and address + self.offset * size, self.rows, kind)

    def bits(self, place: int) -> npt.NDArray[np.bool_]:
        """These rows of a buffer of bits."""
        first, shift = divmod(self.offset, 8)
        address = self.array.buffers[place]
        packed = self.lease.numbers(address and address + first, -(-(shift + self.rows) // 8), "u1")
        return np.unpackbits(packed, count=shift + self.rows, bitorder="little")[shift:].view(np.bool_)

    def present(self) -> npt.NDArray[np.bool_] | None:
        """Which rows have a value; None when all have one."""
        if not self.array.n_buffers or not self.array.null_count or not self.array.buffers[0]:
            return None
        return self.bits(0)


def columns_of(batch: Batch) -> dict[str, Column | Unreadable]:
    """Each column of a batch, by name."""
    whole = batch.array
    found = {}
    for place, field in enumerate(batch.fields):
        array = whole.children[place].contents
        found[field.name] = _column(field, _Part(batch.lease, array, array.offset + whole.offset, whole.length))
    return found


def _column(field: Field, part: _Part) -> Column | Unreadable:
    if field.dictionary:
        return _of_dictionary(field, part)
    kind = field.format
    if kind in ("u", "U"):
        return _texts(part, "i4" if kind == "u" else "i8")
    if kind == "vu":
        return _viewed_texts(part)
    if kind == "n":
        return np.full(part.rows, np.nan)
    numbers = _numbers(kind, part)
    if numbers is None:
        return Unreadable(next((word for start, word in _OTHERS.items() if kind.startswith(start)), "bytes"))
    present = part.present()
    return numbers if present is None else np.where(present, numbers, np.nan)


def _numbers(kind: str, part: _Part) -> npt.NDArray[Any] | None:
    if kind in _NUMBERS:
        return part.buffer(1, _NUMBERS[kind])
    if kind == "b":
        return part.bits(1)
    if kind in _MOMENTS or kind[:2] in ("ts", "tD"):
        values, unit = part.buffer(1, _MOMENTS.get(kind, "i8")), kind[2]
        return values // 1_000 if unit == _NANOS else values.astype(np.float64) * _MICROS[unit]
    if kind.startswith("d:"):
        return _decimals(kind, part)
    return None


def _decimals(kind: str, part: _Part) -> npt.NDArray[np.float64]:
    _, scale, bits = (*(int(word) for word in kind[2:].split(",")), 128)[:3]
    words = max(bits // 64, 1)
    whole = _Part(part.lease, part.array, part.offset * words, part.rows * words)
    limbs = whole.buffer(1, "i4" if bits == 32 else "i8").reshape(part.rows, words)
    value = limbs[:, -1].astype(np.float64)
    for place in range(words - 2, -1, -1):
        value = value * 2.0**64 + limbs[:, place].view(np.uint64)
    return value / 10.0**scale


def _texts(part: _Part, kind: str) -> Texts:
    bounds = _Part(part.lease, part.array, part.offset, part.rows + 1).buffer(1, kind).astype(np.int64)
    first, last = int(bounds[0]), int(bounds[-1])
    address = part.array.buffers[2]
    data = part.lease.numbers(address and address + first, last - first, "u1")
    starts = bounds - first
    return Texts(data, starts[:-1], np.diff(starts), part.present())


def _viewed_texts(part: _Part) -> Texts:
    """Texts of up to 12 bytes lie in the views, longer ones in the buffers that these point to."""
    whole = _Part(part.lease, part.array, part.offset * _VIEW, part.rows * _VIEW).buffer(1, "u1")
    views = whole.view("i4").reshape(part.rows, 4)
    present = part.present()
    sizes = views[:, 0].astype(np.int64)
    if present is not None:
        sizes[~present] = 0  # what a view says of a missing text is arbitrary
    starts = np.arange(part.rows) * _VIEW + 4
    here = Texts(whole, starts, sizes, present)
    far = np.flatnonzero(sizes > _INLINE)
    return _with_far_texts(part, here, views, far) if far.size else here


def _with_far_texts(part: _Part, here: Texts, views: npt.NDArray[np.int32], far: npt.NDArray[np.intp]) -> Texts:
    count = part.array.n_buffers - 3
    lengths = part.lease.numbers(part.array.buffers[part.array.n_buffers - 1], count, "i8").tolist()
    data, starts = [here.data], here.starts.copy()
    used = here.data.size
    for place in range(count):
        rows = far[views[far, 2] == place]
        if not rows.size:
            continue
        buffer = part.lease.numbers(part.array.buffers[2 + place], lengths[place], "u1")
        near = Texts(buffer, views[rows, 3].astype(np.int64), here.sizes[rows]).compact()
        data.append(near.data)
        starts[rows] = near.starts + used
        used += near.data.size
    return Texts(np.concatenate(data), starts, here.sizes, here.present)


def _of_dictionary(field: Field, part: _Part) -> Column | Unreadable:
    array = part.array.dictionary.contents
    values = _column(Field(field.name, field.dictionary), _Part(part.lease, array, array.offset, array.length))
    if isinstance(values, Unreadable):
        return values
    if not array.length:
        return Texts.of([None] * part.rows) if isinstance(values, Texts) else np.full(part.rows, np.nan)
    present = part.present()
    codes = part.buffer(1, _NUMBERS[field.format]).astype(np.int64)
    if present is not None:
        codes = np.where(present, codes, 0)
    picked = values[codes]
    if isinstance(picked, Texts):
        both = picked.present if present is None else present if picked.present is None else present & picked.present
        return Texts(picked.data, picked.starts, picked.sizes, both)
    return picked if present is None else np.where(present, picked, np.nan)
