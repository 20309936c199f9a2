"""L7: the recorder stands still for a minute at 1,000 requests a second; serving must not notice, and nothing vanishes.

Each replica's segments are capped so low that the cap is reached: from then on replies say so and are counted.
"""

from __future__ import annotations

import mmap
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

from benchmarks.checker import settle, table_rows
from benchmarks.house import Running, kill, running
from benchmarks.ledger import acknowledged, between, p99_ms, read
from benchmarks.load import load
from benchmarks.metrics import counter
from benchmarks.rows import Row, at_least, at_most, control, with_control
from benchmarks.target import Options

RATE = 1_000.0
# The least that may be set: a stall must reach it.
CAP_MIB = 4
WARM_S = 3.0


class Stall(NamedTuple):
    """What one run gave: latencies before and during, the largest sizes, and the books afterwards."""

    before_ms: float
    during_ms: float
    segment_bytes: int
    growth_bytes: int
    sent: int
    logged: int
    counted: int
    lost: int


# A segment is a quarter of the cap.
MOST_SEALED = 4


def measure(options: Options) -> list[Row]:
    """The stall, and a control in which replicas lie about what they could not write."""
    seconds, replicas = (16.0, 1) if options.is_quick else (60.0, 2)
    found = stall(options.folder / "stall", seconds, replicas, before_s=6.0 if options.is_quick else 0.0)
    cap = CAP_MIB * replicas << 20
    off = found.sent - found.logged - found.counted
    print(f"L7: {found}")
    rows = [
        at_most("L7", f"serving p99 with the recorder stopped {seconds:.0f} s at {RATE:.0f}/s "
                f"({found.before_ms:.2f} ms before)", found.during_ms / found.before_ms, 1.1, "x", found.sent),
        # The cap is on bytes; each sealed segment may take a page more than it holds.
        at_most("L7", "segments at most", found.segment_bytes, cap + MOST_SEALED * replicas * mmap.PAGESIZE, "bytes",
                found.sent),
        at_most("L7", "growth of the replicas' memory", found.growth_bytes, 32 << 20, "bytes", found.sent),
        at_most("L7", f"sent {found.sent:,} - logged {found.logged:,} - counted {found.counted:,}", abs(off), 0,
                "predictions", found.sent),
        at_least("L7", "the cap was reached: replies that said so", found.counted, 1, "predictions", found.sent),
    ]  # fmt: skip
    lied = stall(options.folder / "control", 16.0, 1, {"BENCH_SABOTAGE": "lie"}, before_s=0.5)
    return with_control(rows, control("L7", "replicas say 'os' for what they did not write, lost", lied.lost,
                                      "predictions", lied.sent))  # fmt: skip


def stall(
    folder: Path, seconds: float, replicas: int, hooks: dict[str, str] | None = None, before_s: float = 0.0
) -> Stall:
    """Load, then the same load with the recorder stopped, then until everything is recorded."""
    ledger = folder / "ledger"
    settings = {"segment_cap_mib": CAP_MIB}
    with running(folder / "place", replicas=replicas, hooks=hooks or {}, serving=settings) as house:
        with load(house, ledger, RATE, workers=64):
            time.sleep(WARM_S)
            start = time.monotonic_ns()
            time.sleep(before_s or seconds)
            resident = _resident(house)
            stopped = time.monotonic_ns()
            sizes = _stopped(house, seconds)
            ended = time.monotonic_ns()
        verdict = settle(house, ledger, 10.0 if hooks else 60.0)
        book = read(ledger)
        answered = book[book["status"] == 200]
        logged = np.count_nonzero(table_rows(house)["answered"])
        return Stall(
            before_ms=p99_ms(between(book, start, stopped)),
            during_ms=p99_ms(between(book, stopped, ended)),
            segment_bytes=max(size for size, _ in sizes),
            growth_bytes=max(grown for _, grown in sizes) - resident,
            sent=len(answered),
            logged=int(logged),
            counted=round(counter(house, "gyroscope_unlogged_total")),
            lost=verdict.lost + len(acknowledged(book)) - verdict.acknowledged,
        )


def _stopped(house: Running, seconds: float) -> list[tuple[int, int]]:
    """Keep every recorder stopped for a while, also the one that the supervisor starts instead; the sizes meanwhile."""
    leave = threading.Event()
    watcher = threading.Thread(target=_keep_stopped, args=(house, leave.is_set))
    watcher.start()
    sizes = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.5)
        sizes.append((_segments(house), _resident(house)))
    leave.set()
    watcher.join()
    for pid in house.pids("recorder"):
        kill(pid, signal.SIGCONT)
    return sizes


def _keep_stopped(house: Running, is_over: Callable[[], bool]) -> None:
    while not is_over():
        for pid in house.pids("recorder"):
            kill(pid, signal.SIGSTOP)
        time.sleep(0.05)


def _segments(house: Running) -> int:
    return sum(path.stat().st_blocks * 512 for path in house.house.segments.rglob("*.seg") if path.exists())


def _resident(house: Running) -> int:
    return sum(psutil.Process(pid).memory_info().rss for pid in house.pids("replica"))
