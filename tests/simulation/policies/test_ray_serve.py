"""Ray Serve's rules: ongoing requests over two, and decisions that must last."""

from __future__ import annotations

from gyroscope.simulation.policies.ray_serve import RayServe
from gyroscope.simulation.queue import Seen


def run(scaler: RayServe, seconds: range, ongoing: int, size: int) -> list[int]:
    sizes = []
    for second in seconds:
        size = scaler.look(Seen(float(second), 1.0, 0, 0, 0, 0.0, 0.0, ongoing, 0, size, float(size), size))
        sizes.append(size)
    return sizes


def test_more_must_be_wanted_for_half_a_minute():
    sizes = run(RayServe(1, 50), range(1, 60), ongoing=20, size=4)
    assert sizes[35] == 4
    assert sizes[-1] == 10


def test_less_must_be_wanted_for_ten_minutes_without_a_break():
    scaler = RayServe(1, 50)
    assert set(run(scaler, range(1, 500), ongoing=4, size=10)) == {10}
    run(scaler, range(500, 560), ongoing=20, size=10)
    assert set(run(scaler, range(560, 1_100), ongoing=4, size=10)) == {10}
    assert run(scaler, range(1_100, 1_300), ongoing=4, size=10)[-1] == 2
