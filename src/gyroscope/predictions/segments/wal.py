"""The record that a replica writes before it answers: format 2 of the log, and what of a signature goes into it.

A segment is a head, records, and a seal when its writer closed it. A record is one fixed little-endian header, one
row-major block per dtype (float64 inputs, float64 outputs, int32 category codes), strings, and zeros up to a multiple
of eight, so numpy alone can decode it. `log.py` and `full.py` encode, `scan.py` reads. No file is opened here.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Sequence
from typing import Literal

import google_crc32c
import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.errors import StoreError
from gyroscope.records import Signature

FORMAT = 2
SEGMENT_MAGIC, MAGIC, SEAL_MAGIC = b"\xa9GYSEG2\n", b"\xa9GY2", b"\xa9GYEND2\n"
MISSING = -1
UNSEEN = -2

# magic, format, reserved, reserved, segment, schema_id, previous segment (0: none), its records, checksum.
SEGMENT_HEAD = struct.Struct("<8sHHIQQQQ12xI")
# magic, segment, records, reserved, checksum.
SEAL = struct.Struct("<8sQQII")
# The checksum of the header stands apart from that of the body: with the header intact its length can be trusted, so a
# damaged body costs exactly its own record, and no bytes that a client sent are ever searched for a record.
PREFIX = struct.Struct("<4sI")
# checksum of the body, length, segment, schema_id, event time, arrival time, latency, rows, texts, sequence, weight,
# status, columns of the three blocks, bytes of the four strings, variant, flags, reserved, reserved.
HEADER = struct.Struct("<IIQQqqqIIIIHHHHHHHHBBHI")
HEADER_BYTES = PREFIX.size + HEADER.size
# The same header in two parts: the sizes of most records are those of the record before.
NUMBERS, SIZES = struct.Struct("<IIQQqqqIIIIH22s"), struct.Struct("<HHHHHHHBBHI")
TEXT_HEAD = struct.Struct("<IHH")

# Room on disk or in memory is reserved in such steps, so the size of a segment that was not sealed is a multiple of it.
CHUNK_BYTES = 1024 * 1024
MAX_RECORD_BYTES = 256 * 1024 * 1024
ERROR_BYTES = 4_096
# Years 1 to 9999: what a calendar day, and so a partition, exists for.
EARLIEST_US, LATEST_US = -62_135_596_800_000_000, 253_402_300_799_999_999

Variant = Literal["live", "canary", "shadow"]
VARIANTS: tuple[Variant, ...] = ("live", "canary", "shadow")
INGESTED = 1

_VARIANT_CODE: dict[str, int] = {name: code for code, name in enumerate(VARIANTS)}
_DIGEST = re.compile(r"[0-9a-f]{16}")
_PADDING = tuple(bytes(missing) for missing in range(8))
_FLOAT64 = np.dtype("<f8")
_pack_numbers = NUMBERS.pack
_crc32c = google_crc32c.value

PlainRow = tuple[bytes, int, int, int]
"""One row of numbers that was answered with 200 by one number, on its arrival; all of its columns are kept.

A body as it lies in a record, its padding apart (the numbers, the answer, the request id), the length of the id, the
arrival, and the latency. A `LogEntry` of the same becomes the same bytes; a struct would be a tenth of the price.
"""

MISFITS = (struct.error, ValueError, KeyError, OverflowError)
"""What `pack` raises for an entry that does not fit the layout or the format."""


class LogEntry(msgspec.Struct):
    """One attempt at one request, as the replica knows it.

    `matrix` is float64 (n, F) in the order of the signature; a category column holds its code, NaN or -1 where missing;
    `unseen` (row, column, text) brings the strings that have no code (whatever the matrix holds there becomes -2).
    `matrix` and `outputs` (n, K) are None for an error. `weight` says how many requests this one stands for.
    """

    request_id: str
    event_time: int
    arrival_time: int
    latency_ns: int
    status: int
    matrix: NDArray[np.float64] | None = None
    outputs: NDArray[np.float64] | None = None
    unseen: Sequence[tuple[int, int, str]] = ()
    client_id: str = ""
    entity_key: str = ""
    error: str = ""
    variant: Variant = "live"
    weight: int = 1
    ingested: bool = False


class Layout:
    """What the log sees of a signature: which columns go into which block; computed once per version.

    Columns are numbered as in the signature. What is dropped is in no block; what is hashed (`hashed`) travels as text.
    `logged` are the features that become columns of the table, `logged_at` their numbers.
    """

    def __init__(self, signature: Signature) -> None:
        features = list(enumerate(signature.features))
        kept = [(at, feature.dtype == "string") for at, feature in features if feature.role == "keep"]
        self.columns = len(features)
        self.width = signature.width
        self.logged = signature.as_logged.features
        self.logged_at = tuple(at for at, feature in features if feature.is_logged)
        self.hashed = frozenset(at for at, feature in features if feature.is_hashed)
        self.numeric = np.array([at for at, is_text in kept if not is_text], dtype=np.intp)
        self.category = np.array([at for at, is_text in kept if is_text], dtype=np.intp)
        self.numeric_list, self.category_list = self.numeric.tolist(), self.category.tolist()
        self.known_list = [len(signature.features[column].categories) for column in self.category_list]
        self.known = np.array(self.known_list, dtype=np.float64)
        self.one_row = (1, self.columns)
        self.answer_bytes = 8 * self.width
        self.sizes: dict[int, bytes] = {}
        self.is_plain = len(self.numeric_list) == self.columns
        self.pack_numeric = struct.Struct(f"<{self.numeric.size}d").pack
        self.pack_category = struct.Struct(f"<{self.category.size}i").pack
        described = msgspec.json.encode((signature.features, signature.width))
        self.schema_id = int.from_bytes(hashlib.sha256(described).digest()[:8], "little")

    def remember_sizes(self, request_id_bytes: int) -> bytes:
        """The sizes of an ordinary record whose id has this length."""
        sizes = SIZES.pack(self.columns, 0, self.width, request_id_bytes, 0, 0, 0, 0, 0, 0, 0)
        self.sizes[request_id_bytes] = sizes
        return sizes


def segment_head(segment: int, schema_id: int, previous: int = 0, previous_records: int = 0) -> bytes:
    """The first 64 bytes of a segment. `previous` is what the same process wrote before it."""
    head = SEGMENT_HEAD.pack(SEGMENT_MAGIC, FORMAT, 0, 0, segment, schema_id, previous, previous_records, 0)
    return head[:-4] + _checksum(head[:-4])


def seal(segment: int, records: int) -> bytes:
    """The last 32 bytes of a segment that its writer closed."""
    tail = SEAL.pack(SEAL_MAGIC, segment, records, 0, 0)
    return tail[:-4] + _checksum(tail[:-4])


def encode(entry: LogEntry, layout: Layout, segment: int = 0, sequence: int = 0) -> bytes:
    """One record as bytes; `sequence` is its number within the segment.

    Raises `StoreError` when the entry does not fit the layout or the format.
    """
    try:
        checksum, rest = pack(entry, layout, segment, sequence)
    except MISFITS as error:
        raise misfit(entry, error) from error
    return PREFIX.pack(MAGIC, checksum) + rest


def misfit(entry: LogEntry | PlainRow, error: Exception) -> StoreError:
    """What to say of an entry that was refused with one of `MISFITS`."""
    request_id = entry.request_id if isinstance(entry, LogEntry) else entry[0][-entry[1] :].decode()
    return StoreError(
        f"a prediction cannot be written down: {error}",
        where=f"request {request_id[:80]!r}",
        fix="ids up to 65,535 bytes, times within the years 1 to 9999, the matrix as the signature says",
    )


def readdress(record: bytes, segment: int, sequence: int) -> bytes:
    """The same record as number `sequence` of another segment."""
    fields = list(HEADER.unpack_from(record, PREFIX.size))
    fields[2], fields[9] = segment, sequence
    header = HEADER.pack(*fields)
    return PREFIX.pack(MAGIC, _crc32c(header)) + header + record[HEADER_BYTES:]


def pack_plain(row: PlainRow, layout: Layout, segment: int, sequence: int) -> tuple[int, bytes]:
    """As `pack`, without a look at anything: this is most of what logging costs a request."""
    body, id_bytes, at, latency_ns = row
    length = HEADER_BYTES + len(body)
    if length & 7:
        body += _PADDING[-length & 7]
        length = HEADER_BYTES + len(body)
    sizes = layout.sizes.get(id_bytes) or layout.remember_sizes(id_bytes)
    header = _pack_numbers(
        _crc32c(body), length, segment, layout.schema_id, at, at, latency_ns, 1, 0, sequence, 1, 200, sizes
    )
    return _crc32c(header), header + body


def pack(entry: LogEntry, layout: Layout, segment: int, sequence: int) -> tuple[int, bytes]:
    """The checksum of the header, which belongs into the first eight bytes behind the magic, and all bytes after them.

    In one piece and without a call that the ordinary record (one row of numbers, no fault) can do without. Raises one
    of `MISFITS`.
    """
    event_time, weight = entry.event_time, entry.weight
    if not EARLIEST_US <= event_time <= LATEST_US:
        raise ValueError(f"event time {event_time} is outside the years 1 to 9999")
    if weight < 1:
        raise ValueError("an entry weighs at least 1")
    matrix, outputs, texts = entry.matrix, entry.outputs, 0
    if (
        layout.is_plain
        and matrix is not None
        and outputs is not None
        and matrix.shape == layout.one_row
        and matrix.dtype is _FLOAT64
        and outputs.dtype is _FLOAT64
        and outputs.nbytes == layout.answer_bytes
        and entry.variant == "live"
        and not (entry.unseen or entry.client_id or entry.entity_key or entry.error or entry.ingested)
    ):
        try:
            request_id = entry.request_id.encode()
        except UnicodeEncodeError:  # half a surrogate pair
            request_id = _bytes(entry.request_id)
        rows, sizes = 1, layout.sizes.get(len(request_id)) or layout.remember_sizes(len(request_id))
        body = matrix.tobytes() + outputs.tobytes() + request_id
    else:
        body, sizes, rows = _any_body(entry, layout)
        texts = len(entry.unseen)
    length = HEADER_BYTES + len(body)
    if length & 7:
        body += _PADDING[-length & 7]
        length = HEADER_BYTES + len(body)
    header = _pack_numbers(
        _crc32c(body),
        length,
        segment,
        layout.schema_id,
        event_time,
        entry.arrival_time,
        entry.latency_ns,
        rows,
        texts,
        sequence,
        weight,
        entry.status,
        sizes,
    )
    return _crc32c(header), header + body


def _any_body(entry: LogEntry, layout: Layout) -> tuple[bytes, bytes, int]:
    """Body, sizes of its parts, and the number of rows."""
    numeric, outputs, category, rows = _blocks(entry, layout)
    strings = [_bytes(text) for text in (entry.request_id, entry.client_id, entry.entity_key, entry.error)]
    strings[3] = strings[3][:ERROR_BYTES]
    body = b"".join((numeric, outputs, category, *strings, *map(_text, entry.unseen)))
    if len(body) > MAX_RECORD_BYTES - HEADER_BYTES:
        raise ValueError(f"{len(body)} bytes are more than a record may have")
    sizes = SIZES.pack(
        len(numeric) // (8 * rows),
        len(category) // (4 * rows),
        len(outputs) // (8 * rows),
        *map(len, strings),
        _VARIANT_CODE[entry.variant],
        INGESTED if entry.ingested else 0,
        0,
        0,
    )
    return body, sizes, rows


def _blocks(entry: LogEntry, layout: Layout) -> tuple[bytes, bytes, bytes, int]:
    """Numeric, output and category block, and the number of rows (an error without input is one row)."""
    matrix, outputs = entry.matrix, entry.outputs
    rows = 1 if matrix is None and outputs is None else len(matrix if matrix is not None else outputs)  # type: ignore[arg-type]
    if rows < 1:
        raise ValueError("a request has at least one row")
    numeric = category = answer = b""
    unseen = _check_texts(entry.unseen, rows, layout)
    if matrix is not None:
        if matrix.shape != (rows, layout.columns):
            raise ValueError(f"the matrix is {matrix.shape}, the signature has {layout.columns} columns")
        if layout.is_plain:
            numeric = matrix.astype("<f8", copy=False).tobytes()
        else:
            numeric, category = (_split_one if rows == 1 else _split)(matrix, unseen, layout)
    if outputs is not None:
        if outputs.size != rows * layout.width:
            raise ValueError(f"the output is {outputs.shape}, the signature says {rows} x {layout.width}")
        answer = outputs.astype("<f8", copy=False).tobytes()
    return numeric, answer, category, rows


def _check_texts(texts: Sequence[tuple[int, int, str]], rows: int, layout: Layout) -> list[tuple[int, int]]:
    """(row, column) of the strings that have no code. A hashed column takes digests only, whoever made the entry."""
    unseen = []
    for row, column, text in texts:
        if not 0 <= row < rows:
            raise ValueError(f"a text belongs to row {row} of {rows}")
        if column in layout.hashed:
            if not _DIGEST.fullmatch(text):
                raise ValueError(f"column {column} is to be hashed and holds a text that is no digest")
        elif column in layout.category_list:
            unseen.append((row, column))
        else:
            raise ValueError(f"column {column} takes no text")
    return unseen


def _split_one(matrix: NDArray[np.float64], unseen: list[tuple[int, int]], layout: Layout) -> tuple[bytes, bytes]:
    """As `_split`; for the single row that most requests are, a dozen calls into numpy cost three times as much."""
    values = matrix[0].tolist()
    codes = [MISSING if values[column] != values[column] else int(values[column]) for column in layout.category_list]
    for _, column in unseen:
        codes[layout.category_list.index(column)] = UNSEEN
    for code, known in zip(codes, layout.known_list, strict=True):
        if not UNSEEN <= code < known:
            raise ValueError("a category code is outside the signature's categories")
    return layout.pack_numeric(*[values[column] for column in layout.numeric_list]), layout.pack_category(*codes)


def _split(matrix: NDArray[np.float64], unseen: list[tuple[int, int]], layout: Layout) -> tuple[bytes, bytes]:
    """The numeric and the category block."""
    codes = matrix.take(layout.category, axis=1)
    if not _are_codes(codes, layout):
        codes[codes != codes] = MISSING
        if not _are_codes(codes, layout):
            raise ValueError("a category code is outside the signature's categories")
    whole = codes.astype("<i4")
    for row, column in unseen:
        whole[row, layout.category_list.index(column)] = UNSEEN
    return matrix.take(layout.numeric, axis=1).astype("<f8", copy=False).tobytes(), whole.tobytes()


def _are_codes(codes: NDArray[np.float64], layout: Layout) -> bool:
    # NaN compares false, so one test finds what is missing and what is no code.
    return bool(((codes >= UNSEEN) & (codes < layout.known)).all())


def _checksum(data: bytes) -> bytes:
    return int(_crc32c(data)).to_bytes(4, "little")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _text(item: tuple[int, int, str]) -> bytes:
    text = _bytes(item[2])[:65_535]
    return TEXT_HEAD.pack(item[0], item[1], len(text)) + text
