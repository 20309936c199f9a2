"""A rule on one series: durations of event time, a band in which it neither fires nor ends, what is not known."""

from __future__ import annotations

import pytest

from gyroscope.alerts.rules import Followed, causes, follow, told
from gyroscope.clock import DAY_US, SECOND_US, EventTime
from gyroscope.records import NotEnoughData, Signal
from gyroscope.settings_alerts import RuleSettings

UNKNOWN = NotEnoughData("12 rows; 30 are needed")
DAY_S = 86_400.0
SOON = 7 * DAY_US


def after(rule: RuleSettings, *values: float | None, soon_us: int = SOON) -> list[Followed]:
    """How it stands after each day's value; None: not known."""
    now, found = Followed(), []
    for day, value in enumerate(values):
        point = Signal("drift", EventTime(day * DAY_US), UNKNOWN if value is None else value)
        now = follow(rule, now, point, soon_us)
        found.append(now)
    return found


def phases(rule: RuleSettings, *values: float | None) -> list[str]:
    return [one.state for one in after(rule, *values)]


PLAIN = RuleSettings(signal="drift", threshold=0.3)


def test_it_fires_beyond_and_ends_at_the_threshold():
    assert phases(PLAIN, 0.2, 0.4, 0.3, 0.31) == ["quiet", "firing", "quiet", "firing"]


def test_below_is_the_mirror_image():
    below = RuleSettings(signal="drift", threshold=0.3, when="below", hysteresis=0.1)
    assert phases(below, 0.4, 0.2, 0.35, 0.41) == ["quiet", "firing", "firing", "quiet"]


def test_it_is_pending_for_as_long_as_it_was_told_in_event_time():
    assert phases(RuleSettings(signal="drift", threshold=0.3, for_s=2 * DAY_S), 0.4, 0.5, 0.6, 0.2) == [
        "pending", "pending", "firing", "quiet",
    ]  # fmt: skip


def test_what_dips_while_it_is_pending_begins_anew():
    found = phases(RuleSettings(signal="drift", threshold=0.3, for_s=DAY_S), 0.4, 0.2, 0.4, 0.4)
    assert found == ["pending", "quiet", "pending", "firing"]


def test_between_threshold_and_clear_it_goes_on_and_beginning_to_end_begins_anew():
    rule = RuleSettings(signal="drift", threshold=0.3, hysteresis=0.1, clear_for_s=DAY_S)
    assert phases(rule, 0.4, 0.1, 0.25, 0.1, 0.1) == ["firing", "firing", "firing", "firing", "quiet"]
    assert after(rule, 0.4, 0.1, 0.25, 0.1, 0.1)[-1].firings[0].ended == 3 * DAY_US


def test_what_is_not_known_fires_nothing_and_ends_nothing():
    rule = RuleSettings(signal="drift", threshold=0.3, for_s=DAY_S, clear_for_s=DAY_S)
    assert phases(rule, None, 0.4, None, 0.4, 0.4) == ["unknown", "pending", "unknown", "pending", "firing"]
    assert phases(rule, 0.4, 0.4, None, 0.1, None, 0.1, 0.1) == ["pending", *["firing"] * 5, "quiet"]
    assert told("r", {}, after(rule, None)[-1]).value == NotEnoughData("no complete window yet")
    assert told("r", {}, after(rule, 0.4, None)[-1]).value == NotEnoughData("1970-01-02T00:00:00 has no value")


def test_what_is_soon_back_is_the_same_firing_and_later_another():
    (one,) = after(PLAIN, 0.4, 0.2, 0.4)[-1].firings
    assert (one.since, one.ended) == (0, None)
    assert len(after(PLAIN, 0.4, *[0.2] * 7, 0.4)[-1].firings) == 1
    assert len(after(PLAIN, 0.4, *[0.2] * 8, 0.4)[-1].firings) == 2


def test_each_comeback_doubles_the_time_it_takes_to_be_over():
    again = after(PLAIN, 0.4, 0.2, 0.4, *[0.2] * 15, 0.4)
    assert len(again[-1].firings) == 2
    assert len(after(PLAIN, 0.4, 0.2, 0.4, *[0.2] * 14, 0.4)[-1].firings) == 1
    quiet = after(PLAIN, 0.4, 0.2, 0.4, *[0.2] * 17)
    assert [causes("wide", PLAIN, {}, one, SOON)[0].is_settled for one in quiet[-3:]] == [False, True, True]
    many = after(PLAIN, *[0.4, 0.2] * 40)[-1].firings[0]
    assert many.is_back(EventTime(many.ended + 4 * SOON), SOON)
    assert not many.is_back(EventTime(many.ended + 4 * SOON + 1), SOON)


def test_what_it_keeps_is_bounded():
    assert len(after(PLAIN, *[0.4, 0.2, 0.2] * 30, soon_us=0)[-1].firings) == 8


def test_a_cause_says_what_where_and_by_how_much():
    labels = {"model": "m", "version": "v", "column": "age"}
    rule = RuleSettings(signal="drift", threshold=0.3, for_s=DAY_S, severity="inform")
    (cause,) = causes("wide", rule, labels, after(rule, 0.4, 0.5)[-1], SOON)
    assert cause.reason == "drift of age is 0.5, above 0.3 for 1 days"
    assert (cause.subjects, cause.kind, cause.pages, cause.since, cause.seen) == (
        ("wide", "age"), "rule", False, 0, DAY_US,
    )  # fmt: skip
    assert cause.bundle[0].labels == (("column", "age"), ("model", "m"), ("version", "v"))


@pytest.mark.parametrize(("quiet_days", "is_settled"), [(7, False), (8, False), (9, True)])
def test_it_is_settled_when_it_cannot_come_back(quiet_days, is_settled):
    (cause,) = causes("wide", PLAIN, {"model": "m"}, after(PLAIN, 0.4, *[0.1] * quiet_days)[-1], SOON)
    assert cause.is_settled is is_settled


def test_a_series_of_no_model_belongs_to_the_house():
    (cause,) = causes("full", PLAIN, {"name": "disk_full", "model": ""}, after(PLAIN, 1.0)[-1], SOON)
    assert (cause.model, cause.subjects) == ("house", ("full", "disk_full"))


def test_seconds_are_said_as_seconds():
    rule = RuleSettings(signal="latency_p99_s", threshold=0.3, for_s=90)
    now = follow(rule, Followed(), Signal("latency_p99_s", EventTime(0), 0.4), SOON)
    now = follow(rule, now, Signal("latency_p99_s", EventTime(90 * SECOND_US), 0.5), SOON)
    assert causes("slow", rule, {"model": "m"}, now, SOON)[0].reason == "latency_p99_s is 0.5, above 0.3 for 90 s"
