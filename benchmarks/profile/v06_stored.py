"""V6 to V8: stored profiles merged, weighed and compared.

V6 merges ten thousand profiles of windows in memory, and once more from their bytes. V8 is the whole of
`gyro compare` between two stored profiles of a thousand columns.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.profile.tables import columns
from benchmarks.profile.whole import GYRO, run
from benchmarks.rows import Row, at_most
from benchmarks.target import Options
from gyroscope.stats.profiles import Layout, Profile, fit_layout, profile

WINDOWS, WINDOW_ROWS, DIFFERENT = 10_000, 1_000, 500
WIDE = 1_000


def measure(options: Options) -> list[Row]:
    """The rows that are wanted."""
    layout = fit_layout(columns(100_000, options.seed))
    found = {"V6": _merging, "V7": _bytes, "V8": _comparing}
    return [row for row_id, make in found.items() if row_id in options.ids for row in make(options, layout)]


def _merging(options: Options, layout: Layout) -> list[Row]:
    windows = [profile(columns(WINDOW_ROWS, options.seed + at), layout) for at in range(DIFFERENT)]
    repeated = windows * (WINDOWS // DIFFERENT)
    began = time.perf_counter()
    merged = Profile.merge_all(repeated)
    seconds = time.perf_counter() - began
    assert isinstance(merged, Profile) and merged.n == WINDOWS * WINDOW_ROWS
    stored = [window.to_bytes() for window in windows]
    began = time.perf_counter()
    for _ in range(WINDOWS // DIFFERENT):
        Profile.merge_all([Profile.from_bytes(packed) for packed in stored])
    read = time.perf_counter() - began
    claim = f"{WINDOWS:,} windows of {WINDOW_ROWS:,} rows, 50 columns, merged (from their bytes: {read:.1f} s)"
    return [at_most("V6", claim, seconds, 5.0, "s", WINDOWS)]


def _bytes(options: Options, layout: Layout) -> list[Row]:
    sizes = {}
    for rows in (10_000, 100_000) if options.is_quick else (10_000, 100_000, 1_000_000):
        sizes[rows] = len(profile(columns(rows, options.seed + 1), layout).to_bytes()) / 1_000
    return [at_most("V7", f"a profile of 50 columns, {rows:,} rows", kb, 100.0, "KB", 1) for rows, kb in sizes.items()]


def _comparing(options: Options, layout: Layout) -> list[Row]:
    made = {name: bins for place in range(WIDE // 50) for name, bins in _renamed(layout, place)}
    wide = Layout(made)
    paths = []
    for at in range(2):
        parts = [columns(10_000, options.seed + at * WIDE + place) for place in range(WIDE // 50)]
        table = {f"{name}_{place}": values for place, part in enumerate(parts) for name, values in part.items()}
        paths.append(options.folder / f"{at}.profile")
        paths[-1].write_bytes(profile(table, wide).to_bytes())
    took = [run([GYRO, "compare", *paths]).seconds for _ in range(3 if options.is_quick else 9)]
    return [at_most("V8", f"{WIDE:,} columns of stored profiles", float(np.median(took)), 2.0, "s", len(took))]


def _renamed(layout: Layout, place: int) -> list[tuple[str, object]]:
    return [(f"{name}_{place}", bins) for name, bins in layout.columns.items()]
