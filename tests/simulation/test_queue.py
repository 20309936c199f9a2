"""The simulated queue by its own rules."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gyroscope.simulation.queue import Queue, Replica

EVEN = Replica(0.1, cv2=0.0, start_s=5.0)


def queue_of(arrivals: list[float], replica: Replica = EVEN, size: int = 1) -> Queue:
    return Queue(np.array(arrivals), replica, size, np.random.default_rng(0))


def test_one_after_the_other_in_the_order_they_came():
    queue = queue_of([0.0, 0.01, 0.02])
    queue.advance(1.0)
    assert queue.answered_s == pytest.approx([0.1, 0.2, 0.3], abs=1e-3)


def test_steps_do_not_change_what_happens():
    arrivals = np.sort(np.random.default_rng(3).uniform(0, 50, 1_000)).tolist()
    whole, stepped = queue_of(arrivals, size=3), queue_of(arrivals, size=3)
    whole.advance(60.0)
    seen = [stepped.advance(float(until)) for until in range(1, 61)]
    assert (whole.answered_s == stepped.answered_s).all()
    assert sum(each.arrived for each in seen) == 1_000
    assert sum(each.busy_s for each in seen) == pytest.approx(sum(each.call_s for each in seen))


def test_whoever_waits_too_long_is_refused_and_costs_nothing():
    queue = queue_of([0.0] * 30, Replica(0.1, cv2=0.0, patience_s=1.0))
    seen = queue.advance(10.0)
    assert math.isinf(queue.answered_s[-1])
    assert 10 <= seen.requests <= 11
    assert seen.waiting == 0


def test_a_batch_is_answered_together():
    queue = queue_of([0.0, 0.01, 0.02, 0.03], Replica(0.01, fixed_s=0.1, cv2=0.0, most_batch=2))
    seen = queue.advance(2.0)
    assert queue.answered_s == pytest.approx([0.11, 0.23, 0.23, 0.34], abs=1e-3)
    assert (seen.calls, seen.requests) == (3, 4)


def test_new_replicas_work_after_they_have_started_and_cost_from_the_beginning():
    queue = queue_of([])
    queue.resize(3)
    seen = queue.advance(2.0)
    assert (seen.size, seen.ready, seen.ready_s) == (3, 1, 2.0)
    assert queue.advance(6.0).ready == 3
    assert queue.replica_s == pytest.approx(18.0)


def test_those_that_start_go_first_and_those_that_work_finish():
    queue = queue_of([0.0, 0.0], size=2)
    queue.advance(0.05)
    queue.resize(3)
    queue.resize(1)
    seen = queue.advance(1.0)
    assert (seen.size, seen.ready) == (1, 1)
    assert queue.answered_s == pytest.approx([0.1, 0.1], abs=1e-3)
    assert queue.replica_s == pytest.approx(0.05 * 2 + 0.95 + 0.05, abs=1e-3)
