"""V1 to V5: a million rows of fifty columns from Parquet against a stored reference, whole process, two cores.

Ours is `gyro compare reference.profile current.parquet`, whatever it prints included. In turn with it run Evidently's
drift preset, NannyML's univariate drift, whylogs' profile, and the bare bound: read and fill one histogram a column.
A quick run takes a quarter of the rows, for everybody.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path

from benchmarks.profile.tables import write
from benchmarks.profile.whole import GYRO, Run, peer, run
from benchmarks.rows import Row, at_least, at_most
from benchmarks.target import Options

ROWS, QUICK_ROWS, REFERENCE_ROWS = 1_000_000, 250_000, 100_000
PEERS = {"V1": ("evidently", 50.0), "V2": ("nannyml", 5.0), "V3": ("whylogs", 15.0)}
MOST_MB = 600.0
AS_MUCH = 1.1
"""Memory is the same when a table of ten times the rows takes at most a tenth more."""


def measure(options: Options) -> list[Row]:
    """The rows that are wanted."""
    rows, rounds = (QUICK_ROWS, 1) if options.is_quick else (ROWS, 3)
    folder = options.folder
    reference = _made(folder / "reference.parquet", REFERENCE_ROWS, options.seed)
    current = _made(folder / "current.parquet", rows, options.seed + 1_000)
    run([GYRO, "profile", reference, "-o", folder / "reference.profile"])
    runs = _in_turn(_contestants(options.ids, reference, current, folder), rounds)
    taken = {name: statistics.median(one.seconds for one in found) for name, found in runs.items()}
    made = [_faster(row_id, taken, rows, rounds) for row_id in PEERS if row_id in options.ids]
    if "V3" in options.ids:
        claim, ratio = f"gyro profile, {rows:,} rows", taken["whylogs"] / taken["profile"]
        made.append(at_least("V3", claim, ratio, PEERS["V3"][1], "x", rounds, "whylogs"))
    if "V4" in options.ids:
        claim = f"{taken['ours']:.2f} s against {taken['bound']:.2f} s to read and fill histograms"
        made.append(at_most("V4", claim, taken["ours"] / taken["bound"], 2.0, "x", rounds, "pyarrow, fast-histogram"))
    return made + (_memory(options, runs["ours"], rows) if "V5" in options.ids else [])


def _contestants(ids: Sequence[str], reference: Path, current: Path, folder: Path) -> dict[str, list[str | Path]]:
    out = folder / "out.json"
    every: dict[str, tuple[str, list[str | Path]]] = {
        "ours": ("", [GYRO, "compare", folder / "reference.profile", current]),
        "profile": ("V3", [GYRO, "profile", current, "-o", folder / "current.profile"]),
    }
    if "V4" in ids:
        every["bound"] = ("V4", peer("histogram", "bound.py", current, out))
    if "V3" in ids:
        every["whylogs"] = ("V3", peer("whylogs", "profile.py", current, out))
    if "V2" in ids:
        every["nannyml"] = ("V2", peer("nannyml", "univariate.py", reference, current, out))
    if "V1" in ids:
        every["evidently"] = ("V1", peer("evidently", "drift.py", reference, current, out))
    return {name: argv for name, (row_id, argv) in every.items() if not row_id or row_id in ids}


def _in_turn(contestants: Mapping[str, Sequence[str | Path]], rounds: int) -> dict[str, list[Run]]:
    runs: dict[str, list[Run]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, argv in contestants.items():
            # The fast ones run thrice a round: a second is more easily disturbed than a minute.
            for _ in range(3 if name in ("ours", "profile", "bound") else 1):
                runs[name].append(run(argv))
                last = runs[name][-1]
                print(f"  {name}: {last.seconds:.2f} s, {last.cpu_s:.2f} s CPU, {last.memory_mb:.0f} MB", flush=True)
    return runs


def _made(path: Path, rows: int, seed: int, times: int = 1) -> Path:
    """In a process of its own: a child's peak of memory is never below what its parent held."""
    maker = get_context("spawn").Process(target=write, args=(path, rows, seed, 0.2 * (rows != REFERENCE_ROWS), times))
    maker.start()
    maker.join()
    return path


def _faster(row_id: str, taken: Mapping[str, float], rows: int, rounds: int) -> Row:
    name, bound = PEERS[row_id]
    claim = f"{rows:,} rows against a stored reference: {taken['ours']:.2f} s, theirs {taken[name]:.1f} s"
    return at_least(row_id, claim, taken[name] / taken["ours"], bound, "x", rounds, name)


def _memory(options: Options, runs: Sequence[Run], rows: int) -> list[Row]:
    """Of a million rows and ten; a quick run takes a million and three, at fewer blocks are not all in use yet."""
    once, often = (4, 12) if options.is_quick else (1, 10)
    seed, peaks = options.seed + 1_000, [max(one.memory_mb for one in runs)]
    for times in (once, often):
        table = _made(options.folder / f"{times}.parquet", rows, seed, times)
        peaks.append(run([GYRO, "compare", options.folder / "reference.profile", table]).memory_mb)
        table.unlink()
    peak, long_peak = max(peaks[:2]), peaks[2]
    return [
        at_most("V5", f"peak memory at {rows * once:,} rows", peak, MOST_MB, "MB", len(runs)),
        at_most("V5", f"peak memory at {rows * often:,} rows", long_peak, MOST_MB, "MB", 1),
        at_most("V5", f"memory of {often // once} times the rows to that of one", long_peak / peak, AS_MUCH, "x", 1),
    ]
