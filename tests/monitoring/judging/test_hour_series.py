"""Hours of normal models: all series of one together keep their part of the budget; sampled logs say no more."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import poisson

from gyroscope.clock import DAY_US, HOUR_US, EventTime
from gyroscope.monitoring.judging.hour_days import Day, extended
from gyroscope.monitoring.judging.hour_series import ERRORS, REQUESTS, Key, followed, series_of
from gyroscope.monitoring.judging.tracks import SHARE
from gyroscope.records import Signature
from gyroscope.stats.seasonal import hours_of_week, seasonal

BINARY = Signature("binary", ())
WEEKS, MODELS = 10, 10


def normal_days(rng, weeks=WEEKS, weight=1):
    """Traffic with hours and weekends; errors, latency and scores differ between hours as well as between rows."""
    slots = hours_of_week(0, weeks * 168)
    mean = float(np.exp(rng.uniform(np.log(20), np.log(300)))) * (1 + 0.7 * np.sin(slots % 24 / 24 * 2 * np.pi))
    rows = rng.poisson(mean * np.where(slots >= 120, 0.6, 1.0)).astype(float)
    errors = rng.binomial(rows.astype(int), 0.01 * np.exp(rng.normal(0, 0.3, rows.size))).astype(float)
    speed = rng.normal(-2, 0.05, rows.size) + rng.normal(0, 0.3, rows.size) / np.sqrt(np.maximum(rows, 1))
    score = np.clip(
        rng.normal(0.3, 0.02, rows.size) + rng.normal(0, 0.2, rows.size) / np.sqrt(np.maximum(rows, 1)), 0, 1
    )
    fine = rows - errors
    positives = rng.binomial(fine.astype(int), score).astype(float)
    squares = fine * (score**2 + 0.04)
    timed = (rows, rows * speed, rows * (speed**2 + 0.09))
    columns = [rows, errors, rows * weight, *timed, fine, fine * weight, positives, fine * score, squares]
    table = np.column_stack(columns) * weight
    return [
        Day(
            start=EventTime(at * DAY_US),
            starts=tuple(EventTime(at * DAY_US + hour * HOUR_US) for hour in range(24)),
            slots=tuple(slots[24 * at : 24 * at + 24].tolist()),
            counts={"v": table[24 * at : 24 * at + 24].tobytes()},
        )
        for at in range(weeks * 7)
    ]


def test_the_series_of_normal_models_keep_their_part_of_the_budget():
    """One false page in 30 days is meant, of which hours get 0.15: of 18 months about three."""
    rng = np.random.default_rng(0)
    pages, months = 0, 0.0
    for _ in range(MODELS):
        series = series_of(normal_days(rng), {"v": BINARY})
        chosen = followed(series)
        assert len(chosen) == 5
        walks = [seasonal(series[key], SHARE["seasonal"] / len(chosen)) for key in chosen]
        pages += sum(len(walk.pages) for walk in walks)
        months += float((walks[0].grades > 0).sum()) / 720
    assert pages <= poisson.ppf(0.99, SHARE["seasonal"] * months)


def test_of_many_classes_the_most_frequent_are_followed():
    many = Signature("multiclass", (), classes=tuple(f"c{k}" for k in range(20)))
    counts = np.ones((24, 8 + 20)) * 1_000
    counts[:, 8:] = np.arange(20) * 5
    day = Day(EventTime(0), tuple(range(24)), tuple(range(24)), counts={"v": counts.tobytes()})
    names = [key.name for key in followed(series_of([day], {"v": many})) if key.version]
    assert sorted(names) == sorted(f"share of c{k}" for k in range(12, 20))


def test_rows_that_stand_for_ten_say_no_more_than_one():
    plain, sampled = (series_of(normal_days(np.random.default_rng(1), 1, weight), {"v": BINARY}) for weight in (1, 10))
    assert sampled[Key(REQUESTS)].y == pytest.approx(10 * plain[Key(REQUESTS)].y)
    for key in plain.keys() - {Key(REQUESTS)}:
        np.testing.assert_allclose(sampled[key].within, plain[key].within, rtol=0.1)
    assert plain[Key(ERRORS)].kind == "share"


def test_a_version_that_comes_or_goes_during_a_day_has_no_rows_in_its_other_hours():
    early = Day(EventTime(0), (EventTime(0),), (0,), (EventTime(1),), {"a": np.ones((1, 2)).tobytes()}, labels=(True,))
    late = Day(EventTime(0), (EventTime(9),), (1,), (EventTime(2),), {"b": np.ones((1, 3)).tobytes()}, future=4)
    both = extended(early, late)
    assert (both.table("a").tolist(), both.table("b").tolist()) == ([[1, 1], [0, 0]], [[0, 0, 0], [1, 1, 1]])
    assert (both.is_busy.tolist(), both.future, len(both.entered)) == ([True, True], 4, 2)
