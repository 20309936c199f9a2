"""FlatBuffers tables, read with every offset held against what is there.

`reader.py` takes Arrow's metadata apart with it. It copies nothing, and trusts no number in the bytes.
"""

from __future__ import annotations

import struct

from gyroscope.errors import InputError

_UNSIGNED = struct.Struct("<I")


class Table:
    """One table; `slot` is a field's place in the schema, and a field that is not there has its default."""

    def __init__(self, raw: memoryview, at: int) -> None:
        self._raw = raw
        self._at = at
        self._fields = at - self.read("<i", at)
        self._size = self.read("<H", self._fields)

    @classmethod
    def root(cls, raw: memoryview) -> Table:
        """The table that a buffer holds. Raises `InputError`, status 400."""
        (at,) = _UNSIGNED.unpack(raw[:4]) if len(raw) >= 4 else (0,)
        return cls(raw, at)

    def number(self, slot: int, form: str, default: int = 0) -> int:
        """A scalar of this `struct` form."""
        at = self._place(slot)
        return self.read(form, at) if at else default

    def table(self, slot: int) -> Table | None:
        """A table that this one points to."""
        at = self._target(slot)
        return Table(self._raw, at) if at else None

    def text(self, slot: int) -> str:
        """A text; an empty one when it is not there."""
        at, count = self._vector(slot, 1)
        try:
            return str(self._raw[at : at + count], "utf-8")
        except UnicodeDecodeError as error:
            raise malformed(f"a name is not UTF-8 ({error.reason})") from None

    def tables(self, slot: int, most: int) -> list[Table]:
        """The first tables of a vector of them."""
        at, count = self._vector(slot, 4)
        places = range(at, at + 4 * min(count, most), 4)
        return [Table(self._raw, place + self.read("<I", place)) for place in places]

    def longs(self, slot: int, width: int = 1) -> list[tuple[int, ...]]:
        """A vector of structs that are `width` 64-bit numbers each."""
        at, count = self._vector(slot, 8 * width)
        return list(struct.iter_unpack(f"<{width}q", self._raw[at : at + 8 * width * count]))

    def read(self, form: str, at: int) -> int:
        """One number at a place. Raises `InputError`, status 400, when that is outside."""
        if not 0 <= at <= len(self._raw) - struct.calcsize(form):
            raise malformed("its metadata points outside of it")
        return int(struct.unpack_from(form, self._raw, at)[0])

    def _place(self, slot: int) -> int:
        """Where a field is; 0 when it is not there."""
        entry = 4 + 2 * slot
        offset = self.read("<H", self._fields + entry) if entry + 2 <= self._size else 0
        return self._at + offset if offset else 0

    def _target(self, slot: int) -> int:
        at = self._place(slot)
        return at + self.read("<I", at) if at else 0

    def _vector(self, slot: int, width: int) -> tuple[int, int]:
        at = self._target(slot)
        count = self.read("<I", at) if at else 0
        if count * width > len(self._raw) - at - 4:
            raise malformed("a list in its metadata is longer than it")
        return at + 4, count


def malformed(what: str) -> InputError:
    """The refusal of bytes that are no Arrow stream."""
    return InputError(f"malformed Arrow stream: {what}", status=400)
