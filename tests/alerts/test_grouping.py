"""One group per cause: what broken data explains is told with it and not beside it."""

from __future__ import annotations

from tests.alerts.causes import NEAR, cause

from gyroscope.alerts.grouping import group
from gyroscope.clock import DAY_US, EventTime


def kinds(groups):
    return [(one.root.kind, [child.kind for child in one.children]) for one in groups]


def test_a_broken_column_explains_the_drift_and_the_loss_that_follow_it():
    found = [cause("performance", 11, "brier"), cause("input", 10, "age"), cause("output", 10, "p")]
    assert kinds(group([*found, cause("quality", 10, "age")], NEAR)) == [
        ("quality", ["performance", "output", "input"])
    ]


def test_what_began_long_after_is_another_cause():
    found = [cause("quality", 10, "age"), cause("performance", 40, "brier")]
    assert kinds(group(found, NEAR)) == [("quality", []), ("performance", [])]


def test_what_is_over_explains_nothing_that_begins_later():
    found = [cause("quality", 10, "age", ended=EventTime(11 * DAY_US)), cause("input", 12, "age")]
    assert kinds(group(found, NEAR)) == [("quality", []), ("input", [])]


def test_a_broken_column_explains_its_own_drift_however_late_it_is_seen():
    found = [cause("quality", 10, "age"), cause("input", 40, "age"), cause("input", 40, "hour")]
    assert kinds(group(found, NEAR)) == [("quality", ["input"]), ("input", [])]


def test_two_versions_that_see_the_same_are_one():
    found = [cause("quality", 10, "age"), cause("quality", 10, "age", version="w")]
    assert kinds(group(found, NEAR)) == [("quality", ["quality"])]


def test_the_order_of_causes_does_not_matter():
    found = [cause("quality", 10, "age"), cause("input", 10, "age"), cause("seasonal", 50, "predictions")]
    assert group(found, NEAR) == group(found[::-1], NEAR)


def test_what_pages_is_explained_by_nothing_that_only_informs():
    found = [cause("estimate", 10, "brier", pages=False), cause("output", 10, "p")]
    assert kinds(group(found, NEAR)) == [("output", ["estimate"])]
