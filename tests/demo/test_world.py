"""What a seed has in store: one week of one column in another unit, a poisoned version, a crowd."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from gyroscope.clock import DAY_US
from gyroscope.demo.flights import FEATURES, Flights
from gyroscope.demo.world import WEEK, broken, draw

DAYS, A_DAY = 300, 4


@pytest.fixture(scope="module")
def flights() -> Flights:
    n = DAYS * A_DAY
    day = np.repeat(np.arange(DAYS), A_DAY)
    whole = {
        "ids": np.arange(n).astype(object),
        "departs": day * DAY_US + np.tile(np.arange(A_DAY), DAYS),
        "lands": np.ones(n, np.int64),
        "late": np.zeros(n, np.int8),
        "day": np.array([f"{number:04d}" for number in day], dtype=object),
        "month": day // 30,
    }
    return Flights(columns={name: np.full(n, 60.0) for name in FEATURES}, **whole)


@pytest.mark.parametrize("seed", range(4))
def test_every_flight_is_sent_once_in_stretches_of_a_week(flights, seed):
    stretches = draw(flights, seed, has_fault=True).stretches
    assert stretches[0].first == 0
    assert stretches[-1].end == len(flights)
    assert all(one.end == other.first for one, other in pairwise(stretches))
    assert all(one.end - one.first == WEEK * A_DAY for one in stretches[:-1])


def test_a_week_of_one_column_is_in_another_unit_and_nothing_else_is_touched(flights):
    fault = draw(flights, 1, has_fault=True).fault
    sent = broken(flights, fault)
    changed = {name: np.flatnonzero(sent.columns[name] != flights.columns[name]) for name in FEATURES}
    assert {name for name, places in changed.items() if len(places)} == {fault.column}
    assert len(changed[fault.column]) == WEEK * A_DAY
    assert (sent.columns[fault.column][changed[fault.column]] == 60.0 * fault.factor).all()


def test_seeds_differ_and_without_the_fault_the_rest_is_the_same(flights):
    with_fault, without = (draw(flights, 2, has_fault=has) for has in (True, False))
    assert without.fault is None
    assert broken(flights, without.fault) is flights
    assert (without.poison, without.poison_at, without.stretches) == (
        with_fault.poison,
        with_fault.poison_at,
        with_fault.stretches,
    )
    assert len({draw(flights, seed, has_fault=True).poison_at for seed in range(6)}) > 1


def test_a_few_days_have_a_world_too(flights):
    few = flights.where(np.arange(len(flights)) < 6 * A_DAY)
    world = draw(few, 0, has_fault=True)
    assert (world.stretches[0].first, world.stretches[-1].end) == (0, len(few))
    assert world.crowd_at > few.departs[-1], "it would not be gone by then"
    assert draw(flights, 0, has_fault=True).crowd_at < flights.departs[-1]
