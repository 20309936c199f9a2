"""Records taken apart in columns: all of one shape are one view in numpy, without a loop over records.

`batch.py` calls it. Two records have one shape when all their sizes are equal; most of a model's traffic has a handful.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from gyroscope.predictions.segments.scan import Scan
from gyroscope.predictions.segments.wal import HEADER_BYTES

# The fields of a header that make a shape: the length, rows and texts, and the sizes of the parts of the body.
SHAPE = (
    "length", "rows", "texts", "numeric", "outputs", "category", "request_id", "client_id", "entity_key", "error"
)  # fmt: skip
STRINGS = ("request_id", "client_id", "entity_key", "error")
# So many records at a time become Python bytes to be hashed: few enough to stay in memory that is already at hand.
AT_ONCE = 1_024
ODD = np.uint64(0x9E3779B97F4A7C15)


class Group(NamedTuple):
    """Records of one shape: which of the scan, how many rows each, and their parts as raw bytes.

    A part without bytes is no field of the view; `texts` has what follows the strings.
    """

    which: NDArray[np.intp]
    rows: int
    texts: int
    view: NDArray[np.void]

    def has(self, name: str) -> bool:
        """Whether these records have any bytes of this part."""
        return name in (self.view.dtype.names or ())

    def numbers(self, name: str, kind: str) -> NDArray[Any]:
        """A block of all records, (records x rows, columns)."""
        raw = np.ascontiguousarray(self.view[name])
        return raw.view(kind).reshape(len(self.which) * self.rows, -1)


def groups(scan: Scan, wanted: NDArray[np.intp]) -> tuple[list[Group], NDArray[np.intp]]:
    """These records of a scan by their shape, and those whose sizes do not fit into their length."""
    made: list[Group] = []
    odd: list[NDArray[np.intp]] = [np.empty(0, np.intp)]
    for index in _alike(scan.headers, wanted):
        shape = tuple(int(scan.headers[index[0]][name]) for name in SHAPE)
        layout = _layout(shape)
        if layout is None:
            odd.append(index)
        else:
            made.append(Group(index, shape[1], shape[2], _view(scan.data, scan.offsets[index], layout)))
    return made, np.concatenate(odd)


def bytes_of(values: NDArray[np.void]) -> Iterator[bytes]:
    """Each value as Python bytes."""
    blocks = (values[begin : begin + AT_ONCE].tolist() for begin in range(0, len(values), AT_ONCE))
    return chain.from_iterable(blocks)


def input_hashes(group: Group) -> NDArray[np.int64]:
    """A digest of what was asked; 0 where no input is in the log."""
    hashed = np.zeros(len(group.which), dtype=np.uint64)
    for name in ("numeric", "category"):
        if group.has(name):
            hashed = hashed * ODD + _each(xxhash.xxh3_64_intdigest, group.view[name])
    if group.has("texts"):
        # Without the padding, which depends on strings that are no input.
        hashed = hashed * ODD + _each(lambda tail: xxhash.xxh3_64_intdigest(tail.rstrip(b"\0")), group.view["texts"])
    if group.has("numeric") or group.has("category") or group.has("texts"):
        hashed[hashed == 0] = 1
    return hashed.view(np.int64)


def _alike(headers: NDArray[np.void], wanted: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """The wanted records by their shape."""
    if not wanted.size:
        return []
    columns = [headers[name] if len(wanted) == len(headers) else headers[name][wanted] for name in SHAPE]
    if all((column == column[0]).all() for column in columns):
        return [wanted]
    found: dict[tuple[int, ...], list[int]] = {}
    for at, shape in zip(wanted.tolist(), zip(*(column.tolist() for column in columns), strict=True), strict=True):
        found.setdefault(shape, []).append(at)
    return [np.array(index, dtype=np.intp) for index in found.values()]


@lru_cache(maxsize=4_096)
def _layout(shape: tuple[int, ...]) -> np.dtype[np.void] | None:
    """Where the parts of a record of this shape lie; None when they do not fit into it."""
    length, rows, texts, numeric, outputs, category, *strings = shape
    sizes = dict(zip(STRINGS, strings, strict=True))
    parts = {"numeric": 8 * rows * numeric, "outputs": 8 * rows * outputs, "category": 4 * rows * category, **sizes}
    rest = length - HEADER_BYTES - sum(parts.values())
    if rest < 0 or rows < 1:
        return None
    if texts:
        parts["texts"] = rest
    places = np.cumsum([HEADER_BYTES, *parts.values()])[:-1].tolist()
    fields = [(name, f"V{size}", at) for (name, size), at in zip(parts.items(), places, strict=True) if size]
    return np.dtype(
        {
            "names": [name for name, _, _ in fields],
            "formats": [kind for _, kind, _ in fields],
            "offsets": [place for _, _, place in fields],
            "itemsize": length,
        }
    )


def _view(data: bytes, offsets: NDArray[np.int64], layout: np.dtype[np.void]) -> NDArray[np.void]:
    """Records in place where they lie at equal distances, else gathered."""
    size = layout.itemsize
    steps = np.diff(offsets)
    if not steps.size or (steps == steps[0]).all():
        stride = int(steps[0]) if steps.size else size
        return np.ndarray((len(offsets),), layout, data, int(offsets[0]), (stride,))
    return np.frombuffer(b"".join([data[at : at + size] for at in offsets.tolist()]), layout)


def _each(function: Callable[[bytes], int], values: NDArray[np.void]) -> NDArray[np.uint64]:
    return np.fromiter(map(function, bytes_of(values)), np.uint64, len(values))
