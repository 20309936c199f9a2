"""Shares that creep: small rises stay below the tolerance, others alarm; limits that days respect."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.stats.evidence import Family, replay
from gyroscope.stats.profiles import fit_layout, profile
from gyroscope.stats.quality import soft_baselines
from gyroscope.stats.streams import fit_columns


def days(rng: np.random.Generator, missing: float, count: int, n: int = 2_000) -> list[dict[str, np.ndarray]]:
    made = []
    for _ in range(count):
        x = rng.normal(0, 1, n)
        x[rng.random(n) < missing * rng.uniform(0.8, 1.2)] = np.nan
        made.append({"x": x})
    return made


@pytest.mark.parametrize(("later", "alarms"), [(0.02, False), (0.023, False), (0.06, True)])
def test_missing_values_alarm_beyond_half_a_point_and_half_as_many(later, alarms):
    rng = np.random.default_rng(0)
    before, after = days(rng, 0.02, 40), days(rng, later, 12)
    layout = fit_layout({"x": np.concatenate([day["x"] for day in before])})
    scale = fit_columns([profile(day, layout) for day in before])
    current = scale.streams([profile(day, layout) for day in after])
    course = replay(Family("quality", soft_baselines(scale.reference), 1.0), current, np.ones(12))
    assert bool(course.alarms) is alarms
