"""L5: what one record costs the request: the entry is made, encoded, checksummed and written to memory, `os`.

Processor time of this process for many appends in a row, with 20 floats and one output; the median of some repeats.
"""

from __future__ import annotations

import gc
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.rows import Row, at_most
from benchmarks.target import Options
from gyroscope.clock import EventTime
from gyroscope.predictions.segments.log import LogPolicy, PredictionLog, segment_folder
from gyroscope.predictions.segments.wal import LogEntry
from gyroscope.records import Feature, Signature, Version

FEATURES, REPEATS = 20, 7
SIGNATURE = Signature("regression", tuple(Feature(f"x{at:02d}") for at in range(FEATURES)), output="y")
VERSION = Version("probe", "0a1b2c3d4e5f", "python", "model.py", "0", SIGNATURE, EventTime(0))
START_US = 1_700_000_000_000_000
# About as many records as fill a segment.
A_SEGMENT = 25_000


def measure(options: Options) -> list[Row]:
    """Microseconds of processor time per append."""
    n = 50_000 if options.is_quick else 300_000
    rng = np.random.default_rng(options.seed)
    found = [append_us(n, rng) for _ in range(REPEATS)]
    print("L5 repeats, us:", ", ".join(f"{us:.3f}" for us in found))
    claim = f"CPU of one append of {FEATURES} floats, encoding and checksum included, `os`"
    return [at_most("L5", claim, statistics.median(found), 3.0, "us", n * REPEATS)]


def append_us(n: int, rng: np.random.Generator) -> float:
    """One repeat, on a log of its own in memory."""
    rows = [rng.normal(size=(1, FEATURES)) for _ in range(1_000)]
    answers = [rng.normal(size=(1, 1)) for _ in range(1_000)]
    ids = [f"{number:032x}" for number in range(n)]
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        log = PredictionLog(segment_folder(Path(folder), "probe"), "probe-0", VERSION, LogPolicy(cap_bytes=1 << 40))
        _append(log, ids[:1_000], rows, answers)
        gc.collect()
        gc.freeze()  # as a replica does once its model is loaded
        took = 0.0
        for start in range(0, n, A_SEGMENT):
            began = time.process_time()
            _append(log, ids[start : start + A_SEGMENT], rows, answers)
            took += time.process_time() - began
            _drained(segment_folder(Path(folder), "probe"))
        gc.unfreeze()
        if log.failed:
            raise RuntimeError(f"{log.failed} appends failed: {log.failure}")
        log.close()
    return took / n * 1e6


def _drained(folder: Path) -> None:
    """What the recorder does meanwhile, outside of the measured time: segments go, and their memory is used again."""
    for path in sorted(folder.glob("*.seg"), key=lambda path: path.stem.rpartition("-")[2])[:-1]:
        path.unlink()


def _append(log: PredictionLog, ids: list[str], rows: list[np.ndarray], answers: list[np.ndarray]) -> None:
    at = START_US
    for number, request_id in enumerate(ids):
        at += 1_000
        kept = number % 1_000
        log.append(
            LogEntry(
                request_id=request_id,
                event_time=at,
                arrival_time=at,
                latency_ns=1_500_000,
                status=200,
                matrix=rows[kept],
                outputs=answers[kept],
            )
        )


def _memory() -> str | None:
    shm = Path("/dev/shm")
    return str(shm) if shm.is_dir() else None
