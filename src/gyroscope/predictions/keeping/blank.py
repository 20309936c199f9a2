"""Emptying a subject's own records in bytes of the log that never became rows: segments set aside, pieces of damage.

`erasure.py` calls it. Records of others stay as they are, whatever their texts have in common with the subject's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.predictions.labels.books import LEAST_SOUGHT
from gyroscope.predictions.segments.look import number_of
from gyroscope.predictions.segments.scan import HEADERS, Scan, scan
from gyroscope.predictions.segments.wal import HEADER_BYTES
from gyroscope.predictions.tables.rewrite import sync

STRINGS = ("request_id", "client_id", "entity_key")
"""In the order in which they stand in a record, behind its numbers."""


class Wanted(msgspec.Struct, frozen=True):
    """Whose records: field -> the texts, as they are written down, of which one stands there."""

    fields: dict[str, set[bytes]]

    @property
    def long_texts(self) -> set[bytes]:
        """Those that may be looked for where no record can be made out."""
        texts: set[bytes] = set().union(*self.fields.values())
        return {text for text in texts if len(text.decode()) >= LEAST_SOUGHT}


def wanted(named: Mapping[str, Iterable[str]]) -> Wanted:
    """Records that one of these texts names in its field."""
    return Wanted({name: {text.encode("utf-8", "backslashreplace") for text in texts} for name, texts in named.items()})


def blank_file(segment: Path, whose: Wanted) -> None:
    """Empty the subject's records in a segment that was set aside."""
    data = segment.read_bytes()
    blanked = blank(data, number_of(segment), 0, whose)
    if blanked != data:
        segment.write_bytes(blanked)
        sync(segment)


def blank(data: bytes, segment: int, start: int, whose: Wanted) -> bytes:
    """These bytes of a segment, from its byte `start` on, with zeros for the body of each of the subject's records.

    Where no record can be made out, zeros for its texts themselves, unless they are so short that anybody's hold them.
    """
    found = scan(data, segment=segment, sealed=True, start=start, sequence=0 if start == 0 else -1)
    blanked = bytearray(data)
    texts = whose.long_texts
    for damage in found.damages:
        begin, end = damage.offset - start, damage.offset - start + damage.length
        blanked[begin:end] = _without(bytes(blanked[begin:end]), texts)
    for begin, end in _bodies(found, whose):
        blanked[begin:end] = bytes(end - begin)
    return bytes(blanked)


def _without(data: bytes, texts: set[bytes]) -> bytes:
    for text in texts:
        data = data.replace(text, bytes(len(text)))
    return data


def _bodies(found: Scan, whose: Wanted) -> Iterator[tuple[int, int]]:
    """Where the body of each of the subject's records begins and ends."""
    headers, begins = _with_whole_headers(found)
    sizes = {name: headers[name].astype(np.int64) for name in ("rows", "numeric", "outputs", "category", *STRINGS)}
    ends = begins + sizes["rows"] * (8 * sizes["numeric"] + 8 * sizes["outputs"] + 4 * sizes["category"])
    is_theirs = np.zeros(len(headers), dtype=np.bool_)
    for name in STRINGS:
        at, ends = ends, ends + sizes[name]
        texts = whose.fields.get(name, set())
        spans = zip(at.tolist(), ends.tolist(), strict=True)
        is_theirs |= np.array([found.data[begin:end] in texts for begin, end in spans], dtype=np.bool_)
    lengths = headers["length"].astype(np.int64)
    for which in np.flatnonzero(is_theirs).tolist():
        yield int(begins[which]), min(int(begins[which] + lengths[which]) - HEADER_BYTES, len(found.data))


def _with_whole_headers(found: Scan) -> tuple[NDArray[np.void], NDArray[np.int64]]:
    """Headers that can be trusted, those of records with a damaged body too, and where the body of each begins."""
    damaged = [damage for damage in found.damages if damage.reason == "checksum"]
    headers = [np.frombuffer(damage.data[:HEADER_BYTES], HEADERS) for damage in damaged]
    offsets = np.array([damage.offset - found.start for damage in damaged], dtype=np.int64)
    return np.concatenate([found.headers, *headers]), np.concatenate([found.offsets, offsets]) + HEADER_BYTES
