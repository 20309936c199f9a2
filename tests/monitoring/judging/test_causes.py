"""Causes that follow or contain each other are one, until the last of them is over."""

from __future__ import annotations

from tests.alerts.causes import cause

from gyroscope.clock import DAY_US, EventTime
from gyroscope.monitoring.judging.causes import continued


def day(number: int) -> EventTime:
    return EventTime(number * DAY_US)


def test_a_rule_that_is_broken_within_the_days_of_another_does_not_end_them():
    long, short = cause("quality", 10, "age", ended=day(20)), cause("quality", 12, "age", ended=day(14))
    (found,) = continued([long, short])
    assert (found.since, found.ended) == (day(10), day(20))


def test_what_is_back_within_a_week_goes_on():
    first, again = cause("quality", 10, "age", ended=day(12)), cause("quality", 15, "age")
    (found,) = continued([first, again])
    assert (found.since, found.ended) == (day(10), None)
