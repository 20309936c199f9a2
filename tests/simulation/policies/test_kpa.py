"""Knative's rules: two windows, panic, and no shrinking in it."""

from __future__ import annotations

from gyroscope.simulation.policies.kpa import Kpa
from gyroscope.simulation.queue import Seen


def seen(second: int, concurrency: int, ready: int) -> Seen:
    return Seen(float(second), 1.0, 0, 0, 0, 0.0, 0.0, concurrency, 0, ready, float(ready), ready)


def test_concurrency_over_seven_tenths():
    scaler = Kpa(1, 50)
    sizes = [scaler.look(seen(second, 7, 10)) for second in range(1, 80)]
    assert sizes[-1] == 10


def test_panic_follows_the_short_window_and_does_not_shrink_for_a_minute():
    scaler = Kpa(1, 50)
    for second in range(1, 61):
        scaler.look(seen(second, 2, 3))
    panic = [scaler.look(seen(second, 14, 3)) for second in range(61, 67)]
    assert panic[-1] == 20
    after = [20]
    for second in range(67, 200):
        after.append(scaler.look(seen(second, 2, after[-1])))
    assert after[50] == 20
    assert after[-1] == 3


def test_no_faster_down_than_to_half():
    scaler = Kpa(1, 50)
    for second in range(1, 3):
        scaler.look(seen(second, 0, 16))
    assert scaler.look(seen(4, 0, 16)) == 8
