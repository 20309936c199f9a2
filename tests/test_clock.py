"""The two clocks: what texts mean as event time, and which day a moment belongs to."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyroscope.clock import (
    SECOND_US,
    EventTime,
    day_of,
    event_time_of,
    iso,
    machine_now,
    moment_of,
    parse_event_time,
    sleep,
    wall_now,
)

MARCH_FIRST = 1_362_096_000 * SECOND_US
"""2013-03-01T00:00:00Z."""


@pytest.mark.parametrize(
    "text",
    [
        "2013-03-01T00:00:00Z",
        "2013-03-01T00:00:00",
        "2013-03-01",
        "2013-02-28T19:00:00-05:00",
        "1362096000",
        "1.362096e9",
        " 1362096000 ",
    ],
)
def test_one_moment_has_many_spellings(text):
    assert parse_event_time(text) == MARCH_FIRST


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2013-02-30", "nan", "inf", "-inf", "1e300", "253402300800", "2013-13-01T00:00"]
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        parse_event_time(text)


@given(st.integers(min_value=-62_135_596_800 * SECOND_US, max_value=253_402_300_799 * SECOND_US))
def test_iso_and_back_is_exact(at):
    assert parse_event_time(iso(EventTime(at))) == at
    assert event_time_of(moment_of(EventTime(at))) == at


def test_days_follow_the_zone_through_the_change_of_summer_time():
    spring = event_time_of(datetime(2013, 3, 10, 6, 59, 59, tzinfo=UTC))
    assert moment_of(spring, "America/New_York").hour == 1
    assert moment_of(EventTime(spring + SECOND_US), "America/New_York").hour == 3
    assert day_of(EventTime(spring + 22 * 3600 * SECOND_US), "America/New_York") == "2013-03-11"
    assert day_of(EventTime(spring + 20 * 3600 * SECOND_US), "America/New_York") == "2013-03-10"


def test_both_clocks_run_forward():
    event, machine = wall_now(), machine_now()
    sleep(0.001)
    assert machine_now() > machine
    assert wall_now() >= event
    assert 2020 < moment_of(event).year < 3000
