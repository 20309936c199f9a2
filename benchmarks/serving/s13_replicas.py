"""S13 and S14: replicas behind the door, with a model that sleeps as long as its input says, milliseconds a row.

S13: two replicas against one, closed loop, two houses in turn. S14: 9 of 10 requests take 1 ms, the tenth 50, Poisson
arrivals; p99 against a simulated queue that hands the next request to whoever of two is free first.
"""

from __future__ import annotations

import heapq
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks.house import MODEL, Running, running
from benchmarks.rows import Row, at_least, at_most
from benchmarks.serving.closed import closed_loop
from benchmarks.serving.paced import Kind, Plan, failed, paced, percentile_ms
from benchmarks.target import Options
from gyroscope.models import Candidate
from gyroscope.records import Feature, Signature

CODE = """\
import time

time.sleep({load_s})


class Model:
    def predict(self, matrix, columns):
        time.sleep(matrix[:, 0].sum() / 1000)
        return matrix[:, 0]
"""
PATH = f"/models/{MODEL}/invocations"
SHORT_MS, LONG_MS, REPLICAS = 1, 50, 2
# Of 5.9 ms a request two replicas manage 339 a second; this is 60 % of that.
RATE = 200.0
# What waits is bounded by half of the deadline: nobody is to be refused here.
PATIENT: dict[str, Any] = {"serving": {"deadline_s": 10.0}}


def measure(options: Options) -> list[Row]:
    """The rows that were asked for."""
    rows = []
    if "S13" in options.ids:
        rows.append(_twice(options))
    if "S14" in options.ids:
        rows.append(_mixed(options))
    return rows


def _twice(options: Options) -> Row:
    rounds, seconds = (3, 1.0) if options.is_quick else (5, 10.0)
    with (
        running(options.folder / "one", replicas=1, candidate=sleeper(options.folder), **PATIENT) as one,
        running(options.folder / "two", replicas=2, candidate=sleeper(options.folder), **PATIENT) as two,
    ):
        seen: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(rounds):
            for size, house in ((1, one), (2, two)):
                url = f"http://127.0.0.1:{house.port}{PATH}"
                found = closed_loop(url, [body(10)], headers(house), connections=16, seconds=seconds)
                seen[size].append(found.per_s)
    per_s = {size: statistics.median(rates) for size, rates in seen.items()}
    claim = f"two replicas against one, each prediction 10 ms ({per_s[2]:.0f} / {per_s[1]:.0f} requests/s)"
    return at_least("S13", claim, per_s[2] / per_s[1], 1.9, "x", rounds)


def _mixed(options: Options) -> Row:
    seconds = 10.0 if options.is_quick else 120.0
    with running(options.folder / "mixed", replicas=REPLICAS, candidate=sleeper(options.folder), **PATIENT) as house:
        kinds = [Kind(90, [body(SHORT_MS)]), Kind(10, [body(LONG_MS)])]
        warm = Plan(house.port, PATH, headers(house), kinds, RATE, 3.0, is_poisson=True)
        paced(warm, options.folder)
        plan = Plan(house.port, PATH, headers(house), kinds, RATE, seconds, workers=256, is_poisson=True)
        seen = paced(plan, options.folder)
    if failed(seen):
        raise RuntimeError(f"{failed(seen)} of {len(seen)} requests were not answered")
    measured, ideal = percentile_ms(seen, 99), float(np.percentile(central_queue(seen), 99))
    claim = f"1 ms and 50 ms mixed, {RATE:.0f}/s on two replicas: p99 against an ideal queue"
    return at_most("S14", f"{claim} ({measured:.0f} / {ideal:.0f} ms)", measured / ideal, 1.3, "x", len(seen))


def central_queue(seen: NDArray[np.void]) -> list[float]:
    """How long each request would take, ms, in one queue for all replicas that costs nothing."""
    free_ms = [0.0] * REPLICAS
    took = []
    for record in seen[np.argsort(seen["due_ns"], kind="stable")]:
        due_ms = record["due_ns"] / 1e6
        done_ms = max(due_ms, heapq.heappop(free_ms)) + (SHORT_MS, LONG_MS)[record["kind"]]
        heapq.heappush(free_ms, done_ms)
        took.append(float(done_ms - due_ms))
    return took


def sleeper(folder: Path, load_s: float = 0.0) -> Candidate:
    """The model, its code in this folder; it takes so long to load."""
    code = folder / "sleeper.py"
    code.write_text(CODE.format(load_s=load_s), encoding="utf-8")
    return Candidate(
        MODEL, "python", Signature("regression", (Feature("ms"),), output="slept"), code, entry="sleeper:Model"
    )


def body(sleep_ms: float) -> bytes:
    """One row of so many milliseconds."""
    return orjson.dumps({"dataframe_split": {"columns": ["ms"], "data": [[sleep_ms]]}})


def headers(house: Running) -> dict[str, str]:
    """Of every request."""
    return {"Authorization": f"Bearer {house.key}", "Content-Type": "application/json"}
