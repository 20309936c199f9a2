"""A week of another unit is found on the demo's own flights, whenever in summer it begins and whichever it is.

Judged by the rules alone: a week of humidity in shares was once told as drift, and nothing vetoed the retraining.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest

from gyroscope.demo.flights import load_flights
from gyroscope.demo.run import LAST_DAY
from gyroscope.demo.world import SUMMER, UNITS, WEEK
from gyroscope.monitoring.judging.inspection import inspect
from gyroscope.stats.profiles import Profile, fit_layout, profile
from gyroscope.stats.quality import FindingKind, learn_limits

REFERENCES = {"of the first model": ("2013-01-01", "2013-03-01"), "of one trained in May": ("2013-03-01", "2013-05-01")}
WEEKS = {column: factor for column, _, factor in UNITS}
SAID = {
    "departure_minute": "60 times as small",
    "humid": "percent for shares, or cents for units, the other way round",
    "pressure": "100 times as large",
}
WEATHER = ("temp", "dewp", *WEEKS)


@pytest.fixture(scope="module")
def days():
    """The columns of each day of the year."""
    flights = load_flights()
    day = flights.day.astype(str)
    names, first = np.unique(day, return_index=True)
    columns = {name: np.split(np.asarray(flights.columns[name], np.float64), first[1:]) for name in WEATHER}
    return {one: {name: columns[name][at] for name in WEATHER} for at, one in enumerate(names.tolist())}


def judged_by(days, first, end):
    """What the rules say of a day, held against those from `first` until `end`."""
    normal = [columns for day, columns in days.items() if first <= day < end]
    layout = fit_layout({name: np.concatenate([one[name] for one in normal]) for name in WEATHER})
    windows = [profile(columns, layout) for columns in normal]
    limits, total = learn_limits(windows), reduce(Profile.merge, windows)
    return lambda columns: inspect(limits, windows, total, profile(columns, layout), (), {})


@pytest.mark.parametrize("column", WEEKS)
@pytest.mark.parametrize("reference", REFERENCES)
def test_whenever_a_week_of_another_unit_begins_its_days_say_which(days, reference, column):
    judged = judged_by(days, *REFERENCES[reference])
    summer = [day for day in days if SUMMER[0] <= day[5:] <= "07-14"]
    found = {day: judged({**days[day], column: days[day][column] * WEEKS[column]}) for day in summer}
    assert {one.column for findings in found.values() for one in findings} == {column}
    # Of stormy days a third of all rows have no pressure: too few are left for the rule.
    assert sum(not findings for findings in found.values()) <= 3
    is_named = [any(is_unit(one) and SAID[column] in one.reason for one in findings) for findings in found.values()]
    for start in range(len(summer) - WEEK + 1):
        assert any(is_named[start : start + WEEK]), summer[start]


@pytest.mark.parametrize(("first", "end"), [*REFERENCES.values(), ("2013-06-15", "2013-08-20")])
def test_no_other_season_is_broken(days, first, end):
    judged = judged_by(days, first, end)
    later = {day: judged(columns) for day, columns in days.items() if end <= day <= LAST_DAY}
    assert {day: found for day, found in later.items() if found} == {}


def is_unit(found):
    return found.kind is FindingKind.UNIT_CHANGED
