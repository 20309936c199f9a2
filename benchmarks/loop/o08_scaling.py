"""O8: scaling beside HPA's defaults, a KPA-like policy and Ray Serve's on five simulated traces; one is replayed.

All begin with the replicas that the first second needs. Where the product spends more than a peer at the promise that
was made, it is given a looser one, then fewer replicas at most, until it does not; where it spends less, a tighter
promise as far as the peer's spending goes: so each comparison is at no more replica-seconds. The table has what
everybody makes of the promise as it was made.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.loop.replayed import replayed
from benchmarks.rows import Row, at_most
from benchmarks.target import Options
from gyroscope.scaling.horizontal import Policy
from gyroscope.simulation import Outcome, Replica, Trace, named, rehearse
from gyroscope.simulation.policies import Scaler
from gyroscope.simulation.policies.hpa import Hpa
from gyroscope.simulation.policies.kpa import Kpa
from gyroscope.simulation.policies.own import Own, relaxed
from gyroscope.simulation.policies.ray_serve import RayServe
from gyroscope.stats.queueing import Promise, Service, servers_needed

TRACES = ("steady", "diurnal", "ramp", "spike", "flash crowd")
PEAK_PER_S, MOST = 200.0, 60
REPLICA = Replica(request_s=0.1, cv2=0.25, start_s=10.0, patience_s=1.0)
PROMISE = Promise(within_s=0.5, late=0.01, patience_s=REPLICA.patience_s, lost=0.001)
PLANS = (
    (1e-4, MOST), (1e-3, MOST), (1e-2, MOST), (0.1, MOST), (1.0, MOST), (3.0, MOST), (10.0, MOST), (10.0, 40),
    (10.0, 30), (10.0, 26), (30.0, 24), (60.0, 24), (60.0, 23), (60.0, 22), (60.0, 21),
    (60.0, 20), (60.0, 18), (60.0, 15),
)  # fmt: skip
"""From dear to cheap: what of the late and lost shares that the promise allows, and the most replicas."""

AS_MADE = (1.0, MOST)

AS_FEW = 1e-4
"""Of the requests, a hundredth of the allowed: where both policies break the promise less often, neither is better."""

PEERS: tuple[Callable[[int, int], Scaler], ...] = (Hpa, Kpa, RayServe)


class Rehearsed:
    """One trace: the product at any factor, each run once, and the peers."""

    def __init__(self, trace: Trace, seed: int) -> None:
        self._trace, self._seed = trace, seed
        self._first = servers_needed(float(trace.per_s[0]), Service(REPLICA.request_s, REPLICA.cv2), PROMISE, MOST)
        self._own: dict[tuple[float, int], Outcome] = {}

    def own(self, plan: tuple[float, int] = AS_MADE) -> Outcome:
        if plan not in self._own:
            factor, most = plan
            policy = Policy(least=1, most=most, promise=PROMISE, start_s=REPLICA.start_s)
            self._own[plan] = self._run(Own(relaxed(policy, factor)))
        return self._own[plan]

    @cached_property
    def peers(self) -> list[Outcome]:
        return [self._run(peer(1, MOST)) for peer in PEERS]

    def at_cost_of(self, peer: Outcome) -> Outcome:
        """The product at the dearest plan that costs no more than a peer; at the cheapest where none does."""
        low, high = 0, len(PLANS) - 1
        while low < high:
            middle = (low + high) // 2
            if self.own(PLANS[middle]).replica_s <= peer.replica_s:
                high = middle
            else:
                low = middle + 1
        return self.own(PLANS[low])

    def _run(self, scaler: Scaler) -> Outcome:
        return rehearse(self._trace, REPLICA, scaler, PROMISE.within_s, first=self._first, seed=self._seed)


def measure(options: Options) -> list[Row]:
    """Six hours a trace; two in the quick run."""
    seconds = 7_200 if options.is_quick else 21_600
    rows: list[Row] = []
    table = Table(*("trace", "policy", "violations", "share", "replica-seconds", "reversals"), title="O8, as promised")
    for name in TRACES:
        rehearsed = Rehearsed(named(name, seconds, PEAK_PER_S), options.seed)
        for outcome in (rehearsed.own(), *rehearsed.peers):
            table.add_row(*cells(outcome))
        rows += [against(rehearsed.at_cost_of(peer), peer) for peer in rehearsed.peers]
        own = rehearsed.own()
        claim = f"{name}: reversals of the product; changes of regime"
        rows.append(at_most("O8", claim, own.reversals, own.changes, "", own.requests))
    Console(width=120).print(table)
    return [*rows, *replayed(options)]


def against(own: Outcome, peer: Outcome) -> Row:
    """Violations over the peer's, at no more replica-seconds."""
    spent = own.replica_s / peer.replica_s
    are_as_few = max(own.violated_share, peer.violated_share) <= AS_FEW
    claim = (
        f"{own.trace}: violations over those of {peer.policy} ({own.violations:,} / {peer.violations:,}"
        f"{', both hardly ever' if are_as_few else ''}) at {spent:.3f} of its replica-seconds"
    )
    row = at_most("O8", claim, own.violations / max(peer.violations, 1), 0.999, "x", own.requests, peer.policy)
    return msgspec.structs.replace(row, holds=(row.holds or are_as_few) and spent <= 1)


def cells(outcome: Outcome) -> tuple[str, ...]:
    """An outcome as a line of the table."""
    share, seconds = f"{100 * outcome.violated_share:.3f} %", f"{outcome.replica_s:,.0f}"
    return (outcome.trace, outcome.policy, f"{outcome.violations:,}", share, seconds, str(outcome.reversals))
