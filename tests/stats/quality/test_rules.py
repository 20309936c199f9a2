"""Hard rules: each breakage is named at once, and no window like the reference's own is ever named."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.records import NotEnoughData
from gyroscope.stats.profiles import Profile, fit_layout, profile
from gyroscope.stats.quality import future_time, hard_rules, learn_limits, no_rows, refused_column, stale


def day(rng: np.random.Generator, at: int, n: int = 200) -> dict[str, np.ndarray]:
    return {
        "age": rng.normal(40, 10, n),
        "flag": (rng.random(n) < 0.02).astype(float),
        "plan": rng.choice(["a", "b", "c"], n).astype(object),
        "counter": at * 1_000.0 + np.arange(n),
        "batch": np.full(n, f"batch-{at}", dtype=object),
        "weather": np.full(n, np.nan) if at % 10 == 3 else rng.normal(0, 1, n),
    }


@pytest.fixture(scope="module")
def reference():
    rng = np.random.default_rng(0)
    days = [day(rng, at) for at in range(30)]
    layout = fit_layout({name: np.concatenate([one[name] for one in days]) for name in days[0]})
    return days, layout, learn_limits([profile(one, layout) for one in days])


def found(reference, changed: dict[str, np.ndarray], at: int = 7, n: int = 200):
    _, layout, limits = reference
    columns = {**day(np.random.default_rng(1), at, n), **changed}
    return [(one.column, one.kind.value) for one in hard_rules(limits, profile(columns, layout))]


def test_no_window_of_the_reference_is_named(reference):
    days, layout, limits = reference
    assert [hard_rules(limits, profile(one, layout)) for one in days] == [[]] * 30


@pytest.mark.parametrize("seed", range(20))
def test_nor_is_a_window_like_them_that_was_never_seen(reference, seed):
    _, layout, limits = reference
    later = day(np.random.default_rng(100 + seed), 40 + seed, n=30)
    assert hard_rules(limits, profile(later, layout)) == []


@pytest.mark.parametrize(
    ("column", "values", "kind"),
    [
        ("age", np.full(200, np.nan), "all_missing"),
        ("age", np.full(200, 0.0), "constant"),
        ("age", np.full(200, np.inf), "unusual"),
        ("age", np.random.default_rng(2).normal(4000, 10, 200), "unusual"),
        ("plan", np.full(200, "a", dtype=object), "constant"),
        ("plan", np.full(200, None, dtype=object), "all_missing"),
        ("plan", np.repeat(np.array(["x", "a"], dtype=object), 100), "unusual"),
    ],
)
def test_breakage_is_named(reference, column, values, kind):
    assert found(reference, {column: values}) == [(column, kind)]


def test_what_happens_in_the_reference_anyway_is_not_named(reference):
    assert found(reference, {"weather": np.full(200, np.nan), "flag": np.zeros(200)}) == []


def test_a_few_equal_values_are_chance(reference):
    assert found(reference, {"plan": np.array(["a"] * 3 + [None] * 27, dtype=object)}, n=30) == []


def test_few_rows_are_no_ground(reference):
    assert isinstance(
        hard_rules(reference[2], profile(day(np.random.default_rng(3), 1, 19), reference[1])), NotEnoughData
    )


def test_empty_and_extreme_windows_give_something_defined(reference):
    _, layout, _ = reference
    huge = profile({"age": np.array([1e308, -1e308] * 20)}, layout)
    limits = learn_limits([Profile.empty(layout), huge])
    assert limits["age"].most_unusual == 0.0
    assert [one.kind.value for one in hard_rules(limits, huge)] == ["unusual"]
    assert learn_limits([Profile.empty(layout)])["age"].most_missing == 0.0
    assert isinstance(hard_rules(limits, Profile.empty(layout)), NotEnoughData)


def test_one_window_as_reference_knows_no_range_of_others(reference):
    days, layout, _ = reference
    alone = profile(days[0], layout)
    assert learn_limits([alone])["counter"].most_unusual == 0.0


def test_refusals_time_volume_and_age():
    assert refused_column(["x"], {}) is None
    assert refused_column(["x"], {"there are no rows": 3, "'x' must be a number": 2}) is None
    assert refused_column(["x"], {"instances[0].x: expected float": 3}).column == "x"
    assert refused_column(["x"], {"no feature is called 'y'; did you mean 'x'?": 3}).column == "y"
    assert (
        refused_column(["y", "x"], {"csv[0].x: 'N/A' is not float64": 3, "csv[4].x: '-' is not float64": 3}).column
        == "x"
    )
    assert future_time(0) is None
    assert future_time(-3) is None
    assert no_rows(13.0, 1.0) is None
    assert no_rows(14.0, 1.0)
    assert no_rows(14.0, 2.0) is None
    assert stale(0, 30, 10) is None
    assert stale(0, 31, 10)


def test_a_stormy_day_of_the_reference_blinds_the_rule_for_numbers_to_less_than_all_and_not_for_new_texts():
    rng = np.random.default_rng(0)
    days = [{"x": rng.normal(0, 1, 200), "y": rng.choice(["a", "b"], 200).astype(object)} for _ in range(30)]
    days[5]["x"][:70] += 20
    days[5]["y"][:70] = "c"
    layout = fit_layout({name: np.concatenate([one[name] for one in days]) for name in ("x", "y")})
    limits = learn_limits([profile(one, layout) for one in days])
    now = {"x": np.r_[np.full(160, 100.0), np.full(40, np.nan)], "y": np.array(["d"] * 160 + ["a"] * 40, object)}
    assert [one.column for one in hard_rules(limits, profile(now, layout))] == ["x"]
