"""The records of one model version, from any number of segments, as columns of numpy.

`drain.py` makes one per version and batch, `columns.py` turns it into Arrow. Records lie in the order of their shapes,
not of their arrival: whoever needs an order takes it from the times.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gyroscope.predictions.ids.keys import SHADOW, Keys, keys_of_bytes
from gyroscope.predictions.segments.entries import texts_in
from gyroscope.predictions.segments.scan import HEADERS, RAW, Scan, some_headers
from gyroscope.predictions.segments.shapes import STRINGS, Group, bytes_of, groups, input_hashes
from gyroscope.predictions.segments.wal import MISSING, VARIANTS, Layout
from gyroscope.predictions.tables.arrow import Texts

SHADOW_CODE = VARIANTS.index("shadow")


class Decoded(NamedTuple):
    """Per record: headers, the segment it came from, key, digest of the input, strings. Per row: the blocks, by column.

    `extra` maps a column of the signature to the (row, text) of strings that have no code.
    """

    headers: NDArray[np.void]
    source: NDArray[np.int32]
    keys: Keys
    input_hash: NDArray[np.int64]
    texts: dict[str, Texts]
    numeric: NDArray[np.float64]
    outputs: NDArray[np.float64]
    category: NDArray[np.int32]
    extra: dict[int, list[tuple[int, str]]]

    def ids(self, index: NDArray[np.intp]) -> list[str]:
        """Request ids of some records; that of a shadow has the mark behind it."""
        data, lengths = self.texts["request_id"]
        ends = np.cumsum(lengths)
        whole = data.tobytes()
        spans = zip((ends - lengths)[index].tolist(), ends[index].tolist(), strict=True)
        marks = np.where(self.headers["variant"][index] == SHADOW_CODE, SHADOW.decode(), "").tolist()
        return [
            whole[begin:end].decode("utf-8", "replace") + mark for (begin, end), mark in zip(spans, marks, strict=True)
        ]


class Odd(NamedTuple):
    """Records of one segment that are whole but not of this layout."""

    source: int
    which: NDArray[np.intp]


def decode(scans: Sequence[tuple[int, Scan]], layout: Layout) -> tuple[Decoded, list[Odd]]:
    """All records of these (segment, scan) that were written under this layout, and the others."""
    found: list[tuple[int, Scan, Group]] = []
    odd: list[Odd] = []
    for source, scan in scans:
        ours = (scan.headers["schema_id"] == layout.schema_id) & (scan.headers["variant"] < len(VARIANTS))
        made, _ = groups(scan, np.flatnonzero(ours))
        fitting = [group for group in made if _fits(group, layout)]
        found += [(source, scan, group) for group in fitting]
        kept = np.zeros(len(ours), dtype=np.bool_)
        for group in fitting:
            kept[group.which] = True
        if not kept.all():
            odd.append(Odd(source, np.flatnonzero(~kept)))
    return _decoded(found, layout), odd


def _decoded(found: list[tuple[int, Scan, Group]], layout: Layout) -> Decoded:
    every = [group for _, _, group in found]
    rows = [len(group.which) * group.rows for group in every]
    starts = np.cumsum([0, *rows]).tolist()
    numeric = _block(every, starts, "numeric", np.empty((layout.numeric.size, starts[-1])), np.nan)
    outputs = _block(every, starts, "outputs", np.empty((layout.width, starts[-1])), np.nan)
    codes = np.empty((layout.category.size, starts[-1]), dtype=np.int32)
    return Decoded(
        headers=_joined([some_headers(scan.headers, group.which).view(RAW) for _, scan, group in found], RAW).view(
            HEADERS
        ),
        source=_joined([np.full(len(group.which), source, np.int32) for source, _, group in found], np.int32),
        keys=_joined([_keys(scan, group) for _, scan, group in found], np.uint64).reshape(-1, 2),
        input_hash=_joined([input_hashes(group) for group in every], np.int64),
        texts={name: _texts(every, name) for name in STRINGS},
        numeric=numeric,
        outputs=outputs,
        category=_block(every, starts, "category", codes, MISSING),
        extra=_extra(every, starts),
    )


def _fits(group: Group, layout: Layout) -> bool:
    """Whether the blocks are those of the layout, or none."""
    wanted = {"numeric": 8 * layout.numeric.size, "outputs": 8 * layout.width, "category": 4 * layout.category.size}
    return all(group.view.dtype[name].itemsize == group.rows * size for name, size in wanted.items() if group.has(name))


def _block(groups: list[Group], starts: list[int], name: str, block: NDArray[Any], missing: float) -> NDArray[Any]:
    """One part of all records, by column; `missing` in the rows of those that do not have it."""
    for group, begin, end in zip(groups, starts[:-1], starts[1:], strict=True):
        block[:, begin:end] = group.numbers(name, block.dtype.str).T if group.has(name) else missing
    return block


def _keys(scan: Scan, group: Group) -> Keys:
    shadows = scan.headers["variant"][group.which] == SHADOW_CODE
    if not group.has("request_id"):
        return keys_of_bytes(SHADOW if shadow else b"" for shadow in shadows.tolist())
    ids = bytes_of(group.view["request_id"])
    if not shadows.any():
        return keys_of_bytes(ids)
    return keys_of_bytes(one + SHADOW if shadow else one for one, shadow in zip(ids, shadows.tolist(), strict=True))


def _texts(groups: list[Group], name: str) -> Texts:
    data, lengths = [], []
    for group in groups:
        size = group.view.dtype[name].itemsize if group.has(name) else 0
        lengths.append(np.full(len(group.which), size, dtype=np.int64))
        if size:
            data.append(np.ascontiguousarray(group.view[name]).view(np.uint8))
    return Texts(_joined(data, np.uint8), _joined(lengths, np.int64))


def _extra(groups: list[Group], starts: list[int]) -> dict[int, list[tuple[int, str]]]:
    found: dict[int, list[tuple[int, str]]] = {}
    for group, start in zip(groups, starts[:-1], strict=True):
        if not group.has("texts"):
            continue
        for number, tail in enumerate(bytes_of(group.view["texts"])):
            for row, column, text in texts_in(tail, 0, group.texts):
                found.setdefault(column, []).append((start + number * group.rows + row, text))
    return found


def _joined(parts: list[NDArray[Any]], kind: Any) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty(0, dtype=kind)
