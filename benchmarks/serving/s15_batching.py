"""S15: batching that learns against a grid of static (size, wait), for a model with 5 ms a call and 0.1 ms a row.

One replica, asked directly. Saturated: 16 and 48 connections, closed loop, everybody in turn, in many short rounds,
each with a ratio of its own: a machine that slows down for some seconds meets both sides of it. Low load: Poisson
arrivals at a fifth of what calls alone carry, against a replica that never batches. The static ones are the same
replica with a policy of its own (`static_replica.py`): no grid is a part of the product.
"""

from __future__ import annotations

import http.client
import statistics
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from benchmarks.house import MODEL, Running, wait_for
from benchmarks.rows import Row, at_least, at_most
from benchmarks.serving.closed import closed_loop
from benchmarks.serving.contestants import process
from benchmarks.serving.paced import Kind, Plan, failed, paced, percentile_ms
from benchmarks.serving.s13_replicas import PATH, body, headers
from benchmarks.target import Options
from gyroscope.models import Candidate
from gyroscope.records import Feature, Signature

FIXED_MS, ROW_MS, DEADLINE_S = 5.0, 0.1, 0.5
SLO_MS = 1000 * DEADLINE_S / 2
LOW_RATE = 0.2 * 1000 / (FIXED_MS + ROW_MS)
GRID = ((1, 0), (8, 0), (8, 2), (16, 0), (16, 2), (48, 2), (48, 5))
CODE = f"""\\
import time


class Model:
    def predict(self, matrix, columns):
        time.sleep(({FIXED_MS} + {ROW_MS} * len(matrix)) / 1000)
        return matrix[:, 0]
"""


class Policy(msgspec.Struct, frozen=True):
    """A replica: `size` 0 learns, else so many calls, or what there is `wait_ms` after the first."""

    size: int = 0
    wait_ms: int = 0


LEARNS = Policy()


def measure(options: Options) -> list[Row]:
    """The three figures."""
    rounds, seconds, low_s = (5, 1.0, 8.0) if options.is_quick else (15, 2.0, 60.0)
    policies = [LEARNS, *(Policy(*at) for at in GRID)]
    with ExitStack() as stack:
        there = {one: stack.enter_context(_replica(one, options.folder)) for one in policies}
        rows = [_saturated(there, connections, rounds, seconds) for connections in (16, 48)]
        alone, learned = (_low(there[one], options.folder, low_s) for one in (Policy(1, 0), LEARNS))
    slower = f"p50 at low load against a replica that never batches ({learned:.2f} / {alone:.2f} ms)"
    return [*(row for pair in rows for row in pair), at_most("S15", slower, learned - alone, 1.0, "ms", round(low_s))]


def _saturated(there: Mapping[Policy, Running], connections: int, rounds: int, seconds: float) -> list[Row]:
    rates: dict[Policy, list[float]] = {one: [] for one in there}
    slowest = []
    for number in range(rounds + 1):
        for one, house in there.items():
            url = f"http://127.0.0.1:{house.port}{PATH}"
            found = closed_loop(url, [body(1)], headers(house), connections=connections, seconds=seconds)
            if number:  # the first round is for learning
                rates[one].append(found.per_s)
                slowest += [found.p99_ms] if one == LEARNS else []
    ours = rates.pop(LEARNS)
    medians = {one: statistics.median(found) for one, found in rates.items()}
    best = max(medians, key=lambda one: medians[one])
    ratio = statistics.median(mine / its for mine, its in zip(ours, rates[best], strict=True))
    print(f"S15, {connections} connections: learns {statistics.median(ours):.0f}/s; " + ", ".join(
        f"({one.size}, {one.wait_ms} ms) {rate:.0f}/s" for one, rate in medians.items()
    ))  # fmt: skip
    claim = f"requests/s, {connections} connections, against the best static (size {best.size}, {best.wait_ms} ms)"
    slo = f"p99, {connections} connections"
    return [
        at_least("S15", claim, ratio, 0.9, "x", rounds),
        at_most("S15", slo, statistics.median(slowest), SLO_MS, "ms", rounds),
    ]


def _low(house: Running, folder: Path, seconds: float) -> float:
    plan = Plan(house.port, PATH, headers(house), [Kind(1, [body(1)])], LOW_RATE, seconds, is_poisson=True)
    seen = paced(plan, folder)
    if failed(seen):
        raise RuntimeError(f"{failed(seen)} requests were not answered")
    return percentile_ms(seen, 50)


def _answers(house: Running) -> bool:
    link = http.client.HTTPConnection("127.0.0.1", house.port, timeout=5)
    try:
        link.request("POST", PATH, body(1), headers(house))
        return link.getresponse().status == 200
    except OSError:
        return False
    finally:
        link.close()


@contextmanager
def _replica(policy: Policy, folder: Path) -> Iterator[Running]:
    """One replica on the servers' core; its log is off, since all of them run at once and have no recorder."""
    code = folder / "fixed_cost.py"
    code.write_text(CODE, encoding="utf-8")
    signature = Signature("regression", (Feature("ms"),), output="first")
    candidate = Candidate(MODEL, "python", signature, code, entry="fixed_cost:Model")
    settings = {"serving": {"deadline_s": DEADLINE_S, "log": "off"}}
    made = Running(folder / f"{policy.size}-{policy.wait_ms}", settings, 1, candidate=candidate)
    made.key = made.house.keys.create_first().api_key
    words = [str(made.settings_path), made.version.version, str(policy.size), str(policy.wait_ms)]
    try:
        with process([sys.executable, "-m", "benchmarks.serving.static_replica", *words]):
            if wait_for(lambda: _answers(made), 60) == float("inf"):
                raise RuntimeError(f"the replica of {policy} did not answer")
            yield made
    finally:
        made.clear()
