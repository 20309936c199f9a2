"""Whole rehearsals, short ones: what the product's decisions must show on every named shape."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.scaling.horizontal import Policy
from gyroscope.simulation import Outcome, Replica, Trace, named, rehearse
from gyroscope.simulation.policies.hpa import Hpa
from gyroscope.simulation.policies.own import Own
from gyroscope.simulation.policies.static import Static
from gyroscope.stats.queueing import Promise

REPLICA = Replica(0.1, cv2=0.25, start_s=5.0)
POLICY = Policy(1, 20, Promise(0.5, patience_s=REPLICA.patience_s), start_s=REPLICA.start_s)


def own(trace: Trace, seed: int = 0, first: int = 2) -> Outcome:
    return rehearse(trace, REPLICA, Own(POLICY), 0.5, first=first, seed=seed)


@pytest.mark.parametrize("name", ["steady", "ramp", "spike", "flash crowd"])
def test_at_most_one_reversal_a_change_of_regime(name):
    outcome = own(named(name, 3_600, 60.0), first={"steady": 5, "spike": 3}.get(name, 2))
    assert outcome.reversals <= outcome.changes


def test_the_same_seed_gives_the_same_outcome():
    trace = named("spike", 900, 60.0)
    one, two = own(trace), own(trace)
    assert (one.sizes == two.sizes).all()
    assert one.violations == two.violations


def test_it_grows_with_the_load_and_shrinks_after_it():
    trace = Trace("step", np.repeat([5.0, 60.0, 5.0], [100, 200, 300]), 2)
    sizes = own(trace, first=1).sizes
    assert sizes[99] <= 2
    assert sizes[110] >= 7
    assert sizes[-1] <= 2


def test_more_replicas_break_fewer_promises():
    trace = named("steady", 600, 100.0)
    few, many = (rehearse(trace, REPLICA, Static(size), 0.5, first=size) for size in (5, 9))
    assert few.violations > many.violations
    assert (few.replica_s, many.replica_s) == pytest.approx((3_000, 5_400), abs=10)


def test_a_slow_loop_breaks_more_promises_in_a_spike():
    trace = named("spike", 1_800, 60.0)
    assert own(trace).violations < rehearse(trace, REPLICA, Hpa(1, 20), 0.5, first=2).violations


def test_where_nobody_asks_nothing_need_be_learned_to_shrink():
    outcome = own(Trace("silent", np.zeros(300), 0), first=4)
    assert set(outcome.sizes[:120].tolist()) == {4}
    assert outcome.sizes[-1] == 1
    assert (outcome.requests, outcome.violations) == (0, 0)
