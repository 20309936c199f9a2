"""Which days go: whole ones, the oldest of the largest first, the newest never for a budget."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from gyroscope.predictions.keeping.retention import Drop, Keeping, drops, excess

DAYS = [f"2013-01-{day:02}" for day in range(1, 29)]
TODAY = "2013-01-28"
SIZES = some.dictionaries(
    some.sampled_from(["a", "b", "c"]),
    some.dictionaries(some.sampled_from(DAYS), some.integers(1, 100), min_size=1),
)


def test_by_age_each_model_keeps_its_own_days():
    sizes = {"flights": dict.fromkeys(DAYS, 1), "churn": dict.fromkeys(DAYS, 1)}
    found = drops(sizes, Keeping(days={"churn": 0}, default_days=26), TODAY)
    assert found == [Drop("flights", "2013-01-01", "age")]


def test_an_age_takes_the_newest_day_too():
    assert [one.day for one in drops({"m": {"2012-01-01": 1}}, Keeping(default_days=1), TODAY)] == ["2012-01-01"]


def test_a_model_with_a_budget_of_its_own_does_not_draw_on_the_others():
    sizes = {"big": {"2013-01-01": 90, "2013-01-02": 90}, "small": {"2013-01-01": 5, "2013-01-02": 5}}
    assert drops(sizes, Keeping(own_bytes={"big": 200}, shared_bytes=10), TODAY) == []
    assert drops(sizes, Keeping(own_bytes={"big": 100}, shared_bytes=9), TODAY) == [
        Drop("big", "2013-01-01", "budget"),
        Drop("small", "2013-01-01", "budget"),
    ]


def test_nothing_is_dropped_without_a_limit():
    assert drops({"m": dict.fromkeys(DAYS, 10**12)}, Keeping(), TODAY) == []


def test_the_newest_day_alone_may_be_over_and_is_said_to_be():
    keeping = Keeping(shared_bytes=10)
    assert drops({"m": {TODAY: 100}, "n": {TODAY: 5}}, keeping, TODAY) == []
    assert excess({"m": {TODAY: 100}, "n": {TODAY: 5}}, keeping) == {"m": 95}
    assert excess({"m": {TODAY: 5}}, keeping) == {}
    assert excess({"m": {TODAY: 5}}, Keeping(own_bytes={"m": 2, "gone": 3})) == {"m": 3}


@given(SIZES, some.integers(1, 2_000), some.integers(0, 30))
def test_what_is_left_fits_or_is_one_day_a_model(sizes, limit, days):
    keeping = Keeping(shared_bytes=limit, default_days=days)
    gone = drops(sizes, keeping, TODAY)
    assert len({(one.model, one.day) for one in gone}) == len(gone)
    left = {
        model: {day: size for day, size in by_day.items() if Drop(model, day, "age") not in gone}
        for model, by_day in sizes.items()
    }
    kept = {
        model: {day: size for day, size in by_day.items() if Drop(model, day, "budget") not in gone}
        for model, by_day in left.items()
    }
    assert sum(sum(by_day.values()) for by_day in kept.values()) <= limit or all(len(one) <= 1 for one in kept.values())
    for model, by_day in left.items():
        assert not by_day or max(by_day) in kept[model]
        assert sorted(kept[model]) == sorted(by_day)[len(by_day) - len(kept[model]) :], "the oldest go first"
