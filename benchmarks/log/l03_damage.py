"""L3: every byte of a 1 MiB segment is changed, and the segment is cut at every byte; the real reader must notice all.

For each place only the records around it are read again, from a record's beginning as the recorder does after a
commit; a sample is read whole, which must give the same. Segments that were sealed and that a kill left open.
"""

from __future__ import annotations

import os
import random
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import google_crc32c
import msgspec
import numpy as np
from rich.progress import track

from benchmarks.rows import Row, at_least, at_most, control, with_control
from benchmarks.target import Options
from gyroscope.clock import EventTime
from gyroscope.predictions.segments import scan as reader
from gyroscope.predictions.segments.log import PredictionLog, segment_folder
from gyroscope.predictions.segments.scan import Scan, scan
from gyroscope.predictions.segments.wal import HEADER, HEADER_BYTES, PREFIX, SEAL, SEGMENT_HEAD, LogEntry
from gyroscope.records import Feature, Signature, Version

MIB = 1_048_576
BEFORE, AFTER = 2, 4
PARTS = 64
SIGNATURE = Signature(
    "regression", (*(Feature(f"x{at:02d}") for at in range(19)), Feature("kind", "string", ("a", "b"))), output="y"
)
VERSION = Version("probe", "0a1b2c3d4e5f", "python", "model.py", "0", SIGNATURE, EventTime(0))


class Segment(msgspec.Struct, frozen=True):
    """A segment that is whole: its bytes, its number, where its records begin, and where the last one `ends`."""

    data: bytes
    number: int
    offsets: tuple[int, ...]
    ends: int

    def record_at(self, byte: int) -> int:
        """Which record a byte belongs to; -1 for the head, their number for what follows them."""
        if byte >= self.ends:
            return len(self.offsets)
        return int(np.searchsorted(self.offsets, byte, side="right")) - 1


class Tally(msgspec.Struct):
    """Places tried; damage that was not noticed; most records that one place cost; records returned that are wrong."""

    places: int = 0
    missed: int = 0
    most_lost: int = 0
    wrong: int = 0
    differing: int = 0

    def add(self, other: Tally) -> None:
        self.places += other.places
        self.missed += other.missed
        self.most_lost = max(self.most_lost, other.most_lost)
        self.wrong += other.wrong
        self.differing += other.differing


def measure(options: Options) -> list[Row]:
    """Flips and cuts of a sealed segment and of an open one, and a reader without body checksums as control."""
    stride = 64 if options.is_quick else 1
    sealed, opened = make_segment(options.seed, is_sealed=True), make_segment(options.seed, is_sealed=False)
    flips, cuts = Tally(), Tally()
    for segment, every in ((sealed, stride), (opened, 4 * stride)):
        flips.add(run(segment, "flip", every, options.seed))
        cuts.add(run(segment, "cut", every, options.seed))
    print(f"L3 flips: {flips}; cuts: {cuts}; {len(sealed.offsets):,} records in {len(sealed.data):,} bytes")
    rows = [
        at_least("L3", "flipped bytes detected", _share(flips), 1.0, "share", flips.places),
        at_most("L3", "records lost by one flipped byte", flips.most_lost, 1, "records", flips.places),
        at_least("L3", "truncations detected", _share(cuts), 1.0, "share", cuts.places),
        at_most("L3", "whole records lost by one truncation", cuts.most_lost, 0, "records", cuts.places),
        at_most("L3", "records returned that are wrong, or found by one pass only",
                flips.wrong + cuts.wrong + flips.differing + cuts.differing, 0, "records", flips.places + cuts.places),
    ]  # fmt: skip
    blind = without_body_checksums(sealed, options.seed)
    return with_control(rows, control("L3", "a reader of header checksums only, missed", blind.missed + blind.wrong,
                                      "flips", blind.places))  # fmt: skip


def make_segment(seed: int, *, is_sealed: bool, size: int = MIB - 700) -> Segment:
    """A segment that the real log wrote, as long as it may be without a second chunk."""
    rng = np.random.default_rng(seed)
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as folder:
        log = PredictionLog(segment_folder(Path(folder), "probe"), "probe-0a1b2c3d4e5f-0", VERSION)
        end, written = SEGMENT_HEAD.size, 0
        lengths = []
        while end < size:
            entry = _entry(rng, written)
            log.append(entry)
            lengths.append(_length(entry))
            end += lengths[-1]
            written += 1
        path = next(Path(folder).rglob("*.seg"))
        number = int(path.stem.rpartition("-")[2], 16)
        if is_sealed:
            log.close()
        data = path.read_bytes()
        log.close()
    offsets = [SEGMENT_HEAD.size + int(at) for at in np.cumsum([0, *lengths[:-1]])]
    segment = Segment(data, number, tuple(offsets), end)
    found = scan(data, segment=number, sealed=True)
    if found.damages or tuple(found.offsets.tolist()) != segment.offsets:
        raise RuntimeError(f"the undamaged segment is not read whole: {found.damages[:3]}")
    return segment


def run(segment: Segment, kind: str, stride: int, seed: int) -> Tally:
    """All places of one kind, on all cores; `stride` 64 takes one of 64, beginning where the seed says."""
    first = random.Random(seed).randrange(stride)
    places = range(first, len(segment.data), stride)
    parts = [(segment, kind, places[at::PARTS], seed) for at in range(PARTS)]
    whole = Tally()
    with ProcessPoolExecutor(max(1, os.cpu_count() or 1), get_context("spawn")) as pool:
        for part in track(pool.map(_part, parts), f"L3 {kind}s", total=PARTS, transient=True):
            whole.add(part)
    return whole


def without_body_checksums(segment: Segment, seed: int, most: int = 2_000) -> Tally:
    """Flips under a reader that knows only the header's checksum: its segment says 0 for each body, and 0 it finds."""
    data = bytearray(segment.data)
    for at in segment.offsets:
        data[at + PREFIX.size : at + PREFIX.size + 4] = bytes(4)
        sum_of_header = google_crc32c.value(bytes(data[at + PREFIX.size : at + HEADER_BYTES]))
        data[at + 4 : at + 8] = sum_of_header.to_bytes(4, "little")
    blind = Segment(bytes(data), segment.number, segment.offsets, segment.ends)
    known = {HEADER.size, SEGMENT_HEAD.size - 4, SEAL.size - 4}
    real, reader._crc = reader._crc, lambda part: google_crc32c.value(part) if len(part) in known else 0
    try:
        places = range(SEGMENT_HEAD.size, segment.ends, max(1, segment.ends // most))
        return _part((blind, "flip", places, seed))
    finally:
        reader._crc = real


def _part(work: tuple[Segment, str, range, int]) -> Tally:
    segment, kind, places, seed = work
    rng = random.Random(seed * 1_000_003 + places.start)
    tally = Tally()
    step = _flipped if kind == "flip" else _cut
    for count, place in enumerate(places):
        step(segment, place, rng.randrange(1, 256), tally)
        if count % 512 == 0:
            tally.differing += _differs(segment, kind, place)
    return tally


def _flipped(segment: Segment, place: int, change: int, tally: Tally) -> None:
    first, last, start = _around(segment, place)
    end = segment.offsets[last] if last < len(segment.offsets) else len(segment.data)
    data = bytearray(segment.data[start:end])
    data[place - start] ^= change
    found = _read(segment, bytes(data), start, first, is_whole=end == len(segment.data))
    _judge(segment, found, start, range(first, last), tally)


def _cut(segment: Segment, place: int, _change: int, tally: Tally) -> None:
    first, _, start = _around(segment, place)
    found = _read(segment, segment.data[start:place], start, first, is_whole=True)
    whole = [at for at in range(first, len(segment.offsets)) if _end_of(segment, at) <= place][: BEFORE + 2]
    _judge(segment, found, start, range(first, first + len(whole)), tally)


def _judge(segment: Segment, found: Scan, start: int, wanted: range, tally: Tally) -> None:
    """Every record that is given must be one of ours, unchanged; those that are not given are lost."""
    tally.places += 1
    tally.missed += not found.damages
    given = [start + int(at) for at in found.offsets]
    lengths = found.headers["length"].tolist()
    for at, length in zip(given, lengths, strict=True):
        tally.wrong += found.data[at - start : at - start + length] != segment.data[at : at + length]
    tally.most_lost = max(tally.most_lost, len({segment.offsets[at] for at in wanted} - set(given)))


def _differs(segment: Segment, kind: str, place: int) -> bool:
    """Whether reading the whole segment gives other records, or other damage, than reading around the place."""
    first, last, start = _around(segment, place)
    if kind == "flip":
        data = bytearray(segment.data)
        data[place] ^= 0x5A
        whole = bytes(data)
        end = segment.offsets[last] if last < len(segment.offsets) else len(whole)
        part = _read(segment, whole[start:end], start, first, is_whole=end == len(whole))
    else:
        whole = segment.data[:place]
        part = _read(segment, whole[start:], start, first, is_whole=True)
        end = place
    everything = scan(whole, segment=segment.number, sealed=True)
    given = {int(at) for at in everything.offsets if start <= at < end}
    damages = [(one.offset, one.length, one.reason) for one in everything.damages]
    return given != {start + int(at) for at in part.offsets} or damages != [
        (one.offset, one.length, one.reason) for one in part.damages
    ]


def _around(segment: Segment, place: int) -> tuple[int, int, int]:
    """(first record, record after the last, byte to begin with) of the stretch that is read again."""
    hit = segment.record_at(place)
    first, last = max(0, hit - BEFORE), min(len(segment.offsets), max(0, hit) + AFTER)
    return first, last, 0 if first == 0 else segment.offsets[first]


def _read(segment: Segment, data: bytes, start: int, sequence: int, *, is_whole: bool) -> Scan:
    return scan(data, segment=segment.number, sealed=True, start=start, sequence=sequence, is_whole=is_whole)


def _end_of(segment: Segment, record: int) -> int:
    return segment.offsets[record + 1] if record + 1 < len(segment.offsets) else segment.ends


def _share(tally: Tally) -> float:
    return 1 - tally.missed / tally.places


def _entry(rng: np.random.Generator, number: int) -> LogEntry:
    """Ids of several lengths, some categories that are not known: records of several lengths."""
    matrix = np.append(rng.normal(size=19), number % 2).reshape(1, 20)
    unseen = [(0, 19, "purple")] if number % 7 == 0 else []
    return LogEntry(
        request_id=f"request-{number:0{5 + number % 9}d}",
        event_time=1_700_000_000_000_000 + number,
        arrival_time=1_700_000_000_000_000 + number,
        latency_ns=1_500_000,
        status=200,
        matrix=matrix,
        outputs=rng.normal(size=(1, 1)),
        unseen=unseen,
    )


def _length(entry: LogEntry) -> int:
    texts = sum(8 + len(text.encode()) for _, _, text in entry.unseen)
    length = HEADER_BYTES + 19 * 8 + 8 + 4 + len(entry.request_id) + texts
    return -(-length // 8) * 8
