"""Which files of a table to merge next: pure. `upkeep.py` asks and does it.

A commit a second makes 86,400 files a day. They grow in tiers: sixteen of one size become one of the next, so that a
row is written again about three times, however long its day goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise

from gyroscope.predictions.tables.rewrite import LiveFile

KIB = 1_024
MIB = 1_024 * KIB

TIERS = (0, 128 * KIB, 2 * MIB, 16 * MIB)
"""Where the tiers begin; a file beyond the last is left alone."""
FAN_IN, MOST_FILES = 16, 128
# About 300,000 rows of 20 numbers: DuckDB copies them in about a second on one core.
STEP_BYTES = 32 * MIB
# Requests sent again come within seconds: their amendments should not have to rewrite a large file.
REST_MS = 2 * 60 * 1_000
QUIET_MS = 10 * 60 * 1_000


def next_merge(files: Sequence[LiveFile], now_ms: int) -> tuple[LiveFile, ...]:
    """The files of one day that should become one; empty when nothing is worth it.

    >>> small = [LiveFile(str(k), "2013-03-01", 10 * KIB, 100, 0) for k in range(20)]
    >>> len(next_merge(small, now_ms=REST_MS)), len(next_merge(small, now_ms=0)), len(next_merge(small[:15], REST_MS))
    (20, 0, 0)
    """
    best: tuple[LiveFile, ...] = ()
    for _, of_day in groupby(sorted(files, key=lambda file: file.day), key=lambda file: file.day):
        best = max(best, _of_day(list(of_day), now_ms), key=len)
    return best


def _of_day(files: list[LiveFile], now_ms: int) -> tuple[LiveFile, ...]:
    ripe = [file for file in files if now_ms - file.modified_ms >= REST_MS and file.bytes < TIERS[-1]]
    for low, high in pairwise(TIERS):
        tier = sorted((file for file in ripe if low <= file.bytes < high), key=lambda file: file.modified_ms)
        if len(tier) >= FAN_IN:
            return _that_fit(tier)
    if all(now_ms - file.modified_ms >= QUIET_MS for file in files):
        return _tail(sorted(ripe, key=lambda file: file.bytes))
    return ()


def _that_fit(files: list[LiveFile]) -> tuple[LiveFile, ...]:
    chosen: list[LiveFile] = []
    total = 0
    for file in files[:MOST_FILES]:
        total += file.bytes
        if total > STEP_BYTES:
            break
        chosen.append(file)
    return tuple(chosen) if len(chosen) > 1 else ()


def _tail(files: list[LiveFile]) -> tuple[LiveFile, ...]:
    """What a day that has ended left over, smallest first.

    A file joins only those that together are at least half its size: else each late row would rewrite a large file.
    """
    chosen: list[LiveFile] = []
    total = 0
    for file in files[:MOST_FILES]:
        if total + file.bytes > STEP_BYTES or (chosen and file.bytes > 2 * total):
            break
        chosen.append(file)
        total += file.bytes
    return tuple(chosen) if len(chosen) > 1 else ()
