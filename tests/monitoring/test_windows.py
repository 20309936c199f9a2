"""Windows against the calendar of real time zones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyroscope.clock import DAY_US, HOUR_US, EventTime, iso, parse_event_time
from gyroscope.monitoring.windows import MINUTE_US, Length, closes_at, window_of
from gyroscope.records import Window

NEW_YORK = "America/New_York"
ZONES = [
    NEW_YORK,
    "UTC",
    "Asia/Kathmandu",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/Havana",
]
LENGTHS: list[Length] = ["1h", "6h", "1d", "7d"]


def hours(window: Window) -> float:
    return (window.end - window.start) / HOUR_US


def windows_in(outer: Window, length: Length, zone: str = NEW_YORK) -> list[Window]:
    found = [window_of(outer.start, length, zone)]
    while found[-1].end < outer.end:
        found.append(window_of(found[-1].end, length, zone))
    return found


@pytest.mark.parametrize(("day", "expected"), [("2013-03-10", 23), ("2013-11-03", 25), ("2013-07-04", 24)])
def test_a_calendar_day_has_the_hours_it_has(day: str, expected: int) -> None:
    noon = parse_event_time(f"{day}T17:00:00+00:00")
    window = window_of(noon, "1d", NEW_YORK)
    assert (hours(window), iso(window.start, NEW_YORK)[:16]) == (expected, f"{day}T00:00")
    assert len(windows_in(window, "1h")) == expected


def test_quarter_days_follow_the_clock_on_the_wall() -> None:
    day = window_of(parse_event_time("2013-03-10T12:00:00-04:00"), "1d", NEW_YORK)
    quarters = windows_in(day, "6h")
    assert [iso(quarter.start, NEW_YORK)[11:16] for quarter in quarters] == ["00:00", "06:00", "12:00", "18:00"]
    assert [hours(quarter) for quarter in quarters] == [5, 6, 6, 6]


def test_the_hour_that_happens_twice_has_two_windows() -> None:
    first = window_of(parse_event_time("2013-11-03T01:30:00-04:00"), "1h", NEW_YORK)
    second = window_of(parse_event_time("2013-11-03T01:30:00-05:00"), "1h", NEW_YORK)
    assert first.end == second.start and hours(first) == hours(second) == 1


def test_a_week_begins_on_monday_and_a_clock_change_shortens_it() -> None:
    window = window_of(parse_event_time("2013-03-10T12:00:00-04:00"), "7d", NEW_YORK)
    assert iso(window.start, NEW_YORK)[:10] == "2013-03-04"
    assert hours(window) == 7 * 24 - 1
    assert len(windows_in(window, "1d")) == 7


def test_a_day_without_midnight_begins_when_the_clock_does() -> None:
    window = window_of(parse_event_time("2013-10-20T12:00:00-02:00"), "1d", "America/Sao_Paulo")
    assert hours(window) == 23
    assert iso(window.start, "America/Sao_Paulo") == "2013-10-20T01:00:00-02:00"


@pytest.mark.parametrize(
    ("length_us", "grace_us"), [(HOUR_US, 3 * MINUTE_US), (10 * MINUTE_US, MINUTE_US), (DAY_US, DAY_US // 20)]
)
def test_grace_is_five_percent_and_at_least_a_minute(length_us: int, grace_us: int) -> None:
    assert closes_at(Window(EventTime(0), EventTime(length_us))) == length_us + grace_us


@given(
    at=st.integers(parse_event_time("1990-01-01"), parse_event_time("2035-01-01")),
    length=st.sampled_from(LENGTHS),
    zone=st.sampled_from(ZONES),
)
def test_windows_cut_time_without_gap_or_overlap(at: int, length: Length, zone: str) -> None:
    window = window_of(EventTime(at), length, zone)
    assert window.start <= at < window.end
    assert window_of(window.start, length, zone) == window
    assert window_of(EventTime(window.end - 1), length, zone) == window
    assert window_of(window.end, length, zone).start == window.end
