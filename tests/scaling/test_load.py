"""Counts of arrivals as the decision gets them."""

from __future__ import annotations

from gyroscope.records import NotEnoughData
from gyroscope.scaling.load import Arrivals, Load


def test_nothing_is_said_before_a_stretch_is_over():
    arrivals = Arrivals()
    assert isinstance(arrivals.load(), NotEnoughData)
    arrivals.add(1.0, 1.0, 10)
    assert isinstance(arrivals.load(), NotEnoughData)
    for second in range(2, 8):
        arrivals.add(float(second), 1.0, 10)
    load = arrivals.load()
    assert isinstance(load, Load)
    assert [stretch.seconds for stretch in load.stretches] == [2.0, 5.0, 7.0]


def test_looks_that_come_late_count_for_their_time():
    arrivals = Arrivals()
    now_s = 0.0
    for took_s in (1.0, 3.0, 0.5, 1.5, 2.0, 1.0):
        now_s += took_s
        arrivals.add(now_s, took_s, round(20 * took_s))
    load = arrivals.load()
    assert isinstance(load, Load)
    assert {stretch.per_s for stretch in load.stretches} == {20.0}


def test_what_is_old_is_forgotten():
    arrivals = Arrivals()
    for second in range(1, 100):
        arrivals.add(float(second), 1.0, 1_000 if second < 60 else 0)
    load = arrivals.load()
    assert isinstance(load, Load)
    assert load.level.per_s == 0.0
