"""The reader of segments that survives damage: which bytes are whole records, and what is wrong with the others.

`segments.py` reads with it, verification too. Records stay where they are in the data; `shapes.py` takes them apart in
columns, `Scan.records` one by one. No file is opened here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache

import google_crc32c
import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.predictions.segments.wal import (
    CHUNK_BYTES,
    FORMAT,
    HEADER_BYTES,
    MAGIC,
    MAX_RECORD_BYTES,
    PREFIX,
    SEAL,
    SEAL_MAGIC,
    SEGMENT_HEAD,
    SEGMENT_MAGIC,
)

HEADERS = np.dtype(
    [
        ("magic", "<u4"), ("header_sum", "<u4"), ("body_sum", "<u4"), ("length", "<u4"), ("segment", "<u8"),
        ("schema_id", "<u8"), ("event_time", "<i8"), ("arrival_time", "<i8"), ("latency_ns", "<i8"), ("rows", "<u4"),
        ("texts", "<u4"), ("sequence", "<u4"), ("weight", "<u4"), ("status", "<u2"), ("numeric", "<u2"),
        ("category", "<u2"), ("outputs", "<u2"), ("request_id", "<u2"), ("client_id", "<u2"), ("entity_key", "<u2"),
        ("error", "<u2"), ("variant", "u1"), ("flags", "u1"), ("reserved", "<u2"), ("more", "<u4"),
    ]
)  # fmt: skip
"""Prefix and header of a record as numpy sees them; the fields of `wal.HEADER` in their order."""

# The same without fields: numpy copies those one by one.
RAW = np.dtype(f"V{HEADER_BYTES}")

MAGIC_NUMBER = int.from_bytes(MAGIC, "little")
FRAME = struct.Struct("<IIIIQ")
SEQUENCE_AT = 64  # of the number within a record
ZEROS = bytes(8)
# Records of one length are checked so many at a time: their bytes then pass through memory that is already at hand.
TOGETHER, FEW, MOST_BYTES = 1_024, 8, 4_096
# Where lengths differ, so many are taken one by one before a run of one length is looked for again.
MIXED = 64

_crc = google_crc32c.value


class Damage(msgspec.Struct, frozen=True):
    """A stretch of a segment that is no record: where, how long, why, and the bytes themselves.

    Without a length it is a place where something is missing.
    """

    offset: int
    length: int
    reason: str
    data: bytes


class Scan(msgspec.Struct, frozen=True):
    """What one pass over (part of) a segment found.

    `data` begin at byte `start` of the segment, `headers[i]` is of the record at `offsets[i]` of the data. The next
    pass begins at `end` of the segment, with record number `sequence`; `head` is the segment's own head when this pass
    began with it and it was whole.
    """

    data: bytes
    start: int
    headers: NDArray[np.void]
    offsets: NDArray[np.int64]
    damages: list[Damage]
    end: int
    sequence: int
    head: Head | None = None


class Head(msgspec.Struct, frozen=True):
    """What a segment says of itself before its first record; `previous` 0: its process wrote none before."""

    segment: int
    schema_id: int
    previous: int
    previous_records: int


def scan(data: bytes, *, segment: int, sealed: bool, start: int = 0, sequence: int = 0, is_whole: bool = True) -> Scan:
    """Find all records of `data`: segment number `segment` from byte `start` on, whose next record is `sequence`.

    `sealed`: nobody will write to the segment any more, so whatever is no record is damage; in a live one an unfinished
    tail may still be on its way, and the scan stops in front of it. `is_whole`: the data go on to the end of the file.
    `sequence` below 0: the number of the first record is not known.
    """
    reader = _Reader(data, segment, start, sequence, sealed and is_whole)
    head = reader.head() if start == 0 else None
    reader.read()
    headers = np.concatenate(reader.headers).view(HEADERS) if reader.headers else np.empty(0, HEADERS)
    offsets = np.concatenate(reader.offsets) if reader.offsets else np.empty(0, np.int64)
    return Scan(data, start, headers, offsets, reader.damages, start + reader.at, reader.sequence, head)


def head_of(data: bytes, segment: int) -> Head | None:
    """The head that these 64 bytes are, if they are that of this segment."""
    if len(data) < SEGMENT_HEAD.size:
        return None
    magic, number, _, _, found, schema_id, previous, records, checksum = SEGMENT_HEAD.unpack(data)
    is_head = magic == SEGMENT_MAGIC and number == FORMAT and found == segment and _crc(data[:-4]) == checksum
    return Head(found, schema_id, previous, records) if is_head else None


def some_headers(headers: NDArray[np.void], which: NDArray[np.intp]) -> NDArray[np.void]:
    """Headers of some records; all of them in their order cost nothing."""
    if len(which) == len(headers) and (np.diff(which) == 1).all():
        return headers
    return headers.view(RAW)[which].view(HEADERS)


class _Reader:
    """One pass. `at` counts within the data; offsets of damage count within the segment."""

    def __init__(self, data: bytes, segment: int, start: int, sequence: int, is_final: bool) -> None:
        self._data, self._size = data, len(data)
        self._segment, self._start, self._is_final = segment, start, is_final
        self.sequence = sequence
        self.at = 0
        self.headers: list[NDArray[np.void]] = []
        self.offsets: list[NDArray[np.int64]] = []
        self.damages: list[Damage] = []
        # After a stretch of damage a gap in the numbers is no news: it is what was in the stretch.
        self._is_gap_known = sequence < 0

    def head(self) -> Head | None:
        """Read the head of the segment; without it records are still found by the number in the file's name."""
        data = self._data[: SEGMENT_HEAD.size]
        if len(data) < SEGMENT_HEAD.size:
            if self._is_final:
                self._damage(self._size, "head")
            return None
        head = head_of(data, self._segment)
        if head is not None:
            self.at = SEGMENT_HEAD.size
            return head
        is_there = data.startswith(SEGMENT_MAGIC) or self._is_place(SEGMENT_HEAD.size)
        self._damage(SEGMENT_HEAD.size if is_there else 0, "head")
        self._is_gap_known = not is_there
        return None

    def read(self) -> None:
        """Everything behind the head."""
        if self._start == 0 and self._size < SEGMENT_HEAD.size:
            return
        while True:
            self._records()
            if self._is_seal(self.at):
                # Left alone until the writer has let go: behind a seal that was passed, nothing would tell of it.
                if self._is_final:
                    self._sealed()
                break
            if self._is_empty_from_here():
                self._check_size()
                break
            if not self._step_over():
                break

    def _records(self) -> None:
        """Take whole records as long as there are any: by the hundred where they are of one length."""
        mixed = MIXED
        while self.at + HEADER_BYTES <= self._size:
            length = int.from_bytes(self._data[self.at + 12 : self.at + 16], "little")
            count = min((self._size - self.at) // max(length, HEADER_BYTES), TOGETHER)
            is_worth_it = count >= FEW and HEADER_BYTES < length <= MOST_BYTES
            if is_worth_it and self._many(length, count) >= FEW:
                mixed = MIXED
                continue
            if self._few(mixed) < mixed:
                return
            mixed = min(2 * mixed, 64 * MIXED)

    def _many(self, length: int, count: int) -> int:
        """Take records of one length; how many."""
        view = np.frombuffer(self._data, _framed(length), count, self.at)
        alike = (view["magic"] == MAGIC_NUMBER) & (view["length"] == length) & (view["segment"] == self._segment)
        view = view[: _first_false(alike)]
        sums = np.fromiter(map(_crc, view["header"].tolist()), np.uint32, len(view))
        view = view[: _first_false(sums == view["header_sum"])]
        sums = np.fromiter(map(_crc, view["body"].tolist()), np.uint32, len(view))
        taken = _first_false(sums == view["body_sum"])
        if taken:
            headers = np.ndarray((taken,), RAW, self._data, self.at, (length,)).copy()
            self._take(headers, self.at + length * np.arange(taken, dtype=np.int64))
            self.at += taken * length
        return taken

    def _few(self, most: int) -> int:
        """Take records of any length, one by one; how many."""
        data, size, ours, at = self._data, self._size, self._segment, self.at
        places: list[int] = []
        while len(places) < most and at + HEADER_BYTES <= size:
            magic, header_sum, body_sum, length, segment = FRAME.unpack_from(data, at)
            if magic != MAGIC_NUMBER or segment != ours or not HEADER_BYTES <= length <= size - at:
                break
            begins, after = at + HEADER_BYTES, at + length
            if _crc(data[at + PREFIX.size : begins]) != header_sum or _crc(data[begins:after]) != body_sum:
                break
            places.append(at)
            at = after
        if places:
            headers = b"".join([data[place : place + HEADER_BYTES] for place in places])
            self._take(np.frombuffer(headers, RAW), np.array(places, dtype=np.int64))
            self.at = at
        return len(places)

    def _take(self, headers: NDArray[np.void], offsets: NDArray[np.int64]) -> None:
        numbers = headers.view(HEADERS)["sequence"].astype(np.int64)
        wanted = np.append(self.sequence, numbers[:-1] + 1)
        for place in np.flatnonzero(numbers != wanted).tolist():
            if place or not self._is_gap_known:
                reason = "missing records" if numbers[place] > wanted[place] else "records out of order"
                self.damages.append(Damage(self._start + int(offsets[place]), 0, reason, b""))
        self.sequence = int(numbers[-1]) + 1
        self._is_gap_known = False
        self.headers.append(headers)
        self.offsets.append(offsets)

    def _step_over(self) -> bool:
        """Step over what is no record; False when it may still become one."""
        after = self.at + self._length_at(self.at)
        if self.at < after <= self._size:
            # The header is whole: its length can be trusted, and no byte of the body is searched for a record.
            if not self._is_final and self._resynchronise(after) < 0:
                return False
            self.sequence = int.from_bytes(self._data[self.at + SEQUENCE_AT : self.at + SEQUENCE_AT + 4], "little") + 1
            return self._damage(after - self.at, "checksum")
        found = self._resynchronise(self.at + 1) if after == self.at else -1
        if found < 0 and not self._is_final:
            return False
        self._is_gap_known = True
        if found >= 0:
            return self._damage(found - self.at, "header")
        rest = self._size - self.at
        if not (self._start + self._size) % CHUNK_BYTES:
            rest = min(-(-len(self._data[self.at :].rstrip(b"\0")) // 8) * 8, rest)
        return self._damage(rest, "torn tail")

    def _damage(self, length: int, reason: str) -> bool:
        self.damages.append(Damage(self._start + self.at, length, reason, self._data[self.at : self.at + length]))
        self.at += length
        return True

    def _sealed(self) -> None:
        records = SEAL.unpack_from(self._data, self.at)[2]
        if records != self.sequence and self.sequence >= 0 and not self._is_gap_known:
            self._damage(0, "missing records")
        self.at += SEAL.size
        # A writer that was killed, or is watched, between its seal and the cut leaves zeros behind it.
        is_uncut = not (self._start + self._size) % CHUNK_BYTES
        if self.at < self._size and not (is_uncut and self._is_empty_from_here()):
            self._damage(self._size - self.at, "bytes behind the seal")

    def _check_size(self) -> None:
        """Room is reserved in whole chunks, that of the seal too: a file without seal and of another size was cut."""
        if not self._is_final:
            return
        is_said = bool(self.damages) and self.damages[-1].reason == "torn tail"
        is_cut = (self._start + self._size) % CHUNK_BYTES or self._size - self.at < SEAL.size
        if is_cut and not is_said:
            self._damage(0, "truncated")
        self.at = self._size

    def _is_empty_from_here(self) -> bool:
        if not self._data.startswith(ZEROS[: self._size - self.at], self.at):
            return False
        return self.at >= self._size or not np.frombuffer(self._data, np.uint8, offset=self.at).any()

    def _length_at(self, at: int) -> int:
        """The length of the record whose whole header stands here; 0 where none does."""
        if at + HEADER_BYTES > self._size:
            return 0
        magic, header_sum, _, length, segment = FRAME.unpack_from(self._data, at)
        if magic != MAGIC_NUMBER or segment != self._segment or not HEADER_BYTES <= length <= MAX_RECORD_BYTES:
            return 0
        return length if _crc(self._data[at + PREFIX.size : at + HEADER_BYTES]) == header_sum else 0

    def _is_record(self, at: int) -> bool:
        length = self._length_at(at)
        if not length or at + length > self._size:
            return False
        body_sum = FRAME.unpack_from(self._data, at)[2]
        return bool(_crc(self._data[at + HEADER_BYTES : at + length]) == body_sum)

    def _is_seal(self, at: int) -> bool:
        data = self._data[at : at + SEAL.size]
        if len(data) < SEAL.size or not data.startswith(SEAL_MAGIC):
            return False
        _, segment, _, _, checksum = SEAL.unpack(data)
        return bool(segment == self._segment and _crc(data[:-4]) == checksum)

    def _is_place(self, at: int) -> bool:
        """Whether what may follow a head or a record stands here."""
        return self._length_at(at) > 0 or self._is_seal(at) or self._data.startswith(ZEROS, at)

    def _resynchronise(self, at: int) -> int:
        """Where the next whole record, or the seal, of this segment begins; -1 when there is none."""
        places = [_find(self._data, MAGIC, at, self._is_record), _find(self._data, SEAL_MAGIC, at, self._is_seal)]
        return min((place for place in places if place >= 0), default=-1)


def _find(data: bytes, magic: bytes, at: int, is_it: Callable[[int], bool]) -> int:
    while (at := data.find(magic, at)) >= 0:
        if is_it(at):
            return at
        at += 1
    return -1


@lru_cache(maxsize=256)
def _framed(length: int) -> np.dtype[np.void]:
    """A record of this length as its checksums see it."""
    return np.dtype(
        {
            "names": ["magic", "header_sum", "body_sum", "length", "segment", "header", "body"],
            "formats": [
                "<u4",
                "<u4",
                "<u4",
                "<u4",
                "<u8",
                f"V{HEADER_BYTES - PREFIX.size}",
                f"V{length - HEADER_BYTES}",
            ],
            "offsets": [0, 4, 8, 12, 16, PREFIX.size, HEADER_BYTES],
            "itemsize": length,
        }
    )


def _first_false(flags: NDArray[np.bool_]) -> int:
    """How many hold from the beginning on."""
    return len(flags) if flags.all() else int(np.argmin(flags))
