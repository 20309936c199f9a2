"""Shares that creep: small rises stay below the tolerance, others alarm; limits that days respect; duplicates."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.records import NotEnoughData
from gyroscope.stats.evidence import Family, replay
from gyroscope.stats.profiles import fit_layout, profile
from gyroscope.stats.quality import RowCounts, share_limits, soft_baselines
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


def test_normal_days_respect_the_drawn_limits():
    rng = np.random.default_rng(1)
    share, icc, n = 0.05, 0.01, np.full(5_000, 400)
    spread = (1 - icc) / icc
    seen = rng.binomial(n, rng.beta(share * spread, (1 - share) * spread, n.size)) / n
    low, high = share_limits(share, icc, n)
    assert 0.997 <= np.mean((seen >= low) & (seen <= high)) <= 1.0
    assert np.mean(seen > share_limits(share, 0.0, n)[1]) > 0.05


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_limits_of_nothing_and_of_all(share):
    low, high = share_limits(share, 0.1, np.array([0, 10]))
    assert (low.tolist(), high.tolist()) == ([0.0, share], [1.0, share])


def test_duplicates_merge_exactly_in_any_order():
    rng = np.random.default_rng(2)
    hashes = rng.integers(0, 2**63, 6_000).astype(np.uint64)
    rows = rng.permutation(np.concatenate((hashes, hashes[:2_000])))
    whole = RowCounts.of(rows)
    parts = [RowCounts.of(part) for part in np.array_split(rows, 7)]
    for order in (parts, parts[::-1]):
        merged = order[0]
        for part in order[1:]:
            merged = merged.merge(part)
        assert (merged.level, merged.counts) == (whole.level, whole.counts)
    assert abs(whole.duplicates.value - 0.25) < 0.02
    assert abs(whole.distinct - 6_000) < 400
    assert isinstance(RowCounts.of(np.zeros(0, np.uint64)).duplicates, NotEnoughData)
