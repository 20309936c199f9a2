"""O8's last rows: bursts on a real house whose size follows the load, and the same requests in the simulation.

`o08_scaling.py` calls it. The simulation is told what the house measured of itself: the time of a request and the time
until a replica works; arrivals are those that were sent. Nothing else is fitted. When the house looks between two
whole seconds is chance, so each simulation looks at moments of its own.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.house import MODEL, Running, running
from benchmarks.rows import Row, at_most
from benchmarks.serving.paced import Kind, Plan, paced
from benchmarks.serving.s13_replicas import PATH, body, headers, sleeper
from benchmarks.target import Options
from gyroscope.records import NotEnoughData
from gyroscope.scaling.horizontal import Policy
from gyroscope.scaling.loop import newest_inputs, policy_of
from gyroscope.simulation import Outcome, Replica, Trace, rehearse
from gyroscope.simulation.policies.own import Own
from gyroscope.supervisor import client

CALM_PER_S, BURST_PER_S = 8.0, 40.0
CALM_S, BURST_S = 60.0, 20.0
"""A size is small again some 50 s after a burst. A next one after 45 s meets two replicas or eight by chance: the
violations of four bursts went from 68 to 411 in simulations of the same arrivals."""

LOAD_S = 3.0
"""Replicas that start in half a second leave some 70 late requests a burst, too few: in four bursts their number
varies by a fifth (standard deviation), by a twentieth with this."""

MEAN_MS, SHAPE = 100.0, 4.0
WITHIN_S = 0.5
SIMULATED = 20
POLICY: dict[str, Any] = {
    "replicas": {"min": 1, "max": 8},
    "batch_calls": 1,
    "shrink_after_s": 10,
    "slo": {"p99_ms": WITHIN_S * 1_000},
}
AGREE = 0.2


class Sizes:
    """What a house was told to have and what was ready, looked at while requests are sent."""

    def __init__(self, house: Running) -> None:
        self._house = house
        self.seen: list[tuple[float, int, int]] = []

    def look(self) -> None:
        wanted = self._house.house.routes.replicas(MODEL, self._house.house.settings)
        rows = client.status(self._house.house.run_dir)["processes"]
        ready = sum(row["kind"] == "replica" and row["state"] == "ready" for row in rows)
        self.seen.append((time.monotonic(), wanted, ready))
        time.sleep(0.1)

    def integrated(self) -> tuple[float, float]:
        """Replica-seconds wanted, and how long a new replica took to work on average."""
        at, wanted, ready = (np.array(column, dtype=np.float64) for column in zip(*self.seen, strict=True))
        took_s = np.diff(at)
        started = np.maximum(np.diff(wanted), 0).sum()
        late_s = (took_s * np.maximum(wanted - ready, 0)[:-1]).sum()
        return float((took_s * wanted[:-1]).sum()), float(late_s / max(started, 1))


def replayed(options: Options) -> list[Row]:
    """Replica-seconds and violations of the real bursts against the simulated ones."""
    bursts = 2 if options.is_quick else 4
    milliseconds = np.random.default_rng(options.seed).gamma(SHAPE, MEAN_MS / SHAPE, 997).tolist()
    first, *later = rates(bursts)
    settings = {"models": {MODEL: POLICY}}
    model = sleeper(options.folder, LOAD_S)
    with running(options.folder / "replayed", replicas=1, candidate=model, **settings) as house:
        sizes = Sizes(house)
        kinds = [Kind(1, [body(each) for each in milliseconds])]
        plan = Plan(house.port, PATH, headers(house), kinds, *first, workers=256, is_poisson=True, later=later)
        records = paced(plan, options.folder, act=sizes.look)
        replica_s, start_s = sizes.integrated()
        simulated = _simulated(house, records, start_s)
    broken = int(((records["took_ns"] > WITHIN_S * 1e9) | (records["status"] != 200)).sum())
    told = f"{bursts} bursts replayed with real replicas that start in {start_s:.1f} s"
    return [
        _off(f"{told}: replica-seconds", replica_s, [one.replica_s for one in simulated], len(records)),
        _off(f"{told}: violations", broken, [one.violations for one in simulated], len(records)),
    ]


def rates(bursts: int) -> list[tuple[float, float]]:
    """What is sent: requests a second, and for how many seconds."""
    return [(CALM_PER_S, CALM_S), (BURST_PER_S, BURST_S)] * bursts


def _off(claim: str, real: float, simulated: Sequence[float], n: int) -> Row:
    """How far the real figure is from the mean of the simulated ones."""
    mean = float(np.mean(simulated))
    between = f"{min(simulated):,.0f} to {max(simulated):,.0f}"
    told = f"{claim} off the simulated ({real:,.0f} / {mean:,.0f}, single ones {between})"
    return at_most("O8", told, abs(real / max(mean, 1.0) - 1), AGREE, "share", n)


def _simulated(house: Running, records: NDArray[np.void], start_s: float) -> list[Outcome]:
    """The same arrivals, with what the house measured of itself."""
    policy = policy_of(house.house.settings, MODEL, start_s)
    inputs = newest_inputs(house.house.journal, MODEL)
    if isinstance(inputs, NotEnoughData) or isinstance(inputs.capacity, NotEnoughData):
        raise RuntimeError("the house never learned what a request takes")
    learned = inputs.capacity
    replica = Replica(
        learned.fixed_s + learned.request_s, cv2=learned.cv2, start_s=start_s, patience_s=policy.promise.patience_s
    )
    return over_and_over(np.sort(records["due_ns"]).astype(np.float64) / 1e9, replica, policy)


def over_and_over(due_s: NDArray[np.float64], replica: Replica, policy: Policy) -> list[Outcome]:
    """These arrivals with other draws of the service time and other moments of the looks."""
    outcomes = []
    for seed in range(SIMULATED):
        moments = due_s - due_s[0] + seed / SIMULATED
        trace = Trace("replayed", np.bincount(moments.astype(np.int64)).astype(np.float64), moments=moments)
        outcomes.append(rehearse(trace, replica, Own(policy), WITHIN_S, first=1, seed=seed))
    return outcomes
