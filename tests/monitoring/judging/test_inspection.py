"""What comes from what: as the policy says before all, else as columns move together; outputs come from everything.

And what is broken: another unit, whichever way it moves the numbers, and no season.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest

from gyroscope.monitoring.judging.inspection import inspect, lineage_of
from gyroscope.stats.evidence import stream
from gyroscope.stats.profiles import Profile, fit_layout, profile
from gyroscope.stats.quality import FindingKind, learn_limits


def columns():
    rng = np.random.default_rng(0)
    days = rng.normal(0, 1, 30)
    made = stream("age:location", days, np.full(30, 0.01))
    for name, values in (("age_squared", days + rng.normal(0, 0.2, 30)), ("city_code", rng.normal(0, 1, 30))):
        made = made.join(stream(f"{name}:location", values, np.full(30, 0.01)))
    return made.join(stream("age:missing", days, np.full(30, 0.01)))


def test_columns_that_move_together_come_from_one_another_and_outputs_from_all():
    found = lineage_of({}, columns(), ["probability"])
    assert sorted([*found["age"], *found["age_squared"]]) in (
        ["age", "probability", "probability"],
        ["age_squared", "probability", "probability"],
    )
    assert found["city_code"] == ["probability"]


def test_the_policy_has_the_last_word():
    found = lineage_of({"age_squared": "age", "bucket": "city_code"}, columns(), [])
    assert found == {"age": ["age_squared"], "age_squared": [], "city_code": ["bucket"]}


def humidity(rng):
    """Of one day in percent: days are dry or wet, 13 to 100, and each covers a part of that."""
    return np.clip(rng.uniform(30, 90) + rng.normal(0, 10, 400), 13, 100)


def degrees(rng, least=40.0, greatest=70.0):
    """Dew points of one day of a season, in Fahrenheit."""
    return np.clip(rng.uniform(least, greatest) + rng.normal(0, 4, 400), least - 8, greatest + 8)


def found_in(draw, values, seed=0):
    """What is found in a window of values, held against 60 days of a draw."""
    rng = np.random.default_rng(seed)
    days = [{"x": draw(rng)} for _ in range(60)]
    layout = fit_layout({"x": np.concatenate([day["x"] for day in days])})
    windows = [profile(day, layout) for day in days]
    total = reduce(Profile.merge, windows)
    return inspect(learn_limits(windows), windows, total, profile({"x": values}, layout), ["x"], {})


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("sign", "draw"), [(1, humidity), (-1, lambda rng: -humidity(rng))])
def test_percent_that_are_shares_are_broken_on_every_day(sign, draw, seed):
    found = found_in(draw, sign * humidity(np.random.default_rng(100 + seed)) / 100)
    assert [one.column for one in found] == ["x"]


def test_their_unit_is_named_within_the_spread_of_days_and_what_else_it_may_be():
    days = [found_in(humidity, humidity(np.random.default_rng(100 + seed)) / 100) for seed in range(20)]
    reasons = [found[0].reason for found in days if found[0].kind is FindingKind.UNIT_CHANGED]
    assert len(reasons) >= 15
    assert all("percent for shares" in reason for reason in reasons)
    assert any("or like minutes for hours" in reason for reason in reasons)


@pytest.mark.parametrize("seed", range(20))
def test_no_season_is_broken(seed):
    rng = np.random.default_rng(200 + seed)
    assert found_in(degrees, degrees(rng, 75, 95)) == (), "a warm spring"
    assert found_in(degrees, degrees(rng, 8, 20)) == (), "a winter near nought and above it"
    assert found_in(degrees, degrees(rng, -5, 5)) == (), "and across it"


@pytest.mark.parametrize("seed", range(5))
def test_new_customers_and_what_is_one_value_a_window_are_not_broken(seed):
    rng = np.random.default_rng(300 + seed)
    assert found_in(lambda rng: rng.uniform(100, 1_000, 400), rng.integers(1, 7, 400).astype(float)) == (), (
        "new accounts"
    )
    assert found_in(lambda rng: np.full(50, float(rng.integers(10, 33))), np.full(50, 2.0)) == (), "one station's hour"
    sizes = lambda rng: rng.choice([16.0, 32.0, 64.0], 400)  # noqa: E731
    assert found_in(sizes, rng.choice([1.0, 2.0], 400, p=[0.9, 0.1])) == (), "single requests"


def test_a_counter_goes_on_and_is_not_broken():
    days = iter(np.arange(10_000.0, 10_000.0 + 60 * 1_000).reshape(60, 1_000))
    assert found_in(lambda rng: next(days), np.arange(160_000.0, 161_000.0)) == ()


def rain(rng, wet=0.05, scale=0.02):
    """Hours of one day in inches: mostly none."""
    return np.where(rng.random(400) < wet, np.ceil(rng.exponential(scale, 400) * 100) / 100, 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_a_storm_beyond_the_rain_of_some_dry_weeks_is_not_broken(seed):
    assert found_in(rain, rain(np.random.default_rng(400 + seed), wet=0.9, scale=0.3)) == ()


@pytest.mark.parametrize("seed", range(5))
def test_rain_in_millimetres_is_broken_on_a_wet_day_and_so_is_a_number_for_none(seed):
    wet = rain(np.random.default_rng(500 + seed), wet=0.9, scale=0.1)
    assert [one.kind for one in found_in(rain, 25.4 * wet)] == [FindingKind.UNUSUAL]
    assert [one.kind for one in found_in(rain, np.where(wet > 0, 9999.0, 0.0))] == [FindingKind.UNUSUAL]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_number_for_none_on_the_other_side_of_what_is_common_is_broken(sign):
    def waits(rng):
        return sign * np.where(rng.random(400) < 0.1, rng.uniform(1, 120, 400), 0.0)

    odd = np.where(np.random.default_rng(600).random(400) < 0.3, -sign * 999.0, 0.0)
    assert [one.kind for one in found_in(waits, odd)] == [FindingKind.UNUSUAL]
