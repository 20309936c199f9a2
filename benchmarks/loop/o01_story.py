"""O1, O2: `gyro demo` as a user runs it: its events, its two controls, and what the loop was worth.

Other seeds and start months tell other stories, under the same laws. The controls: without the fault no incident of
data quality and no veto, with a challenger that equals the champion no promotion. A demo that failed shows neither.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
from rich.console import Console

from benchmarks.house import free_port
from benchmarks.loop.lawful import Event, broken_laws, missing
from benchmarks.rows import Row, at_least, at_most, unmeasured
from benchmarks.target import Options

GYRO = str(Path(sys.executable).with_name("gyro"))
NEAR, MOST_S = 1.03, 360.0


class Told(msgspec.Struct, frozen=True):
    """One run: what it was asked, what it told, and how it ended."""

    name: str
    events: list[Event]
    code: int
    said: str


def measure(options: Options) -> list[Row]:
    """Both ids from the same runs."""
    seeds = (options.seed,) if options.is_quick else (0, 1, 2)
    wanted = [("--seed", str(seed)) for seed in seeds] + ([] if options.is_quick else [("--start", "June")])
    runs = [_run(options.folder, arguments) for arguments in wanted]
    no_fault = _run(options.folder, ("--no-fault", "--seed", str(options.seed)))
    equal = None if options.is_quick else _run(options.folder, ("--equal-challenger", "--seed", str(options.seed)))
    every = [*runs, no_fault, *([equal] if equal else [])]
    for run in every:
        _tell(run)
    return [*_story(runs, no_fault, equal, every), *_worth(runs[: len(seeds)])]


def _run(folder: Path, arguments: tuple[str, ...]) -> Told:
    place = folder / "-".join(one.strip("-") for one in arguments)
    place.mkdir()
    argv = [GYRO, "demo", "--json", "--port", str(free_port()), *arguments]
    done = subprocess.run(argv, cwd=place, capture_output=True, text=True, check=False)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return Told(" ".join(arguments), events, done.returncode, done.stderr[-400:])


def _story(runs: list[Told], no_fault: Told, equal: Told | None, every: list[Told]) -> list[Row]:
    lawful = sum(run.code == 0 and not broken_laws(run.events) for run in every)
    whole = sum(run.code == 0 and not missing(run.events) for run in runs)
    broken = [one for one in no_fault.events if one["type"] == "incident_opened" and _kind(one) == "quality"]
    vetoes = [one for one in no_fault.events if one["type"] == "retraining_vetoed"]
    wrong = len(broken) + len(vetoes) + (no_fault.code != 0)
    slowest = max(float(run.events[-1].get("seconds", 1e9)) if run.events else 1e9 for run in every)
    rows = [
        at_least("O1", "runs in lawful order, each event with its reason", lawful, len(every), "runs", len(every)),
        at_least("O1", "runs with every part of the story", whole, len(runs), "runs", len(runs)),
        at_most("O1", "no fault: data-quality incidents, vetoes and failures", wrong, 0, "events", 1),
        at_most("O1", "slowest run", slowest, MOST_S, "s", len(every)),
    ]
    if equal is not None:
        wrong = sum(one["type"] == "promoted" for one in equal.events) + (equal.code != 0)
        rows.append(at_most("O1", "equal challenger: promotions and failures", wrong, 0, "events", 1))
    return rows


def _worth(runs: list[Told]) -> list[Row]:
    rows = []
    for run in runs:
        if run.code:
            rows.append(unmeasured("O2", f"{run.name}: the demo failed with code {run.code}"))
            continue
        ways = {one["name"]: one for one in run.events if one["type"] == "way"}
        loop, never, monthly = (ways[name] for name in ("this loop", "never retrained", "retrained every month"))
        ratio = loop["brier"] / monthly["brier"]
        rows += [
            at_most("O2", f"{run.name}: Brier of the loop beside never", loop["brier"], never["brier"], "", 1),
            at_most("O2", f"{run.name}: Brier of the loop over monthly's", ratio, NEAR, "times", 1),
            at_most("O2", f"{run.name}: trainings", loop["trainings"], monthly["trainings"] - 1, "trainings", 1),
        ]
    return rows


def _kind(event: Event) -> str:
    return str(event["evidence"]["kind"])


def _tell(run: Told) -> None:
    console = Console(width=120)
    console.print(f"gyro demo {run.name}: code {run.code} {run.said}")
    for event in run.events:
        if event["type"] not in ("progress", "month", "loaded", "up"):
            console.print(f"  {event['at'][:10]} {event['type']} {event.get('version', '')[:6]} {event['reason'][:90]}")
    for law in (*broken_laws(run.events), *(f"missing: {one}" for one in missing(run.events))):
        console.print(f"  ! {law}")
