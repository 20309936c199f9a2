"""What is learned of a replica from its counters."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.records import NotEnoughData
from gyroscope.scaling.capacity import Capacity, Learner, Worked


def learn(rng: np.random.Generator, batches: list[int], looks: int = 200) -> Capacity:
    learner = Learner()
    for look in range(looks):
        batch = batches[look % len(batches)]
        times = rng.gamma(4.0, (0.01 + 0.002 * batch) / 4.0, 10)
        learner.saw(Worked(10, 10 * batch, float(times.sum()), cpu_s=0.001 * 10 * batch))
    assert isinstance(learner.capacity, Capacity)
    return learner.capacity


def test_fixed_and_per_request_time_are_told_apart_by_batches_of_different_sizes():
    capacity = learn(np.random.default_rng(0), [1, 4, 16])
    assert capacity.fixed_s == pytest.approx(0.01, rel=0.25)
    assert capacity.request_s == pytest.approx(0.002, rel=0.25)
    assert capacity.cpu_s == pytest.approx(0.001)
    assert capacity.batch == pytest.approx(16, rel=0.2)


def test_batches_of_one_promise_no_gain():
    capacity = learn(np.random.default_rng(0), [1])
    assert capacity.service(0.5, most_batch=64).mean_s == pytest.approx(0.012, rel=0.1)
    assert capacity.cv2 == pytest.approx(0.25, rel=0.3)


def test_larger_batches_are_believed_in_up_to_twice_what_was_seen_and_what_the_promise_allows():
    capacity = Capacity(0.010, 0.001, 0.1, batch=4.0)
    assert capacity.service(1.0, most_batch=64).answer_s == pytest.approx(0.018)
    assert capacity.service(0.035, most_batch=64).answer_s == pytest.approx(0.014)
    assert capacity.service(1.0, most_batch=2).answer_s == pytest.approx(0.012)


def test_a_process_that_needs_longer_than_its_model_is_no_faster_for_it():
    assert Capacity(0.0, 0.001, 0.1, cpu_s=0.003).service(0.1).mean_s == 0.003


def test_little_is_not_enough():
    learner = Learner()
    learner.saw(Worked(3, 3, 0.3))
    learner.saw(Worked(0, 0, 0.0))
    assert isinstance(learner.capacity, NotEnoughData)
