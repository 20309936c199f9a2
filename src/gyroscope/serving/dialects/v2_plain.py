"""The ordinary V2 body, in one step: one FP64 tensor of all features, its numbers flat, nothing else but an id.

`v2.py` tries this first for models whose features are all float64. It never refuses: what is not ordinary, faults
included, is read in full. A third of the price, because each number is decoded once and nothing is looked at twice.
"""

from __future__ import annotations

from collections.abc import Callable
from types import GenericAlias
from typing import Any, Literal

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from gyroscope.ids import MAX_ID
from gyroscope.models.runners import Rows
from gyroscope.serving.dialects import Question
from gyroscope.serving.intake import MAX_ROWS, Intake

_KEYS = 5  # "inputs" and those of its one tensor
_DATA = b'"data":'
_NOWHERE = b"\0"  # what no JSON starts with
_REMEMBERED_BYTES = 2_048


class PlainReader:
    """For one signature."""

    def __init__(self, intake: Intake) -> None:
        self.width = len(intake.names)
        self._one = (1, self.width)
        number = float | None if intake.is_nullable else float
        fields: list[tuple[str, Any]] = [
            ("name", str),
            ("shape", tuple[int, int]),
            ("datatype", Literal["FP64"]),
            ("data", GenericAlias(list, (number,))),
        ]
        tensor = msgspec.defstruct("Tensor", fields, forbid_unknown_fields=True)
        body = msgspec.defstruct(
            "Body",
            [("inputs", GenericAlias(tuple, (tensor,))), ("id", str | UnsetType, UNSET)],
            forbid_unknown_fields=True,
        )
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(body).decode
        row = GenericAlias(tuple, (number,) * self.width)
        self._row: Callable[[bytes], tuple[float | None, ...]] = msgspec.json.Decoder(row).decode
        self._remember(_NOWHERE, b"")
        # One feature alone may come as a vector of its own, and categories as texts.
        self.is_usable = intake.is_plain and self.width > 1

    def one(self, body: bytes) -> tuple[float | None, ...] | None:
        """The numbers of a body that asks about one row and brings no id; None for any other."""
        try:
            if body.startswith(self._start) and body.endswith(self._end):
                return self._row(body[self._inside])
            found = self._decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        (tensor,) = found.inputs
        values: list[float | None] = tensor.data
        is_one = tensor.shape == self._one and len(values) == self.width and found.id is UNSET
        if not is_one or body.count(b":") != _KEYS:
            return None
        self._remember(*_around(body))
        return tuple(values)

    def _remember(self, start: bytes, end: bytes) -> None:
        """What was around the numbers of a body."""
        self._start, self._end, self._inside = start, end, slice(len(start), -len(end))

    def read(self, body: bytes) -> Question | None:
        """The question, or None for what must be read in full."""
        if not self.is_usable:
            return None
        try:
            found = self._decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        (tensor,), client_id = found.inputs, found.id
        n, width = tensor.shape
        keys = _KEYS if client_id is UNSET else _KEYS + 1
        # As many colons as keys: then none was there twice.
        if width != self.width or not 0 < n <= MAX_ROWS or len(tensor.data) != n * width or body.count(b":") != keys:
            return None
        rows = Rows(np.array(tensor.data, dtype=np.float64).reshape(n, width))
        if client_id is UNSET:
            return Question(rows)
        is_kept = len(client_id) <= MAX_ID and client_id.isascii() and client_id.isprintable()
        return Question(rows, client_id) if is_kept else None


def _around(body: bytes) -> tuple[bytes, bytes]:
    """What is before and after the numbers of a body that asks about one row; the next one differs in nothing else.

    >>> _around(b'{"inputs":[{"data":[1,2],"name":"]"}]}')
    (b'{"inputs":[{"data":', b',"name":"]"}]}')
    """
    # Each colon is behind a key, none is in a text, and a key that only ends so would have been refused.
    start, key, rest = body.partition(_DATA)
    end = rest[rest.find(b"]") + 1 :]
    return (start + key, end) if key and len(start) + len(end) <= _REMEMBERED_BYTES else (_NOWHERE, b"")
