"""The record that a replica writes before it answers, and the reader that survives damage.

A record is one fixed little-endian header, one row-major block per dtype (float64 inputs, int32 category codes, float64
outputs) and a tail of strings, so numpy alone can decode it. `log.py` encodes, `segments.py` scans. No file is opened.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import google_crc32c
import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.errors import StoreError
from gyroscope.records import Signature

MAGIC = b"\xa9GY1"
MISSING = -1
UNSEEN = -2

# The checksum of the header stands apart from that of the body: with the header intact its length can be trusted, so a
# damaged body costs exactly its own record, and no bytes that a client sent are ever searched for a record.
PREFIX = struct.Struct("<4sI")
HEADER = struct.Struct("<IIQQqqqIIHHHHHHHH")
HEADER_BYTES = PREFIX.size + HEADER.size
UNSEEN_HEAD = struct.Struct("<IHH")

MAX_RECORD_BYTES = 256 * 1024 * 1024
ERROR_BYTES = 4_096
# Years 1 to 9999: what a calendar day, and so a partition, exists for.
EARLIEST_US, LATEST_US = -62_135_596_800_000_000, 253_402_300_799_999_999


class LogEntry(msgspec.Struct):
    """One attempt at one request, as the replica knows it.

    `matrix` is float64 (n, F) in the order of the signature; a category column holds its code, NaN or -1 where missing;
    `unseen` (row, column, text) brings the strings that have no code (whatever the matrix holds there becomes -2).
    `matrix` and `outputs` (n, K) are None for an error.
    """

    request_id: str
    event_time: int
    arrival_time: int
    latency_ns: int
    status: int
    matrix: NDArray[np.float64] | None = None
    outputs: NDArray[np.float64] | None = None
    unseen: list[tuple[int, int, str]] = []
    client_id: str = ""
    entity_key: str = ""
    error: str = ""


class Layout:
    """Which columns of a signature go into which block; computed once per version."""

    def __init__(self, signature: Signature) -> None:
        strings = [feature.dtype == "string" for feature in signature.features]
        self.columns = len(strings)
        self.numeric = np.flatnonzero(~np.array(strings, dtype=bool))
        self.category = np.flatnonzero(np.array(strings, dtype=bool))
        self.width = signature.width
        self.known = np.array(
            [len(signature.features[column].categories) for column in self.category], dtype=np.float64
        )
        self.numeric_list, self.category_list = self.numeric.tolist(), self.category.tolist()
        self.known_list = [int(count) for count in self.known]
        self.pack_numeric = struct.Struct(f"<{self.numeric.size}d").pack
        self.pack_category = struct.Struct(f"<{self.category.size}i").pack
        described = msgspec.json.encode((signature.features, signature.width))
        self.schema_id = int.from_bytes(hashlib.sha256(described).digest()[:8], "little")


class Record(msgspec.Struct, gc=False):
    """One decoded header with its blocks still as bytes; `unseen` and the rest of the tail are text."""

    schema_id: int
    request_id: str
    client_id: str
    entity_key: str
    error: str
    event_time: int
    arrival_time: int
    latency_ns: int
    status: int
    rows: int
    numeric: bytes
    category: bytes
    outputs: bytes
    unseen: tuple[tuple[int, int, str], ...]
    offset: int
    length: int


class Damage(msgspec.Struct, frozen=True):
    """A stretch of a segment that is no record: where, how long, why, and the bytes themselves."""

    offset: int
    length: int
    reason: str
    data: bytes


class Scan(msgspec.Struct, frozen=True):
    """What one pass over a segment found; `end` is where the next pass begins."""

    records: list[Record]
    damages: list[Damage]
    end: int


def encode(entry: LogEntry, layout: Layout, segment: int = 0) -> bytes:
    """One record as bytes, ready for a single write.

    Raises `StoreError` when the entry does not fit the layout or the format.
    """
    try:
        return _encode(entry, layout, segment)
    except (struct.error, ValueError, IndexError, OverflowError) as error:
        raise StoreError(
            f"a prediction cannot be written down: {error}",
            where=f"request {entry.request_id[:80]!r}",
            fix="ids up to 65,535 bytes, times within the years 1 to 9999, the matrix as the signature says",
        ) from error


def decode(record: Record, layout: Layout) -> LogEntry:
    """The entry back from its record.

    Raises `StoreError` when the record was written under another layout.
    """
    if record.schema_id != layout.schema_id:
        raise StoreError("the record has another schema", where=f"request {record.request_id!r}")
    matrix = matrix_of(record.rows, record.numeric, record.category, layout) if _has_matrix(record, layout) else None
    outputs = np.frombuffer(record.outputs).reshape(record.rows, layout.width) if record.outputs else None
    return LogEntry(
        request_id=record.request_id,
        event_time=record.event_time,
        arrival_time=record.arrival_time,
        latency_ns=record.latency_ns,
        status=record.status,
        matrix=matrix,
        outputs=outputs,
        unseen=list(record.unseen),
        client_id=record.client_id,
        entity_key=record.entity_key,
        error=record.error,
    )


def matrix_of(rows: int, numeric: bytes, category: bytes, layout: Layout) -> NDArray[np.float64]:
    """The blocks of one or of many records, one after another, as one float64 matrix in signature order."""
    matrix = np.empty((rows, layout.columns))
    matrix[:, layout.numeric] = np.frombuffer(numeric, dtype="<f8").reshape(rows, layout.numeric.size)
    matrix[:, layout.category] = np.frombuffer(category, dtype="<i4").reshape(rows, layout.category.size)
    return matrix


def scan(data: bytes, *, sealed: bool, segment: int = 0) -> Scan:
    """Read all records of `data`, a segment or what a segment holds after the end of an earlier scan.

    In a sealed segment whatever is not a record is damage. In a live one an unfinished tail may still be on its way (a
    reader can see half a write), so the scan stops in front of it.
    """
    records: list[Record] = []
    damages: list[Damage] = []
    offset = 0
    while offset < len(data):
        header = _header_at(data, offset, segment)
        if header is not None and offset + header[1] <= len(data):
            found = _record_at(data, offset, header)
            if found is None:
                damages.append(_damage(data, offset, offset + header[1], "checksum"))
            else:
                records.append(found)
            offset += header[1]
            continue
        after = len(data) if header is not None else _resynchronise(data, offset + 1, segment)
        if after == len(data) and not sealed:
            break
        damages.append(_damage(data, offset, after, "torn tail" if after == len(data) else "header"))
        offset = after
    return Scan(records, damages, offset)


def _encode(entry: LogEntry, layout: Layout, segment: int) -> bytes:
    if not EARLIEST_US <= entry.event_time <= LATEST_US:
        raise ValueError(f"event time {entry.event_time} is outside the years 1 to 9999")
    blocks, rows = _blocks(entry, layout)
    request_id = entry.request_id.encode("utf-8", "backslashreplace")
    client_id = entry.client_id.encode("utf-8", "backslashreplace")
    entity_key = entry.entity_key.encode("utf-8", "backslashreplace")
    error = entry.error.encode("utf-8", "backslashreplace")[:ERROR_BYTES] if entry.error else b""
    body = b"".join((*blocks, request_id, client_id, entity_key, error, *map(_unseen, entry.unseen)))
    length = HEADER_BYTES + len(body)
    if length > MAX_RECORD_BYTES:
        raise ValueError(f"{length} bytes are more than a record may have")
    header = HEADER.pack(
        google_crc32c.value(body),
        length,
        segment,
        layout.schema_id,
        entry.event_time,
        entry.arrival_time,
        entry.latency_ns,
        rows,
        len(entry.unseen),
        entry.status,
        len(blocks[0]) // (8 * rows),
        len(blocks[1]) // (4 * rows),
        len(blocks[2]) // (8 * rows),
        len(request_id),
        len(client_id),
        len(entity_key),
        len(error),
    )
    return PREFIX.pack(MAGIC, google_crc32c.value(header)) + header + body


def _blocks(entry: LogEntry, layout: Layout) -> tuple[tuple[bytes, bytes, bytes], int]:
    """Numeric, category and output block, and the number of rows (an error without input is one row)."""
    matrix, outputs = entry.matrix, entry.outputs
    rows = 1 if matrix is None and outputs is None else len(matrix if matrix is not None else outputs)  # type: ignore[arg-type]
    if rows < 1:
        raise ValueError("a request has at least one row")
    numeric = category = answer = b""
    if matrix is not None:
        if matrix.shape != (rows, layout.columns):
            raise ValueError(f"the matrix is {matrix.shape}, the signature has {layout.columns} columns")
        if layout.category.size == 0:
            numeric = matrix.astype("<f8", copy=False).tobytes()
        else:
            numeric, category = (_split_one if rows == 1 else _split)(matrix, entry.unseen, layout)
    if outputs is not None:
        if outputs.size != rows * layout.width:
            raise ValueError(f"the output is {outputs.shape}, the signature says {rows} x {layout.width}")
        answer = outputs.astype("<f8", copy=False).tobytes()
    return (numeric, category, answer), rows


def _split_one(matrix: NDArray[np.float64], unseen: list[tuple[int, int, str]], layout: Layout) -> tuple[bytes, bytes]:
    """As `_split`; for the single row that most requests are, a dozen calls into numpy cost three times as much."""
    values = matrix[0].tolist()
    codes = [MISSING if values[column] != values[column] else int(values[column]) for column in layout.category_list]
    for _, column, _text in unseen:
        codes[layout.category_list.index(column)] = UNSEEN
    for code, known in zip(codes, layout.known_list, strict=True):
        if not UNSEEN <= code < known:
            raise ValueError("a category code is outside the signature's categories")
    return layout.pack_numeric(*[values[column] for column in layout.numeric_list]), layout.pack_category(*codes)


def _split(matrix: NDArray[np.float64], unseen: list[tuple[int, int, str]], layout: Layout) -> tuple[bytes, bytes]:
    """The numeric and the category block."""
    codes = matrix.take(layout.category, axis=1)
    if not _are_codes(codes, layout):
        codes[codes != codes] = MISSING
        if not _are_codes(codes, layout):
            raise ValueError("a category code is outside the signature's categories")
    whole = codes.astype("<i4")
    for row, column, _text in unseen:
        whole[row, int(np.searchsorted(layout.category, column))] = UNSEEN
    return matrix.take(layout.numeric, axis=1).tobytes(), whole.tobytes()


def _are_codes(codes: NDArray[np.float64], layout: Layout) -> bool:
    # NaN compares false, so one test finds what is missing and what is no code.
    return bool(((codes >= UNSEEN) & (codes < layout.known)).all())


def _unseen(item: tuple[int, int, str]) -> bytes:
    text = item[2].encode("utf-8", "backslashreplace")[:65_535]
    return UNSEEN_HEAD.pack(item[0], item[1], len(text)) + text


def _header_at(data: bytes, offset: int, segment: int) -> tuple[Any, ...] | None:
    """The fields of an intact header that belongs to this segment, else None."""
    after = offset + HEADER_BYTES
    if after > len(data) or data[offset : offset + 4] != MAGIC:
        return None
    _, checksum = PREFIX.unpack_from(data, offset)
    if google_crc32c.value(data[offset + PREFIX.size : after]) != checksum:
        return None
    fields = HEADER.unpack_from(data, offset + PREFIX.size)
    if fields[1] < HEADER_BYTES or fields[2] != segment:
        return None
    return fields


def _record_at(data: bytes, offset: int, header: tuple[Any, ...]) -> Record | None:
    checksum, length, _, schema_id, event_time, arrival_time, latency_ns, rows, unseen, status, *sizes = header
    body = data[offset + HEADER_BYTES : offset + length]
    if google_crc32c.value(body) != checksum:
        return None
    a = 8 * rows * sizes[0]
    b = a + 4 * rows * sizes[1]
    c = b + 8 * rows * sizes[2]
    d = c + sizes[3]
    e = d + sizes[4]
    f = e + sizes[5]
    g = f + sizes[6]
    return Record(
        schema_id=schema_id,
        request_id=body[c:d].decode(),
        client_id=body[d:e].decode(),
        entity_key=body[e:f].decode(),
        error=body[f:g].decode("utf-8", "replace"),
        event_time=event_time,
        arrival_time=arrival_time,
        latency_ns=latency_ns,
        status=status,
        rows=rows,
        numeric=body[:a],
        category=body[a:b],
        outputs=body[b:c],
        unseen=_read_unseen(body, g, unseen) if unseen else (),
        offset=offset,
        length=length,
    )


def _read_unseen(body: bytes, offset: int, count: int) -> tuple[tuple[int, int, str], ...]:
    found = []
    for _ in range(count):
        row, column, size = UNSEEN_HEAD.unpack_from(body, offset)
        offset += UNSEEN_HEAD.size
        found.append((row, column, body[offset : offset + size].decode("utf-8", "replace")))
        offset += size
    return tuple(found)


def _resynchronise(data: bytes, offset: int, segment: int) -> int:
    """Where the next whole record of this segment begins; the end of the data when there is none."""
    while (offset := data.find(MAGIC, offset)) >= 0:
        header = _header_at(data, offset, segment)
        if header is not None and _record_at(data, offset, header) is not None:
            return offset
        offset += 1
    return len(data)


def _damage(data: bytes, offset: int, after: int, reason: str) -> Damage:
    return Damage(offset, after - offset, reason, data[offset:after])


def _has_matrix(record: Record, layout: Layout) -> bool:
    return bool(record.numeric or record.category) or layout.columns == 0
