"""Data as bad as it comes, through every monitor: a defined result or a reason, no exception, no NaN shown."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from tests.monitoring.conftest import FAR_FUTURE
from tests.monitoring.judging.test_judge import FIRST, REFERENCE_DAYS, day, joined

from gyroscope.clock import DAY_US, EventTime
from gyroscope.records import Feature, NotEnoughData
from gyroscope.reports.figures.drift import drift_heat_map
from gyroscope.reports.figures.hours import hours_over_time
from gyroscope.reports.figures.incidents import incident_timeline
from gyroscope.reports.html import figure_json

BAD_DAY = 32
ALL = EventTime(1 << 61)


def all_missing(rows):
    rows.distance[:] = np.nan


def constant(rows):
    rows.distance[:] = 7.0


def huge(rows):
    rows.distance[:] = np.where(np.arange(len(rows)) % 2, 1e308, -1e308)
    rows.outputs[: len(rows) // 2] = 1e308


def infinite(rows):
    rows.distance[:] = np.inf


def all_distinct(rows):
    rows.hour = np.arange(len(rows)) * 1_000


def kilometres(rows):
    rows.distance *= 1.609


def feet(rows):
    rows.distance *= 0.3048


def no_outputs(rows):
    rows.outputs[:] = np.nan


def before_the_computer(rows):
    rows.times = np.full(len(rows), -(1 << 60))


def backwards(rows):
    rows.times = rows.times[::-1] - np.arange(len(rows)) * DAY_US // 100


BROKEN = {all_missing: "distance", constant: "distance", huge: "distance", infinite: "distance", all_distinct: "hour"}
UNITS = {kilometres: "kilometres for miles", feet: "metres for feet"}
DEFINED = (no_outputs, before_the_computer, backwards)


@pytest.fixture
def learned(house, make_rows):
    house.refer_to(joined([day(make_rows, number, n=500) for number in range(REFERENCE_DAYS)]))
    return house


def play(house, make_rows, spoil, days=range(30, 35), n=500):
    for number in days:
        rows = day(make_rows, number, n=n)
        if number == BAD_DAY:
            spoil(rows)
        house.predict(rows)
        house.measure(EventTime(FIRST + (number + 1) * DAY_US))
    return house.incidents.all("flights")


def numbers_of(house):
    """Every number that a page, a report or a command may show."""
    for name in house.signals.names():
        for one in house.signals.query(name, None, EventTime(-ALL), ALL):
            yield from ((name, value) for value in (one.value, one.low, one.high))
    for incident in house.incidents.all("flights"):
        yield "harm", incident.harm_per_day
        yield from ((one.name, one.value) for one in incident.bundle)
    for series in house.monitor.hours("flights"):
        yield from ((series.name, value) for one in series.points for value in (one.value, one.low, one.high))


def check(house):
    for name, value in numbers_of(house):
        assert value is None or isinstance(value, NotEnoughData) or not math.isnan(value), name
    drift = house.signals.query("drift", None, EventTime(-ALL), ALL)
    hourly = {one.name: one.points for one in house.monitor.hours("flights")}
    for drawn in (
        drift_heat_map(drift),
        hours_over_time(hourly),
        incident_timeline(house.incidents.all("flights"), FAR_FUTURE),
    ):
        json.loads(figure_json(drawn), parse_constant=pytest.fail)


@pytest.mark.parametrize("spoil", [*BROKEN, *UNITS, *DEFINED])
def test_a_day_of_bad_data_has_a_defined_result(learned, make_rows, spoil):
    opened = play(learned, make_rows, spoil)
    check(learned)
    named = {subject: one.why for one in opened if one.pages for subject in one.subjects}
    if spoil in BROKEN:
        assert named.keys() == {BROKEN[spoil]}
    if spoil in UNITS:
        assert UNITS[spoil] in named["distance"]
        (unit,) = [one for one in opened if one.pages]
        assert unit.opened == FIRST + BAD_DAY * DAY_US


def test_windows_of_one_row_or_none_are_judged_by_nobody(learned, make_rows):
    for number in (30, 33):
        rows = day(make_rows, number, n=1)
        rows.distance[:] = np.nan
        learned.predict(rows)
    learned.predict(day(make_rows, 34, n=500))
    learned.measure()
    check(learned)
    assert learned.incidents.all("flights") == []


def test_a_version_whose_column_is_of_another_type_is_judged_by_its_own(learned, make_rows):
    """Mixed types in one table: texts of the new version lie beside the numbers of the old one."""
    other = learned.add_version(Feature("hour", "string", ("0", "1")))
    for number in range(30, 35):
        learned.predict(day(make_rows, number, n=500))
        rows = day(make_rows, number, n=60, hours=20.0)
        rows.ids, rows.hour = [f"other-{one}" for one in rows.ids], rows.hour % 2
        learned.predict(rows, version=other)
        learned.measure(EventTime(FIRST + (number + 1) * DAY_US))
    check(learned)
    assert [one for one in learned.incidents.all("flights") if one.pages] == []
