"""Causes before what they cause; what is not caused stays an incident of its own."""

from __future__ import annotations

import numpy as np

from gyroscope.stats.quality import (
    Finding,
    FindingKind,
    causes_only,
    derived_from,
    followers,
    roots_first,
)

LINEAGE = {"source": ["half", "twice"], "twice": ["four times"]}


def test_the_source_comes_first_then_the_gravest():
    found = [
        Finding(FindingKind.ALL_MISSING, "four times", ""),
        Finding(FindingKind.UNUSUAL, "other", "", {"share": 0.9}),
        Finding(FindingKind.UNUSUAL, "source", "", {"share": 0.4}),
        Finding(FindingKind.UNUSUAL, "lonely", "", {"share": 0.5}),
    ]
    assert [one.column for one in roots_first(found, LINEAGE)] == ["source", "other", "lonely", "four times"]
    assert roots_first(found, {})[0].column == "four times"


def test_what_is_computed_from_a_broken_column_is_left_out_and_counted():
    names = ("four times", "source", "other", "half")
    found = [Finding(FindingKind.ALL_MISSING, name, "") for name in names]
    assert [(one.column, one.figures) for one in causes_only(found, LINEAGE)] == [
        ("source", {"explains": 2}),
        ("other", {}),
    ]
    assert len(causes_only(found, {})) == 4
    circle = {"half": ["other"], "other": ["half"]}
    assert {one.column for one in causes_only(found, circle)} == set(names)


def test_the_source_is_the_column_that_all_others_follow():
    rng = np.random.default_rng(1)
    days = rng.normal(0, 1, 30)
    derived = [slope * days + rng.normal(0, 0.3, 30) for slope in (-2, -1, 1, 2)]
    names = ["a", "b", "c", "d", "source", "apart"]
    found = followers(names, np.stack([*derived, days, rng.normal(0, 1, 30)]))
    assert sorted(found["source"]) == ["a", "b", "c", "d"]
    assert "apart" not in {name for below in found.values() for name in below} | set(found)
    assert all("source" not in below for below in found.values())


def test_few_constant_or_absent_windows_are_followed_by_nobody():
    for scores in (np.ones((3, 30)), np.full((3, 30), np.nan), np.random.default_rng(2).normal(0, 1, (3, 5))):
        assert followers(["a", "b", "c"], scores) == {}
    assert followers([], np.zeros((0, 30))) == {}


def test_a_circle_of_lineage_ends():
    assert derived_from("a", {"a": ["b"], "b": ["a"]}) == {"b"}
