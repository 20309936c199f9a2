"""A target of the Makefile: runs each of its row files in a process of its own and publishes what they measured.

`python -m benchmarks.target bench-log --quick --seed 0 --only L5`. The files themselves never print a verdict.
"""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from benchmarks.rows import RESULTS, Row, publish, unmeasured

TARGETS = {
    "bench-log": {
        "L3": "benchmarks.log.l03_damage",
        "L5": "benchmarks.log.l05_append",
        "L6": "benchmarks.log.l06_recorder",
        "L8": "benchmarks.log.l08_labels",
        "L9": "benchmarks.log.l09_large",
        "L10": "benchmarks.log.l10_backup",
    },
    "chaos-log": {
        "L1": "benchmarks.chaos.l01_kills",
        "L2": "benchmarks.chaos.l02_power",
        "L4": "benchmarks.chaos.l04_disks",
        "L7": "benchmarks.chaos.l07_stall",
    },
    "bench-loop": {
        **dict.fromkeys(("O1", "O2"), "benchmarks.loop.o01_story"),
        "O3": "benchmarks.loop.o03_rollback",
        "O4": "benchmarks.loop.o04_bad",
        "O5": "benchmarks.loop.o05_equal",
        "O6": "benchmarks.loop.o06_killed",
        "O7": "benchmarks.loop.o07_shadow",
        "O8": "benchmarks.loop.o08_scaling",
        "O9": "benchmarks.loop.o09_delivery",
        "O10": "benchmarks.loop.o10_flapping",
    },
    # Rows that share a file share its rounds: they are measured together, in one process.
    "bench-serving": {
        **dict.fromkeys(("S1", "S2", "S3", "S4", "S5", "S7"), "benchmarks.serving.s01_rows"),
        "S6": "benchmarks.serving.s06_trees",
        "S12": "benchmarks.serving.s12_grpc",
        **dict.fromkeys(("S8", "S9", "S10"), "benchmarks.serving.s08_own"),
        "S11": "benchmarks.serving.s11_binary",
        **dict.fromkeys(("S13", "S14"), "benchmarks.serving.s13_replicas"),
        "S15": "benchmarks.serving.s15_batching",
        "S16": "benchmarks.serving.s16_kills",
        "S17": "benchmarks.serving.s17_overload",
        "S18": "benchmarks.serving.s18_fuzz",
        "S19": "benchmarks.serving.s19_warm",
    },
    "bench-profile": {
        **dict.fromkeys(("V1", "V2", "V3", "V4", "V5"), "benchmarks.profile.v01_whole"),
        **dict.fromkeys(("V6", "V7", "V8"), "benchmarks.profile.v06_stored"),
        "V9": "benchmarks.profile.v09_round",
        "V10": "benchmarks.profile.v10_ray",
    },
    "bench-statistics": {
        "N1": "benchmarks.statistics.n01_budget",
        "N2": "benchmarks.statistics.n02_flights",
        "N3": "benchmarks.statistics.n03_sabotage",
        "N4": "benchmarks.statistics.n04_peers",
        "P1": "benchmarks.statistics.p01_power",
        "C1": "benchmarks.statistics.c01_sequences",
        "E1": "benchmarks.statistics.e01_estimates",
        **dict.fromkeys(("H1", "H2"), "benchmarks.statistics.h01_flights"),
        "P2": "benchmarks.statistics.p02_losses",
        "X1": "benchmarks.statistics.x01_metrics",
        "S1": "benchmarks.statistics.s01_spikes",
        "A1": "benchmarks.statistics.a01_attribution",
        "B1": "benchmarks.statistics.b01_broken",
        "G1": "benchmarks.statistics.g01_gates",
    },
}
FULL_LIMIT_S, QUICK_LIMIT_S = 3 * 3600.0, 600.0


class Options(msgspec.Struct, frozen=True):
    """What a row file is told: how much to do, the seed, and a folder of its own that is removed afterwards.

    `ids` are the rows that are wanted of it.
    """

    is_quick: bool
    seed: int
    folder: Path
    ids: tuple[str, ...] = ()


def main(argv: list[str]) -> int:
    """Run a target; its exit code."""
    asked = _parser().parse_args(argv)
    if asked.row:
        return _run_one(asked)
    files = TARGETS[asked.target]
    chosen = asked.only.split(",") if asked.only else list(files)
    began = time.monotonic()
    rows: list[Row] = []
    for module in dict.fromkeys(files[row_id] for row_id in chosen):
        rows += _in_own_process(asked, module, [row_id for row_id in chosen if files[row_id] == module])
    minutes = (time.monotonic() - began) / 60
    load = os.getloadavg()[0]
    kind = "quick" if asked.quick else "full"
    print(f"{asked.target} {kind}, seed {asked.seed}: {minutes:.1f} minutes, load average at the end {load:.1f}")
    return publish(asked.target, rows, chosen, Path(asked.results))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="ids of rows, with commas")
    parser.add_argument("--results", default=str(RESULTS))
    parser.add_argument("--row", default="", help="run these rows here, all of one file")
    parser.add_argument("--out", default="", help="where a row's process writes its rows")
    return parser


def _in_own_process(asked: argparse.Namespace, module: str, ids: list[str]) -> list[Row]:
    said = ",".join(ids)
    print(f"{said}: {module}", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"gyroscope-{ids[0]}-") as folder:
        out = Path(folder) / "rows.json"
        argv = [sys.executable, "-m", "benchmarks.target", asked.target, "--row", said, "--out", str(out)]
        argv += ["--seed", str(asked.seed), *(["--quick"] if asked.quick else [])]
        try:
            subprocess.run(argv, check=True, timeout=QUICK_LIMIT_S if asked.quick else FULL_LIMIT_S)
            rows = msgspec.json.decode(out.read_bytes(), type=list[Row])
        except (OSError, subprocess.SubprocessError, msgspec.DecodeError) as error:
            rows = [unmeasured(row_id, f"{module} did not finish: {error}") for row_id in ids]
    print(f"{said}: {time.monotonic() - began:.0f} s", flush=True)
    return rows


def _run_one(asked: argparse.Namespace) -> int:
    ids = tuple(asked.row.split(","))
    module = importlib.import_module(TARGETS[asked.target][ids[0]])
    with tempfile.TemporaryDirectory(prefix=f"gyro-{ids[0]}-", ignore_cleanup_errors=True) as folder:
        rows = module.measure(Options(asked.quick, asked.seed, Path(folder), ids))
    Path(asked.out).write_bytes(msgspec.json.encode(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
