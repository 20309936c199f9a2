"""The Arrow C stream interface, read through ctypes: whatever hands over Arrow data does so in this form.

`arrow_columns.py` looks into the batches. While the next one is made Python's lock is free, so another thread counts.
Nothing is copied; a batch is given back when the last array over it is gone.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gyroscope.errors import InputError


class CSchema(ctypes.Structure):
    """`struct ArrowSchema` of the Arrow C data interface."""


class CArray(ctypes.Structure):
    """`struct ArrowArray` of the Arrow C data interface."""


class _CStream(ctypes.Structure):
    """`struct ArrowArrayStream`."""


CSchema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_void_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.POINTER(ctypes.POINTER(CSchema))),
    ("dictionary", ctypes.POINTER(CSchema)),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(CSchema))),
    ("private_data", ctypes.c_void_p),
]
CArray._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(CArray))),
    ("dictionary", ctypes.POINTER(CArray)),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(CArray))),
    ("private_data", ctypes.c_void_p),
]
_CStream._fields_ = [
    ("get_schema", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_CStream), ctypes.POINTER(CSchema))),
    ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_CStream), ctypes.POINTER(CArray))),
    ("get_last_error", ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.POINTER(_CStream))),
    ("release", ctypes.c_void_p),
    ("private_data", ctypes.c_void_p),
]
_pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_of.restype = ctypes.c_void_p
_pointer_of.argtypes = [ctypes.py_object, ctypes.c_char_p]


class Field(NamedTuple):
    """A column's name and its type as the interface writes it; `dictionary` is the type of a dictionary's values."""

    name: str
    format: str
    dictionary: str = ""


class Lease:
    """A batch that was lent to us; it goes back when nobody holds it any more."""

    def __init__(self, array: CArray) -> None:
        self.array = array

    def __del__(self) -> None:
        if self.array.release:
            self.array.release(ctypes.byref(self.array))

    def numbers(self, address: int | None, count: int, kind: str) -> npt.NDArray[Any]:
        """`count` numbers of numpy's `kind` at an address of the batch, without a copy."""
        if not count or not address:
            return np.zeros(count, kind)
        return np.asarray(_Window(self, address, count, np.dtype(kind).str))


class _Window:
    """What numpy needs to look at memory, and what keeps that memory."""

    def __init__(self, lease: Lease, address: int, count: int, kind: str) -> None:
        self.lease = lease
        self.__array_interface__ = {"data": (address, True), "shape": (count,), "typestr": kind, "version": 3}


class Batch(NamedTuple):
    """Rows of a stream: `array` is a struct whose children are the columns."""

    fields: tuple[Field, ...]
    lease: Lease

    @property
    def array(self) -> CArray:
        return self.lease.array


def batches(exporter: Any, where: str) -> Iterator[Batch]:
    """The batches of anything with `__arrow_c_stream__`, one at a time; of no rows an empty one, for its fields.

    Raises `InputError` with what the other side says when it cannot go on.
    """
    capsule = exporter.__arrow_c_stream__()  # gives the stream back when it is collected
    stream = ctypes.cast(_pointer_of(capsule, b"arrow_array_stream"), ctypes.POINTER(_CStream))
    fields = _fields(stream, where)
    is_empty = True
    while True:
        array = CArray()
        _check(stream, stream.contents.get_next(stream, ctypes.byref(array)), where)
        if not array.release:
            break
        is_empty = False
        yield Batch(fields, Lease(array))
    if is_empty:
        yield Batch(fields, Lease(_nothing(len(fields))))


def _nothing(columns: int) -> CArray:
    """A batch without rows."""
    buffers, dictionary = (ctypes.c_void_p * 3)(), CArray()
    child = CArray(buffers=buffers, dictionary=ctypes.pointer(dictionary))
    dictionary.buffers = buffers
    return CArray(n_children=columns, children=(ctypes.POINTER(CArray) * columns)(*[ctypes.pointer(child)] * columns))


def _fields(stream: Any, where: str) -> tuple[Field, ...]:
    schema = CSchema()
    _check(stream, stream.contents.get_schema(stream, ctypes.byref(schema)), where)
    try:
        children = [schema.children[place].contents for place in range(schema.n_children)]
        return tuple(
            Field((child.name or b"").decode(), child.format.decode(), _values_of(child)) for child in children
        )
    finally:
        schema.release(ctypes.byref(schema))


def _values_of(schema: CSchema) -> str:
    return str(schema.dictionary.contents.format.decode()) if schema.dictionary else ""


def _check(stream: Any, code: int, where: str) -> None:
    if code:
        said = stream.contents.get_last_error(stream) or b"no reason was given"
        reason = " ".join(said.decode("utf-8", "replace").split("\n\n")[0].splitlines()[:3])
        raise InputError(f"the data cannot be read: {reason}", where=where, fix="check what it holds")
