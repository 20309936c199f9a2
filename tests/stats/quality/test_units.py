"""Changes of unit, of writing and of place are named; days that merely differ are not."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.stats.profiles import fit_layout, profile
from gyroscope.stats.quality import swaps, unit_change

COLUMNS = {
    "hours": lambda rng, n: rng.lognormal(1.0, 0.6, n),
    "celsius": lambda rng, n: rng.normal(12 + rng.normal(0, 3), 8, n),
    "kilos": lambda rng, n: rng.normal(80, 12, n),
    "share": lambda rng, n: rng.beta(2, 5, n),
    "stars": lambda rng, n: rng.integers(1, 6, n).astype(float),
    "seconds": lambda rng, n: rng.uniform(1.7e9, 1.72e9, n),
    "balance": lambda rng, n: rng.gamma(2, 500, n),
}


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(0)
    days = [{name: draw(rng, 500) for name, draw in COLUMNS.items()} for _ in range(30)]
    layout = fit_layout({name: np.concatenate([day[name] for day in days]) for name in COLUMNS})
    return layout, [profile(day, layout) for day in days]


def named(world, column, change, seed=1):
    layout, windows = world
    values = change(COLUMNS[column](np.random.default_rng(seed), 500))
    now = profile({column: values}, layout).columns[column]
    found = unit_change(column, [window.columns[column] for window in windows], now)
    return found and found.reason


@pytest.mark.parametrize(
    ("column", "change", "said"),
    [
        ("hours", lambda x: x * 60, "minutes for hours"),
        ("hours", lambda x: x * 3600, "seconds for hours"),
        ("hours", lambda x: x / 24, "hours for days, or"),
        ("celsius", lambda x: 1.8 * x + 32, "Fahrenheit for Celsius"),
        ("celsius", lambda x: x + 273.15, "Kelvin for Celsius"),
        ("kilos", lambda x: x * 2.2046, "pounds for kilograms"),
        ("share", lambda x: x * 100, "percent for shares"),
        ("stars", lambda x: x / 100, "percent for shares"),
        ("seconds", lambda x: x * 1e3, "milli for units"),
        ("seconds", lambda x: x * 1e6, "micro for units"),
        ("balance", lambda x: -x, "the other sign"),
    ],
)
def test_the_change_is_named(world, column, change, said):
    assert said.partition(", or")[0].split(" for ")[0] in (named(world, column, change) or "nothing")


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("seed", range(5))
def test_another_day_is_no_change(world, column, seed):
    assert named(world, column, lambda x: x, seed=10 + seed) is None


def test_what_no_change_of_unit_explains_is_not_named(world):
    assert named(world, "kilos", lambda x: np.full_like(x, 7.0)) is None
    assert named(world, "kilos", lambda x: np.random.default_rng(5).uniform(0, 1000, x.size)) is None
    assert named(world, "kilos", lambda x: np.full_like(x, np.nan)) is None
    assert named(world, "kilos", lambda x: np.full_like(x, 1e308)) is None


def test_three_columns_that_changed_places_are_each_named(world):
    layout, windows = world
    rng = np.random.default_rng(2)
    day = {name: draw(rng, 500) for name, draw in COLUMNS.items()}
    moved = {**day, "hours": day["kilos"], "kilos": day["balance"], "balance": day["hours"]}
    found = swaps(windows, profile(moved, layout), ["hours", "kilos", "balance"])
    assert [(one.column, one.reason) for one in found] == [
        ("hours", "it holds what kilos held"),
        ("kilos", "it holds what balance held"),
        ("balance", "it holds what hours held"),
    ]
    assert swaps(windows, profile(day, layout), list(COLUMNS)) == []
    assert swaps(windows, profile({}, layout), list(COLUMNS)) == []


def test_a_place_in_the_range_of_a_counter_is_no_unit():
    rng = np.random.default_rng(0)
    layout = fit_layout({"x": np.arange(1.0, 61.0)})
    windows = [profile({"x": day + rng.random(5_000)}, layout).columns["x"] for day in range(1, 61)]
    later = profile({"x": 400 + rng.random(5_000)}, layout).columns["x"]
    assert unit_change("x", windows, later) is None
