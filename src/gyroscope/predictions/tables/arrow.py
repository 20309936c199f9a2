"""Numpy arrays as Arrow arrays, by Arrow's C data interface: no value passes through Python, missing ones are null.

`columns.py` calls it. The buffers stay numpy's; each is kept until whoever got the array says that it is done with it.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from arro3.core import Array, DataType
from numpy.typing import NDArray

from gyroscope.errors import StoreError

Kind = Literal["text", "double", "long", "int", "short", "flag", "time"]

FORMATS: dict[Kind, bytes] = {
    "text": b"u", "double": b"g", "long": b"l", "int": b"i", "short": b"s", "flag": b"b", "time": b"tsu:UTC",
}  # fmt: skip
DTYPES: dict[Kind, Any] = {
    "double": np.float64, "long": np.int64, "int": np.int32, "short": np.int16, "flag": np.bool_, "time": np.int64,
}  # fmt: skip
# Of a text that stands in many rows so many bytes are laid out in a table of equal widths; longer ones are looked up.
WIDE = 64
MOST_BYTES = 2**31 - 1
TEXT = DataType.string_view()
NULLABLE = 2


class Texts(NamedTuple):
    """Texts one after another, UTF-8; `lengths` in bytes."""

    data: NDArray[np.uint8]
    lengths: NDArray[np.int64]

    def take(self, index: NDArray[np.integer[Any]]) -> Texts:
        """These of them, in this order."""
        lengths = self.lengths[index]
        widest = int(self.lengths.max(initial=0))
        if widest > WIDE:
            return Texts(np.frombuffer(b"".join(self._spans(index)), np.uint8), lengths)
        within = np.arange(widest)
        inside = within < self.lengths[:, None]
        table = np.zeros((len(self.lengths), widest), dtype=np.uint8)
        table[inside] = self.data
        taken = table[index]
        if widest and not (lengths == widest).all():
            return Texts(taken[inside[index]], lengths)
        return Texts(taken.reshape(-1), lengths)

    def first_of_each(self, within: NDArray[np.integer[Any]]) -> Texts:
        """One of them where `within` is 0, in their order; nothing elsewhere."""
        lengths = np.zeros(len(within), dtype=np.int64)
        lengths[within == 0] = self.lengths
        return Texts(self.data, lengths)

    def _spans(self, index: NDArray[np.integer[Any]]) -> Iterator[bytes]:
        """The bytes of these, one piece for all that repeat the text before them."""
        if not len(index):
            return
        begins = np.flatnonzero(np.diff(index, prepend=-1))
        counts = np.diff(begins, append=len(index)).tolist()
        which, whole, ends = index[begins], self.data.tobytes(), np.cumsum(self.lengths)
        spans = zip((ends - self.lengths)[which].tolist(), ends[which].tolist(), counts, strict=True)
        for begin, end, count in spans:
            yield whole[begin:end] * count


def texts_of(words: list[str]) -> Texts:
    """Python texts, laid out."""
    coded = [word.encode("utf-8", "backslashreplace") for word in words]
    return Texts(np.frombuffer(b"".join(coded), np.uint8), np.array([len(word) for word in coded], dtype=np.int64))


def text_array(texts: Texts, is_known: NDArray[np.bool_] | None = None) -> Array:
    """A column of texts; null where it is not known. Raises `StoreError` for more than Arrow's offsets can count.

    As views: a column of nothing but empty texts, as that of an id that no client gives, takes the writer of Parquet
    ten times as long when it comes as offsets (0.39 us a row, deltalake 1.6).
    """
    total = int(texts.lengths.sum())
    if total > MOST_BYTES:
        raise StoreError(f"{total:,} bytes are more than one column of texts holds", fix="send fewer rows at a time")
    offsets = np.zeros(len(texts.lengths) + 1, dtype=np.int32)
    np.cumsum(texts.lengths, out=offsets[1:])
    return _array("text", len(texts.lengths), is_known, offsets, np.ascontiguousarray(texts.data)).cast(TEXT)


def word_array(words: list[str], codes: NDArray[Any], is_known: NDArray[np.bool_] | None = None) -> Array:
    """A column of texts by their places among `words`: each word lies in memory once. Null where it is not known."""
    return text_array(texts_of(words)).take(number_array("long", codes, is_known))


def number_array(kind: Kind, values: NDArray[Any], is_known: NDArray[np.bool_] | None = None) -> Array:
    """A column of numbers, flags or times; null where it is not known or a float is NaN."""
    if values.dtype.kind == "f":
        missing = np.isnan(values)
        if missing.any():
            is_known = ~missing
            values = values if kind == "double" else np.where(missing, 0, values)
    values = np.ascontiguousarray(values.astype(DTYPES[kind], copy=False))
    data = np.packbits(values, bitorder="little") if kind == "flag" else values
    return _array(kind, len(values), is_known, data)


def null_array(kind: Kind, count: int) -> Array:
    """A column in which nothing is known."""
    if kind == "text":
        return text_array(Texts(np.empty(0, np.uint8), np.zeros(count, np.int64)), np.zeros(count, np.bool_))
    return number_array(kind, np.full(count, np.nan))


class _Schema(ctypes.Structure):
    _fields_ = (
        ("format", ctypes.c_char_p), ("name", ctypes.c_char_p), ("metadata", ctypes.c_char_p),
        ("flags", ctypes.c_int64), ("n_children", ctypes.c_int64), ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p), ("release", ctypes.c_void_p), ("private_data", ctypes.c_void_p),
    )  # fmt: skip


class _Array(ctypes.Structure):
    _fields_ = (
        ("length", ctypes.c_int64), ("null_count", ctypes.c_int64), ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64), ("n_children", ctypes.c_int64), ("buffers", ctypes.c_void_p),
        ("children", ctypes.c_void_p), ("dictionary", ctypes.c_void_p), ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )  # fmt: skip


class _Export(NamedTuple):
    """What a consumer asks once; both structures live as long as this does, their buffers until they are released."""

    schema: _Schema
    array: _Array

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        return _capsule(ctypes.addressof(self.schema), b"arrow_schema", None), _capsule(
            ctypes.addressof(self.array), b"arrow_array", None
        )


def _array(kind: Kind, length: int, is_known: NDArray[np.bool_] | None, *buffers: NDArray[Any]) -> Array:
    bitmap = None if is_known is None else np.packbits(is_known, bitorder="little")
    every = (bitmap, *buffers)
    pointers = (ctypes.c_void_p * len(every))(*[None if some is None else some.ctypes.data for some in every])
    key = next(_KEYS)
    _KEPT[key] = (pointers, every)
    schema = _Schema(FORMATS[kind], b"", None, NULLABLE, 0, None, None, _address(_release_schema), None)
    array = _Array(
        length,
        0 if is_known is None else length - int(is_known.sum()),
        0,
        len(every),
        0,
        ctypes.addressof(pointers),
        None,
        None,
        _address(_release_array),
        key,
    )
    return Array.from_arrow(_Export(schema, array))


_KEPT: dict[int, object] = {}
_KEYS = itertools.count(1)

_capsule = ctypes.pythonapi.PyCapsule_New
_capsule.restype = ctypes.py_object
_capsule.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)


def _schema_is_done(schema: Any) -> None:
    schema.contents.release = None


def _array_is_done(array: Any) -> None:
    _KEPT.pop(array.contents.private_data, None)
    array.contents.release = None


_release_schema = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Schema))(_schema_is_done)
_release_array = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Array))(_array_is_done)


def _address(function: Any) -> int | None:
    return ctypes.cast(function, ctypes.c_void_p).value
