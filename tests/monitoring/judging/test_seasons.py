"""Hours through the monitors: spikes and outages of live traffic are found; histories, and hours not over, are not."""

from __future__ import annotations

import re
import sqlite3

import msgspec
import numpy as np
import pytest
from tests.monitoring.judging.hours import HISTORY_DAYS, MONDAY, at, found, minutes_pass, rows_of

from gyroscope.clock import DAY_US, HOUR_US, EventTime
from gyroscope.errors import StoreError
from gyroscope.monitoring.judging.followed_hours import WORDS
from gyroscope.monitoring.judging.hour_days import KEPT_US, Day, HourDays
from gyroscope.monitoring.judging.odd_hours import odd_hours


@pytest.fixture
def live(house):
    """Three weeks that were read in at once, then two days that came one by one."""
    house.predict(rows_of(range(HISTORY_DAYS)))
    house.measure(at(24 * HISTORY_DAYS))
    for day in (HISTORY_DAYS, HISTORY_DAYS + 1):
        house.predict(rows_of([day], seed=day))
        house.measure(at(24 * (day + 1)))
    return house


@pytest.fixture
def judged(live, monkeypatch):
    """All that the ledger was handed from now on."""
    handed, take = [], live.incidents.take
    monkeypatch.setattr(live.incidents, "take", lambda model, found: (handed.append(found), take(model, found)))
    return handed


def test_a_spike_and_an_outage_of_live_traffic_page_once_each_and_usual_hours_do_not(live):
    first = 24 * (HISTORY_DAYS + 2)
    assert found(live) == []
    live.predict(rows_of([HISTORY_DAYS + 2], seed=50, extra={first + 9: 60, first + 10: 60}))
    live.measure(at(first + 24))
    (spike,) = live.incidents.all("flights")
    assert (spike.kind, spike.subjects, spike.pages) == ("seasonal", ("requests",), True)
    assert spike.since == at(first + 9)
    assert "is usual at this hour" in spike.why


def test_traffic_that_stops_is_broken_data_while_it_lasts_and_over_when_it_is_back(live, monkeypatch):
    first = 24 * (HISTORY_DAYS + 2)
    live.predict(rows_of([HISTORY_DAYS + 2], seed=60, skip=range(first + 7, first + 24)))
    live.measure(at(first + 7))
    minutes_pass(monkeypatch)
    live.measure(at(first + 10.1))
    (stopped,) = live.incidents.all("flights")
    assert (stopped.kind, stopped.subjects, stopped.state) == ("quality", ("requests",), "open")
    assert at(first + 7) < stopped.since <= at(first + 9)
    assert "no row came where" in stopped.why
    assert [child.kind for child in stopped.children] == ["seasonal"]
    assert stopped.harm_per_day == pytest.approx(8 * 24, rel=0.3)
    live.predict(rows_of([HISTORY_DAYS + 3], seed=61))
    live.measure(at(first + 48))
    (back,) = [one for one in live.incidents.all("flights") if one.kind == "quality"]
    assert (back.state, back.ended) == ("closed", at(first + 24))


def slow_by(rows, factor=1.0, hours=()):
    """Seconds of each answer, about 20 ms, `factor` times as many in some hours."""
    spread = np.random.default_rng(len(rows)).lognormal(np.log(0.02), 0.02, len(rows))
    return np.where(np.isin((rows.times - MONDAY) // HOUR_US, list(hours)), factor, 1.0) * spread


@pytest.mark.parametrize(("factor", "pages"), [(1.6, True), (1.15, False), (0.5, False)])
def test_answers_that_take_longer_page_and_those_hardly_longer_or_faster_do_not(house, factor, pages):
    first = 24 * (HISTORY_DAYS + 2)
    slow = range(first + 9, first + 12)
    days = [range(HISTORY_DAYS), [HISTORY_DAYS], [HISTORY_DAYS + 1], [HISTORY_DAYS + 2]]
    for days_of_it in days:
        rows = rows_of(days_of_it, seed=days_of_it[0])
        house.predict(rows, latency_s=slow_by(rows, factor, slow))
        house.measure(at(24 * (days_of_it[-1] + 1)))
    shown = {one.name: one for one in house.monitor.hours("flights")}["latency"]
    beyond = {point.at for point in shown.points if point.high is not None and point.value > point.high}
    # Even a seventh is beyond all chance here; it is shown, and wakes nobody.
    assert ({at(hour) for hour in slow} <= beyond) == (factor > 1)
    if not pages:
        assert found(house) == []
        return
    (incident,) = house.incidents.all("flights")
    assert (incident.kind, incident.subjects, incident.pages) == ("seasonal", ("latency",), True)
    assert incident.since == at(first + 9)
    assert re.match(r"latency of a request 0\.03\d+ s where 0\.0[12]\d* s is usual at this hour", incident.why)
    assert incident.ended == at(first + 12)


def test_an_hour_that_is_not_over_alarms_nobody(live):
    first = 24 * (HISTORY_DAYS + 2)
    live.predict(rows_of([HISTORY_DAYS + 2], seed=70, skip=range(first + 6, first + 24)))
    live.measure(at(first + 6.9))
    assert found(live) == []


def test_a_history_that_is_read_in_pages_nobody(house):
    hours = 24 * HISTORY_DAYS
    house.predict(rows_of(range(HISTORY_DAYS), skip=range(hours - 20, hours - 10), extra={hours - 30: 90}))
    house.measure(at(hours))
    assert found(house) == []


def test_a_restart_changes_nothing_and_goes_on(live):
    first = 24 * (HISTORY_DAYS + 2)
    live.predict(rows_of([HISTORY_DAYS + 2], seed=50, extra={first + 9: 60}))
    live.measure(at(first + 24))
    before = live.incidents.all("flights")
    live.monitor.close()
    live.monitor = live.new_monitor()
    live.measure(at(first + 24))
    assert live.incidents.all("flights") == before
    live.predict(rows_of([HISTORY_DAYS + 3], seed=51))
    live.measure(at(first + 48))
    assert [one.state for one in live.incidents.all("flights")] == ["closed"]


def test_days_of_the_calendar_page_nobody(live):
    first = 24 * (HISTORY_DAYS + 2)
    live.predict(rows_of([HISTORY_DAYS + 2], seed=50, extra={first + 9: 60}))
    live.monitor.close()
    live.settings = msgspec.structs.replace(live.settings, calendar={"sale": "2013-06-26"})
    live.monitor = live.new_monitor()
    live.measure(at(first + 24))
    assert found(live) == []


def test_a_planned_stop_on_days_of_the_calendar_is_no_silence(live, monkeypatch):
    first = 24 * (HISTORY_DAYS + 2)
    live.monitor.close()
    live.settings = msgspec.structs.replace(live.settings, calendar={"move": "2013-06-26 to 2013-06-27"})
    live.monitor = live.new_monitor()
    live.predict(rows_of([HISTORY_DAYS + 2], seed=60, skip=range(first + 7, first + 24)))
    live.measure(at(first + 7))
    minutes_pass(monkeypatch)
    for hour in range(8, 49, 5):
        live.measure(at(first + hour + 0.1))
        assert found(live) == []
    live.predict(rows_of([HISTORY_DAYS + 4], seed=61))
    live.measure(at(first + 72))
    assert found(live) == []


def test_errors_and_slow_answers_are_found_and_name_what_rose(live):
    first = 24 * (HISTORY_DAYS + 2)
    day = HISTORY_DAYS + 2
    live.predict(rows_of([day], seed=80, skip=range(first + 12, first + 24)))
    live.predict(rows_of([day], seed=81, skip=[*range(first, first + 12), *range(first + 14, first + 24)]), status=500)
    live.predict(rows_of([day], seed=82, skip=range(first, first + 14)))
    live.measure(at(first + 24))
    assert found(live) == [("seasonal", ("error share",), True)]
    (failed,) = live.incidents.all("flights")
    assert failed.since == at(first + 12)
    assert failed.harm_per_day == pytest.approx(8 * 24, rel=0.6)


def test_a_clock_that_leapt_ahead_is_forgotten_once_it_is_right_again(live, judged):
    day = HISTORY_DAYS + 2
    live.predict(rows_of([day + 1], seed=90))
    live.measure(at(24 * (day + 2)))
    live.predict(rows_of([day], seed=91))
    live.measure(at(24 * day + 20.1))
    shown = live.monitor.hours("flights")[0].points
    assert shown[-1].at == at(24 * day + 19)
    assert min(one.value for one in shown[-20:]) > 0
    assert judged[-1].upto[live.version.version, "seasonal"] == shown[-1].at
    live.predict(rows_of([day + 2], seed=95))
    live.measure(at(24 * day + 72))
    assert {one.state for one in live.incidents.all("flights")} == {"closed"}


def test_of_a_house_that_stood_still_for_days_only_hours_with_rows_are_entered(live):
    before = live.monitor.hours("flights")[0].hours
    live.predict(rows_of([HISTORY_DAYS + 10], seed=92))
    live.measure(at(24 * (HISTORY_DAYS + 11)))
    # Those of the last two days as well: that nothing came in them is news.
    assert live.monitor.hours("flights")[0].hours == before + 48


def test_what_a_full_disk_did_not_take_is_entered_and_judged_again(live, monkeypatch):
    first = 24 * (HISTORY_DAYS + 2)
    live.predict(rows_of([HISTORY_DAYS + 2], seed=50, extra={first + 9: 60}))
    with sqlite3.connect(live.home / "monitoring.db", isolation_level=None) as disk:
        disk.execute(
            "CREATE TRIGGER full BEFORE INSERT ON hour_days WHEN NEW.day = "
            f"{at(first)} BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
        failed = live.monitor.run_once(at(first + 24), final=True).failures
        assert "disk full" in failed["flights"]
        disk.execute("DROP TRIGGER full")
    disk.close()
    assert found(live) == []
    minutes_pass(monkeypatch)
    live.measure(at(first + 24))
    assert found(live) == [("seasonal", ("requests",), True)]
    assert live.monitor.hours("flights")[0].points[-1].at >= at(first + 22)


def test_an_hour_that_could_not_be_judged_is_judged_later(live, monkeypatch):
    first = 24 * (HISTORY_DAYS + 2)
    live.predict(rows_of([HISTORY_DAYS + 2], seed=50, extra={first + 9: 60}))

    def killed(day, *others):
        if day.start == at(first):
            raise StoreError("as if killed", where="here", fix="start again")
        return odd_hours(day, *others)

    with monkeypatch.context() as during:
        during.setattr("gyroscope.monitoring.judging.seasons.odd_hours", killed)
        assert "as if killed" in live.monitor.run_once(at(first + 24), final=True).failures["flights"]
    minutes_pass(monkeypatch)
    live.measure(at(first + 24))
    assert found(live) == [("seasonal", ("requests",), True)]


def test_hours_do_not_say_how_far_windows_have_been_judged(live, judged):
    """An incident of windows is not contradicted by an hour that is newer than all of them."""
    day = HISTORY_DAYS + 2
    error = "inputs[0].data[3]: 'hour' must be a number"
    live.predict(rows_of([day], seed=94, extra={24 * day + 20: 60}), status=422, error=error)
    live.measure(at(24 * day + 24.2))
    upto, version = judged[-1].upto, live.version.version
    assert ("quality", ("hour",), True) in found(live)
    assert upto[version, "seasonal"] > at(24 * day)
    assert upto.get((version, "quality")) == upto.get((version, "input"))


def test_what_was_odd_is_forgotten_with_its_hours(live, judged):
    first = 24 * (HISTORY_DAYS + 2)
    live.predict(rows_of([HISTORY_DAYS + 2], seed=50, extra={first + 9: 60}))
    live.measure(at(first + 24))
    assert [one.kind for one in judged[-1].causes] == ["seasonal"]
    later = HISTORY_DAYS + 3 + KEPT_US // DAY_US
    live.predict(rows_of([later], seed=93))
    live.measure(at(24 * later + 24))
    assert at(first + 9) not in [one.since for one in judged[-1].causes]


def test_days_far_ahead_hide_those_before_and_delete_none(tmp_path):
    days = HourDays(tmp_path / "monitoring.db")
    some = [Day(EventTime(number * DAY_US)) for number in range(120)]
    days.put("m", some)
    assert days.days("m") == some[-99:]
    far = Day(EventTime(1_000 * DAY_US))
    days.put("m", [far])
    assert days.days("m") == [far]
    days.forget("m", far.start)
    assert days.days("m") == some[-98:]
    assert days.days("m", far.start) == []
    days.close()


def test_people_see_the_hours_their_band_and_since_when_they_are_judged(live, make_house):
    shown = {one.name: one for one in live.monitor.hours("flights")}
    assert list(shown) == ["requests", "error share", "latency", "mean output", "positive share"]
    requests = shown["requests"]
    assert requests.hours == 24 * (HISTORY_DAYS + 2) - 1  # the last one may still get late rows
    assert requests.judged.startswith("judged by the hour of the day")
    newest = requests.points[-1]
    assert newest.low < 8 < newest.high
    young = make_house(folder="young")
    young.predict(rows_of(range(2)))
    young.measure(at(48))
    (first, *_) = young.monitor.hours("flights")
    assert (first.judged, first.points[-1].low) == (WORDS[0], None)
