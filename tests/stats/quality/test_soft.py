"""Shares that creep: small rises stay below the tolerance, others alarm; limits that days respect; duplicates."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.records import NotEnoughData
from gyroscope.stats.evidence import Family, replay
from gyroscope.stats.profiles import Profile, fit_layout, profile
from gyroscope.stats.quality import duplicate_stream, soft_baselines
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


def batches(rng: np.random.Generator, sizes: list[int], twice: float) -> list[Profile]:
    """Windows of rows with three columns of few values, of which some are equal by chance, and some are sent twice."""
    made = []
    for n in sizes:
        columns = {name: rng.integers(0, 30, n).astype(float) for name in "xyz"}
        again = np.concatenate((np.arange(n), np.flatnonzero(rng.random(n) < twice)))
        made.append({name: values[again] for name, values in columns.items()})
    layout = fit_layout({name: np.arange(30.0) for name in "xyz"})
    return [profile(columns, layout) for columns in made]


@pytest.mark.parametrize(
    ("n", "twice", "alarms"), [(2_000, 0.0, False), (4_000, 0.0, False), (800, 0.0, False), (2_000, 0.1, True)]
)
def test_rows_sent_twice_alarm_and_more_rows_do_not(n: int, twice: float, alarms: bool) -> None:
    rng = np.random.default_rng(3)
    before = duplicate_stream(batches(rng, [2_000] * 40, 0.0), 2_000)
    after = duplicate_stream(batches(rng, [n] * 12, twice), 2_000)
    course = replay(Family("quality", soft_baselines(before), 1.0), after, np.ones(12))
    assert bool(course.alarms) is alarms


def test_what_an_older_release_counted_says_nothing_of_equal_rows() -> None:
    (window,) = batches(np.random.default_rng(4), [50], 0.0)
    old = Profile(window.n, window.columns)
    assert duplicate_stream([window, old], 50).present.tolist() == [[True, False]]
    assert isinstance(soft_baselines(duplicate_stream([old] * 20, 50)).missing["duplicates"], NotEnoughData)
