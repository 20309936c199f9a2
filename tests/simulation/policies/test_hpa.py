"""HPA's rules, case by case as its documentation and source state them."""

from __future__ import annotations

import pytest

from gyroscope.simulation.policies.hpa import Hpa, replicas_for
from gyroscope.simulation.queue import Seen


@pytest.mark.parametrize("use", [0.73, 0.8, 0.87])
def test_inside_the_tolerance_nothing_changes(use):
    assert replicas_for(use, 10, ignored=0, missing=0) == 10


def test_ratio_times_pods_rounded_up():
    assert replicas_for(0.89, 10, ignored=0, missing=0) == 12
    assert replicas_for(0.40, 10, ignored=0, missing=0) == 5


def test_missing_pods_count_full_for_less_and_nothing_for_more():
    assert replicas_for(0.4, 8, ignored=0, missing=2) == 7
    assert replicas_for(1.0, 8, ignored=0, missing=2) == 10


def test_pods_just_ready_count_nothing_for_more_and_are_left_out_for_less():
    assert replicas_for(1.0, 4, ignored=4, missing=0) == 8
    assert replicas_for(0.4, 4, ignored=4, missing=0) == 2


def test_shrinking_waits_five_minutes_and_growing_is_bounded():
    scaler, sizes = Hpa(1, 50), []
    for look in range(40):
        busy = 1.0 if look == 0 else 0.3
        size = sizes[-1] if sizes else 10
        sizes.append(scaler.look(Seen((look + 1) * 15.0, 15.0, 0, 0, 0, 0.0, busy * 15 * 10, 0, 0, 10, 150.0, size)))
    assert sizes[0] == 13
    assert sizes[19] == 13
    assert sizes[21] < 10
    assert Hpa(1, 50).look(Seen(15.0, 15.0, 0, 0, 0, 0.0, 15.0, 0, 0, 1, 15.0, 1)) <= 4
