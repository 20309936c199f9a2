"""L2: the power goes while requests are answered under `serving.log: full`; nothing acknowledged may be lost.

The home lies on ext4 on a loop device that is shut down without its unsynced pages; memory is emptied as a boot would.
After each cut the house is started again and the ledger held against its table and index. What a client heard after the
cut began is left out: nobody answers without power, but here processes live on for a moment, and to some of them this
kernel says that their sync went well (of a bare program's 8,481 synced writes around 150 cuts none was lost that
`fdatasync` had confirmed before the cut began, 28 that it confirmed after that).
"""

from __future__ import annotations

import os
import random
import shutil
import time
from pathlib import Path
from typing import NamedTuple

from deltalake.exceptions import DeltaError
from rich.progress import Progress

from benchmarks.chaos.disks import Disk, disk
from benchmarks.chaos.l01_kills import supervise
from benchmarks.checker import Verdict, settle
from benchmarks.house import Running, running, wait_for
from benchmarks.ledger import LOGGED, acknowledged, read
from benchmarks.load import load
from benchmarks.rows import Row, at_least, at_most, control, with_control
from benchmarks.target import Options

RATE = 150.0
CONTROL_CUTS = 20
FULL = LOGGED.index("full")


class Outcome(NamedTuple):
    """Cuts made, and what was found after them; faults are the largest of any check."""

    cuts: int
    worst: Verdict
    synced: int


def measure(options: Options) -> list[Row]:
    """Cuts and their control."""
    cuts = 10 if options.is_quick else 200
    found = cut_often(options.folder / "cuts", cuts, options.seed, {"BENCH_HASTE": "1"})
    worst = found.worst
    rows = [
        at_least("L2", "power cuts with `full`", found.cuts, cuts, "cuts", found.cuts),
        at_least("L2", "acknowledged as `full`", found.synced, 10 * cuts, "predictions", worst.acknowledged),
        at_most("L2", "acknowledged lost", worst.lost + worst.wrong, 0, "predictions", worst.acknowledged),
        at_most("L2", "answered twice, unknown or not in the index",
                worst.answered_twice + worst.phantom + worst.unindexed, 0, "rows", worst.rows),
    ]  # fmt: skip
    sabotage = {"BENCH_HASTE": "1", "BENCH_SABOTAGE": "no_sync"}
    bare = cut_often(options.folder / "control", CONTROL_CUTS, options.seed, sabotage, until_lost=True)
    return with_control(rows, control("L2", "fdatasync and fsync do nothing, lost", bare.worst.lost, "predictions",
                                      bare.cuts))  # fmt: skip


def cut_often(folder: Path, cuts: int, seed: int, hooks: dict[str, str], *, until_lost: bool = False) -> Outcome:
    """Cut the power at random moments under load, checking after each; `until_lost` ends with the first loss."""
    rng = random.Random(seed)
    ledger = folder / "ledger"
    worst, done = Verdict(), 0
    dark: list[tuple[int, int]] = []
    with (
        disk(folder / "disk.img", folder / "disk", 1_024) as home_disk,
        running(folder / "place", hooks=hooks, home=str(home_disk.mount / "home"), serving={"log": "full"}) as house,
        Progress(transient=True) as progress,
    ):
        os.sync()
        bar = progress.add_task("L2 power cuts", total=cuts)
        with load(house, ledger, RATE):
            while done < cuts and not (until_lost and worst.lost):
                wait_for(lambda: _answered_lately(ledger), 30)
                time.sleep(rng.uniform(0.1, 1.0))
                dark.append(power_cut(house, home_disk))
                done += 1
                _add(worst, _after(house, ledger, 2.0 if until_lost else 30.0, dark))
                progress.advance(bar)
        synced = int((read(ledger)["logged"] == FULL).sum())
    return Outcome(done, worst, synced)


def _after(house: Running, ledger: Path, patience_s: float, dark: list[tuple[int, int]]) -> Verdict:
    """What is left of what was acknowledged; nothing, when the table itself does not survive."""
    try:
        return settle(house, ledger, patience_s, dark=dark)
    except DeltaError:
        return Verdict(lost=len(acknowledged(read(ledger))))


def power_cut(house: Running, home_disk: Disk) -> tuple[int, int]:
    """Cut, then boot: everything is dead, memory is empty, the disk is as it was synced, and the house is started.

    From when to when (monotonic nanoseconds) there was no power.
    """
    began_ns = time.monotonic_ns()
    home_disk.cut()
    house.kill_all()
    shutil.rmtree(house.house.runtime, ignore_errors=True)
    home_disk.detach()
    home_disk.attach()
    house.house.make_folders()
    ended_ns = time.monotonic_ns()
    supervise(house)
    wait_for(lambda: house.pids("recorder"), 20)
    return began_ns, ended_ns


def _answered_lately(ledger: Path) -> bool:
    last = read(ledger)[-20:]
    return bool((last["logged"] == FULL).any())


def _add(worst: Verdict, found: Verdict) -> None:
    if not found.is_clean:
        print(f"L2 check: {found}")
    worst.acknowledged, worst.rows = found.acknowledged, found.rows
    for name in ("lost", "wrong", "phantom", "answered_twice", "unindexed"):
        setattr(worst, name, max(getattr(worst, name), getattr(found, name)))
