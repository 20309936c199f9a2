"""What people call noise weighs less in windows to come, bounded and written down, and changes nothing that was."""

from __future__ import annotations

import numpy as np
import pytest
from tests.monitoring.judging.test_judge import FIRST, ROWS, day, joined, live

from gyroscope.clock import DAY_US, EventTime, parse_event_time
from gyroscope.monitoring.judging.entered import Entry, Quieter
from gyroscope.monitoring.judging.tracks import SHARE, Budget, follow
from gyroscope.records import Window
from gyroscope.stats.evidence import State, fit_baselines, stream

NOW = parse_event_time("2030-01-01")


def quieter(kind, after, *names):
    return Quieter(f"m-{after}", kind, EventTime(after * DAY_US), names)


def followed(*noise, days=12):
    rng = np.random.default_rng(0)
    both = stream("a:missing", rng.normal(0, 1, 40), np.full(40, 0.01)).join(
        stream("b:missing", rng.normal(0, 1, 40), np.full(40, 0.01))
    )
    entries = [Entry(Window(EventTime(k * DAY_US), EventTime((k + 1) * DAY_US)), 100) for k in range(days)]
    y = np.r_[np.zeros(days // 2), np.tile([1.9, 2.1], days // 4)]
    current = stream("a:missing", y, np.full(days, 0.01)).join(stream("b:missing", y, np.full(days, 0.01)))
    return follow("quality", fit_baselines(both), entries, current, Budget(1e-6, quieter=noise), State())


def test_windows_until_then_are_as_they_were_and_later_ones_have_less():
    plain, told = followed(), followed(quieter("quality", 5, "a:missing"))
    assert told.course.evidence[:, :6].tolist() == plain.course.evidence[:, :6].tolist()
    assert told.share < plain.share == SHARE["quality"]
    assert told.quieter == ("a:missing",)
    ratio = told.course.evidence[:, -1] / plain.course.evidence[:, -1]
    assert ratio[0] < ratio[1]
    assert ratio[0] < 1


def test_noise_of_one_family_goes_to_the_others_and_each_keeps_a_quarter():
    others = followed(*(quieter("performance", k, "x") for k in range(9)))
    assert others.share > SHARE["quality"]
    own = followed(*(quieter("quality", 0, "a:missing") for _ in range(9)))
    assert own.share >= SHARE["quality"] / 4
    informing = followed(*(quieter("input", k, "x") for k in range(9)))
    assert informing.share == SHARE["quality"]


@pytest.fixture
def told_of(house, make_rows):
    """A fall of performance that was found, in a house with thirty normal days as its reference."""
    house.refer_to(joined([day(make_rows, number) for number in range(30)]))
    rng = np.random.default_rng(1)
    for number in range(30, 42):
        rows = day(make_rows, number)
        if number >= 35:
            rows.labels = (rng.random(ROWS) < 0.75).astype(float)
        live(house, rows)
    house.measure()
    return house


def test_an_incident_that_is_called_noise_moves_weight_once_and_says_so(told_of, make_rows):
    (incident,) = [one for one in told_of.incidents.all("flights") if one.kind == "performance"]
    evidence = told_of.points("evidence", family="performance")
    told_of.incidents.move(incident.id, "noise", by="ada", reason="a strike", at=FIRST)
    for number in (42, 43):
        live(told_of, day(make_rows, number))
    told_of.measure()
    (line,) = [one for one in told_of.monitor.journal("flights") if one.decision == "weight moved"]
    assert (line.evidence, incident.id in line.reason) == ("performance:brier", True)
    shown = {one.family: one for one in told_of.monitor.watched("flights", NOW)}
    assert (shown["performance"].quieter, shown["input"].quieter) == (("performance:brier",), ())
    assert shown["performance"].share < SHARE["performance"]
    assert shown["output"].share > SHARE["output"]
    told_of.monitor.close()
    told_of.monitor = told_of.new_monitor()
    told_of.measure()
    assert told_of.points("evidence", family="performance")[: len(evidence)] == evidence
    assert len([one for one in told_of.monitor.journal("flights") if one.decision == "weight moved"]) == 1
