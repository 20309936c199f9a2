"""L1: processes of a running house killed at chosen points, thousands of times; nothing acknowledged may be lost.

A cycle lets a process reach a window and kills there: itself, or, while it stands still in the window, another one, the
supervisor or everything. After each block of cycles the ledger is held against table and index.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from rich.progress import Progress

from benchmarks.chaos.points import WINDOWS, Points, release
from benchmarks.checker import Verdict, judge, settle, table_rows
from benchmarks.house import Running, hooked, kill, running, wait_for
from benchmarks.ledger import acknowledged, read
from benchmarks.load import Load, load
from benchmarks.rows import Row, at_least, at_most, control, with_control
from benchmarks.target import Options

CLAIM = "kill cycles on a running house"
# Out of 20 cycles. "all" costs five starts, a supervisor hardly anything.
SHARES = {"replica": 7, "recorder": 6, "supervisor": 6, "all": 1}
WINDOW_NAMES = tuple(WINDOWS)
OWNER = {"write": "replica", "reply": "replica", "commit": "recorder", "index": "recorder"}
RATE = 120.0
PATIENCE_S = 20.0
CONTROL_KILLS = 6


class Cycle(NamedTuple):
    """Whom to kill, and in which window."""

    victim: str
    window: str


class Outcome(NamedTuple):
    """What a storm did and what was found after it; `worst` adds up what must be 0 over all checks."""

    cycles: int
    hits: dict[str, int]
    kills: Counter[str]
    worst: Verdict


def measure(options: Options) -> list[Row]:
    """Both the storm and its control."""
    cycles = 200 if options.is_quick else 2_000
    found = storm(options.folder / "storm", cycles, options.seed, block=50 if options.is_quick else 100)
    print(f"L1 kills: {dict(found.kills)}; windows hit: {found.hits}")
    least = 10 if options.is_quick else 50
    three = {"write": found.hits["write"], "reply": found.hits["reply"]}
    three["offset"] = found.hits["commit"] + found.hits["index"]
    named = ", ".join(f"{WINDOWS.get(name, 'between commit and offset')} {n}" for name, n in three.items())
    worst = found.worst
    rows = [
        at_least("L1", CLAIM, found.cycles, cycles, "cycles", found.cycles),
        at_least("L1", f"each window is hit ({named})", min(three.values()), least, "hits", found.cycles),
        at_most("L1", "acknowledged lost", worst.lost + worst.wrong, 0, "predictions", worst.acknowledged),
        at_most("L1", "answered twice", worst.answered_twice, 0, "predictions", worst.acknowledged),
        at_most("L1", "rows nobody asked for, or not in the index", worst.phantom + worst.unindexed, 0, "rows",
                worst.rows),
    ]  # fmt: skip
    lost, kills = sabotaged(options.folder / "control", CONTROL_KILLS)
    return with_control(rows, control("L1", "acknowledged before the write, lost", lost, "predictions", kills))


def plan(cycles: int, seed: int) -> list[Cycle]:
    """Victims by their shares, in an order and with windows that the seed decides."""
    rng = random.Random(seed)
    victims = [name for name, share in SHARES.items() for _ in range(share)]
    made = [_drawn(victims[at % len(victims)], rng) for at in range(cycles)]
    rng.shuffle(made)
    return made


def storm(folder: Path, cycles: int, seed: int, block: int) -> Outcome:
    """Kill `cycles` times under load, checking after each block."""
    points = Points(folder / "points")
    kills: Counter[str] = Counter()
    worst = Verdict()
    rng = random.Random(seed)
    with (
        tempfile.TemporaryDirectory(prefix="gyroscope-ledger-") as elsewhere,
        running(folder / "place", replicas=3, hooks=points.hooks) as house,
        load(house, Path(elsewhere) / "ledger", RATE),
        Progress(transient=True) as progress,
    ):
        bar = progress.add_task("L1 kills", total=cycles)
        ledger = Path(elsewhere) / "ledger"
        for at, cycle in enumerate(plan(cycles, seed), start=1):
            if _once(house, points, cycle, rng):
                kills[cycle.victim] += 1
            progress.advance(bar)
            if at % block == 0 or at == cycles:
                wait_for(lambda: house.pids("replica") and house.pids("recorder"), PATIENCE_S)
                _add(worst, settle(house, ledger, 60.0))
    return Outcome(sum(kills.values()), points.hits, kills, worst)


def sabotaged(folder: Path, kills: int) -> tuple[int, int]:
    """(lost, kills) of a house whose replicas acknowledge before they write."""
    points = Points(folder / "points")
    ledger = folder / "ledger"
    with running(folder / "place", hooks={**points.hooks, "BENCH_SABOTAGE": "ack_first"}) as house:
        sending = Load(house, ledger, RATE)
        done = 0
        for _ in range(kills):
            known = len(read(ledger))
            # A replica that has just begun has acknowledged nothing yet.
            wait_for(lambda known=known: len(acknowledged(read(ledger)[known:])) >= 40, PATIENCE_S)
            done += bool(points.hit("write", "kill", PATIENCE_S))
        sending.stop()
        house.down()
        return judge(house, ledger, acknowledged(read(ledger)), table_rows(house)).lost, done


def _drawn(victim: str, rng: random.Random) -> Cycle:
    """Replicas and recorders die in a window of their own two times out of three, else while another stands in one."""
    own = [window for window, owner in OWNER.items() if owner == victim]
    return Cycle(victim, rng.choice(own if own and rng.random() < 2 / 3 else WINDOW_NAMES))


def _once(house: Running, points: Points, cycle: Cycle, rng: random.Random) -> bool:
    """One kill; False when nobody came into the window in time."""
    if cycle.victim == OWNER[cycle.window]:
        return bool(points.hit(cycle.window, "kill", PATIENCE_S))
    standing = points.hit(cycle.window, "stop", PATIENCE_S)
    if not standing:
        return False
    try:
        _kill(house, cycle.victim, rng)
    finally:
        release(standing)
    return True


def _kill(house: Running, victim: str, rng: random.Random) -> None:
    if victim == "all":
        house.kill_all()
        supervise(house)
    elif victim == "supervisor":
        for pid in house.pids("supervisor"):
            kill(pid)
        wait_for(lambda: not house.pids("supervisor"), 5, 0.002)
        supervise(house)
    else:
        pids = house.pids(victim)
        if pids:
            kill(rng.choice(pids), signal.SIGKILL)


def supervise(house: Running) -> None:
    """A new supervisor, as `gyro up` starts one, without waiting for what it starts."""
    argv = [sys.executable, "-m", "gyroscope.supervisor", str(house.house.run_dir), "--daemon"]
    with hooked(house.hooks), (house.house.logs / "supervisor.log").open("ab") as log:
        # One try more: the lock of a process that was just killed takes a moment to go.
        for _ in range(50):
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
            if done.returncode == 0:
                return
            time.sleep(0.1)
    raise RuntimeError(f"no supervisor could be started; see {house.house.logs}")


def _add(worst: Verdict, found: Verdict) -> None:
    """Faults add up over the checks; the sizes are those of the last."""
    if not found.is_clean:
        print(f"L1 check: {found}")
    worst.acknowledged, worst.rows = found.acknowledged, found.rows
    for name in ("lost", "wrong", "phantom", "answered_twice", "unindexed"):
        setattr(worst, name, max(getattr(worst, name), getattr(found, name)))
