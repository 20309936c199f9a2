"""Windows to incidents on real tables and labels: nothing on clean days, one per cause, once whatever happens."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from tests.monitoring.conftest import ZONE

from gyroscope.clock import DAY_US, EventTime, iso, parse_event_time
from gyroscope.errors import StoreError
from gyroscope.monitoring.judging.early import EARLY
from gyroscope.monitoring.judging.verdicts import CORRECTED, GONE

REFERENCE_DAYS, ROWS = 30, 150
FIRST = parse_event_time("2013-01-01T00:00:00-05:00")


def day(make_rows, number, **more):
    start = iso(EventTime(FIRST + number * DAY_US), ZONE)
    return make_rows(start, more.pop("n", ROWS), seed=number, **more)


def live(house, rows, labelled=True):
    house.predict(rows)
    if labelled:
        house.label(rows)


def joined(parts):
    whole = parts[0]
    for name, values in vars(whole).items():
        more = [getattr(part, name) for part in parts]
        setattr(whole, name, [*itertools.chain(*more)] if isinstance(values, list) else np.concatenate(more))
    return whole


@pytest.fixture
def learned(house, make_rows):
    """A house with thirty normal days as its reference."""
    house.refer_to(joined([day(make_rows, number) for number in range(REFERENCE_DAYS)]))
    return house


def kinds(house):
    return [(one.kind, one.subjects, one.state) for one in house.incidents.all("flights")]


def test_clean_days_open_nothing(learned, make_rows):
    for number in range(30, 55):
        live(learned, day(make_rows, number))
    done = learned.measure()
    assert done.entered > 40
    assert kinds(learned) == []
    evidence = learned.values("evidence", family="input")
    assert len(evidence) == 24
    assert max(evidence) < 1


def test_a_column_that_breaks_is_one_incident_that_names_it_and_closes_when_it_is_mended(learned, make_rows):
    for number in range(30, 36):
        rows = day(make_rows, number)
        if number in (32, 33):
            rows.distance[:] = np.nan
        live(learned, rows)
        learned.measure()
    (incident,) = learned.incidents.all("flights")
    assert (incident.kind, incident.subjects, incident.state) == ("quality", ("distance",), "open")
    assert "missing" in incident.why
    assert incident.since == FIRST + 32 * DAY_US
    for number in range(36, 39):
        live(learned, day(make_rows, number))
    learned.measure()
    assert [one.state for one in learned.incidents.all("flights")] == ["closed"]


def test_rows_that_are_all_sent_twice_are_an_incident_at_that_window_and_a_tenth_of_them_a_signal(learned, make_rows):
    for number in range(30, 44):
        rows = day(make_rows, number)
        live(learned, rows)
        share = {33: 10, 39: 1}.get(number, 100)
        if share < 100:
            again = day(make_rows, number, n=ROWS // share)
            for name in ("distance", "carrier", "hour", "outputs"):
                setattr(again, name, getattr(rows, name)[: ROWS // share])
            again.ids = [f"again-{one}" for one in again.ids]
            live(learned, again)
    learned.measure()
    shares = learned.values("duplicate_share")
    assert shares[3] == pytest.approx(15 / 165)
    assert shares[9] == 0.5
    assert sum(shares) == pytest.approx(15 / 165 + 0.5)
    (incident,) = learned.incidents.all("flights")
    assert (incident.kind, incident.subjects, incident.state) == ("quality", ("duplicate rows",), "closed")
    assert incident.since == FIRST + 39 * DAY_US
    assert "50 % of the rows are there already" in incident.why


def test_what_was_broken_for_a_version_is_over_when_others_have_gone_on_without_it(house, make_rows):
    reference = house.refer_to(joined([day(make_rows, number) for number in range(REFERENCE_DAYS)]))
    second = house.add_version()
    house.models.put_reference(second, reference)
    for number in range(30, 38):
        rows = day(make_rows, number)
        if number < 33:
            rows.distance[:] = np.nan
        house.predict(rows, version=None if number < 33 else second)
        house.measure()
        if number in (33, 35):
            assert [one.state for one in house.incidents.all("flights")] == ["open"]
    (incident,) = house.incidents.all("flights")
    assert (incident.state, incident.ended) == ("closed", FIRST + 33 * DAY_US)
    assert [note.text for note in incident.notes] == [GONE]


def test_performance_that_falls_opens_one_incident_with_the_gap_and_the_harm(learned, make_rows):
    rng = np.random.default_rng(1)
    for number in range(30, 45):
        rows = day(make_rows, number)
        if number >= 35:
            rows.labels = (rng.random(ROWS) < 0.75).astype(float)
        live(learned, rows)
    learned.measure()
    (incident,) = [one for one in learned.incidents.all("flights") if one.pages]
    assert (incident.kind, incident.subjects) == ("performance", ("brier",))
    assert abs(incident.since - (FIRST + 35 * DAY_US)) <= DAY_US
    assert incident.harm_per_day > 1


def test_performance_that_falls_for_one_carrier_names_it_and_how_much_it_explains(learned, make_rows):
    for number in range(30, 45):
        rows = day(make_rows, number)
        if number >= 35:
            rows.labels = np.where(rows.carrier == 2, 1.0, rows.labels)
        live(learned, rows)
    learned.measure()
    (incident,) = [one for one in learned.incidents.all("flights") if one.kind == "performance"]
    assert "suspect: carrier B6, worse than before" in incident.why
    (explained, *_) = [one for one in incident.bundle if one.name == "explains"]
    assert dict(explained.labels) == {"of": "carrier"}
    assert 0.5 < explained.value / incident.harm_per_day * ROWS < 1.5


def test_inputs_that_move_inform_and_page_nobody(learned, make_rows):
    for number in range(30, 45):
        live(learned, day(make_rows, number, shift=400.0 if number >= 35 else 0.0))
    learned.measure()
    (incident,) = learned.incidents.all("flights")
    assert (incident.kind, incident.subjects, incident.pages) == ("input", ("distance",), False)


def test_a_restart_and_a_lost_cache_open_nothing_twice(learned, make_rows):
    for number in range(30, 40):
        rows = day(make_rows, number)
        if number >= 34:
            rows.distance[:] = np.nan
        live(learned, rows)
    learned.measure()
    before = learned.incidents.all("flights")
    assert len(before) == 1
    learned.monitor.close()
    learned.monitor = learned.new_monitor()
    learned.measure()
    assert learned.incidents.all("flights") == before
    learned.lose_cache()
    learned.measure()
    assert learned.incidents.all("flights") == before
    assert len(learned.incidents.journal(before[0].id)) == 1


def test_the_last_window_is_not_judged_before_it_is_complete(learned, make_rows):
    rows = day(make_rows, 30)
    rows.distance[:] = np.nan
    live(learned, rows)
    learned.measure()
    assert kinds(learned) == []
    live(learned, day(make_rows, 31))
    learned.measure()
    assert [kind for kind, _, _ in kinds(learned)] == ["quality"]


def test_what_is_estimated_without_labels_is_drawn_and_suspected_before_labels_come(learned, make_rows):
    for number in range(30, 45):
        rows = day(make_rows, number)
        if number >= 35:
            rows.outputs = 0.25 + rows.outputs / 2  # nearer to a half: right less often
        live(learned, rows, labelled=False)
    learned.measure()
    drawn = learned.points("performance_estimated", metric="brier")
    assert len(drawn) == 14
    assert all(one.low < one.value < one.high for one in drawn)
    kinds = {one.kind for one in learned.incidents.all("flights")}
    assert kinds <= {"output", "estimate"}
    assert kinds


def test_a_rehearsal_says_what_another_budget_would_have_found_and_changes_nothing(learned, make_rows):
    rng = np.random.default_rng(1)
    for number in range(30, 45):
        rows = day(make_rows, number)
        if number >= 35:
            rows.labels = (rng.random(ROWS) < 0.75).astype(float)
        live(learned, rows)
    learned.measure()
    before = learned.incidents.all("flights")
    now = parse_event_time("2030-01-01")
    found = {budget: learned.monitor.rehearse("flights", now, budget) for budget in (1e-40, 1.0)}
    assert [cause.kind for cause in found[1e-40] if cause.pages] == []
    assert [cause.kind for cause in found[1.0] if cause.pages] == ["performance"]
    assert learned.incidents.all("flights") == before


def test_each_family_says_how_its_rows_depend_and_how_small_a_change_it_sees(learned, make_rows):
    for number in range(30, 34):
        live(learned, day(make_rows, number))
    learned.measure()
    found = {one.family: one for one in learned.monitor.watched("flights", parse_event_time("2030-01-01"))}
    assert {"performance", "estimate", "output", "input"} <= found.keys()
    performance = found["performance"]
    (card,) = performance.cards
    assert (performance.windows, card.windows, card.rows) == (3, REFERENCE_DAYS, ROWS)
    assert 1 < card.effective <= ROWS
    days = [sight.days for sight in performance.sights]
    assert days == sorted(days, reverse=True)
    assert all(sight.shift > 0 for sight in performance.sights)


def test_a_day_of_the_calendar_judges_nothing(make_house, make_rows):
    house = make_house(calendar={"closed": "2013-02-02 to 2013-02-03"})
    house.refer_to(joined([day(make_rows, number) for number in range(REFERENCE_DAYS)]))
    for number in range(30, 37):
        rows = day(make_rows, number)
        if number in (32, 33):
            rows.distance[:] = np.nan
        live(house, rows)
    house.measure()
    assert house.incidents.all("flights") == []


def test_an_accepted_change_is_the_new_normal_once_there_are_fourteen_windows_of_it(learned, make_rows):
    for number in range(30, 38):
        live(learned, day(make_rows, number, shift=400.0 if number >= 32 else 0.0))
    learned.measure()
    (incident,) = learned.incidents.all("flights")
    learned.incidents.move(incident.id, "accepted", by="ada", reason="longer flights", at=FIRST)
    for number in range(38, 56):
        live(learned, day(make_rows, number, shift=400.0))
    learned.measure()
    assert [one.state for one in learned.incidents.all("flights")] == ["accepted"]
    basis = learned.monitor.basis("flights", learned.version.version, parse_event_time("2030-01-01"))
    assert (basis.windows, basis.uses_reference) == (14, False)


def test_a_short_reference_is_filled_up_with_the_first_days_and_says_how_many_are_there(house, make_rows):
    house.refer_to(joined([day(make_rows, number) for number in range(7)]))
    for number in range(7, 11):
        live(house, day(make_rows, number))
    house.measure()
    now = parse_event_time("2030-01-01")
    basis = house.monitor.basis("flights", house.version.version, now)
    assert "10 of 14 windows" in basis.reason
    for number in range(11, 18):
        live(house, day(make_rows, number))
    house.measure()
    assert house.monitor.basis("flights", house.version.version, now).windows == 14
    assert len(house.values("evidence", family="input")) == 3


def test_corrected_labels_take_no_incident_back_and_say_so(learned, make_rows):
    rng, days = np.random.default_rng(1), []
    for number in range(30, 42):
        days.append(day(make_rows, number))
        wrong = (rng.random(ROWS) < 0.75).astype(float)
        learned.predict(days[-1])
        learned.label(days[-1], values=wrong if number >= 36 else None)
    learned.measure()
    (before,) = [one for one in learned.incidents.all("flights") if one.kind == "performance"]
    for rows in days[6:]:
        learned.label_again(rows)
    live(learned, day(make_rows, 42))
    live(learned, day(make_rows, 43))
    learned.measure()
    after = learned.incidents.get(before.id)
    assert (after.state, after.since, after.opened) == ("open", before.since, before.opened)
    assert [note.text for note in after.notes] == [CORRECTED]


def test_a_harm_that_missing_labels_cannot_undo_is_told_before_they_come_and_once(learned, make_rows):
    rng = np.random.default_rng(1)
    for number in range(30, 36):
        rows = day(make_rows, number)
        if number == 35:  # some harm, not enough alone
            rows.labels = np.where(rng.random(ROWS) < 0.15, 1 - rows.labels, rows.labels)
        live(learned, rows)
    rows, harmless = day(make_rows, 36), range(ROWS // 2)
    learned.predict(rows)
    learned.predict(day(make_rows, 37))
    learned.label(rows, harmless)
    assert learned.measure().entered > 0
    assert kinds(learned) == []
    wrong = (rows.outputs < 0.5).astype(float)
    learned.label(rows, range(ROWS // 2, ROWS - 10), values=wrong)
    assert learned.measure().entered == 0
    (incident,) = learned.incidents.all("flights")
    assert (incident.kind, incident.opened) == ("performance", FIRST + 36 * DAY_US)
    assert EARLY in incident.why
    learned.label(rows, range(ROWS - 10, ROWS))
    learned.measure()
    assert [(one.id, one.state) for one in learned.incidents.all("flights")] == [(incident.id, "open")]


def test_the_mean_of_all_windows_holds_at_every_look_and_starts_again_after_an_alarm(learned, make_rows):
    rng = np.random.default_rng(1)
    for number in range(30, 45):
        rows = day(make_rows, number)
        if number >= 38:
            rows.labels = (rng.random(ROWS) < 0.75).astype(float)
        live(learned, rows)
    learned.measure()
    points = learned.points("performance_mean", metric="brier")
    alone = {one.at: one for one in learned.points("performance", metric="brier")}
    assert points[0].value == pytest.approx(alone[points[0].at].value)
    assert all(one.low < one.value < one.high for one in points)
    assert [one.n for one in points[:3]] == [1, 2, 3]
    starts = [one for one in points if one.n == 1]
    assert len(starts) == 2  # the second after the alarm
    assert starts[1].value > 1.2 * starts[0].value
    learned.monitor.close()
    learned.monitor = learned.new_monitor()
    learned.measure()
    assert learned.points("performance_mean", metric="brier") == points


def test_what_the_ledger_could_not_keep_is_handed_in_again(learned, make_rows, monkeypatch):
    live(learned, day(make_rows, 30))
    live(learned, day(make_rows, 31))
    learned.measure()
    rows = day(make_rows, 32)
    rows.distance[:] = np.nan
    live(learned, rows)
    live(learned, day(make_rows, 33))

    def refuse(*_):
        raise StoreError("the disk is full", where="state.db", fix="make room")

    with monkeypatch.context() as during:
        during.setattr(learned.incidents, "take", refuse)
        done = learned.monitor.run_once(parse_event_time("2030-01-01"), final=True)
        assert "the disk is full" in done.failures["flights"]
    assert kinds(learned) == []
    learned.label_again(rows)
    learned.measure()
    assert [kind for kind, _, _ in kinds(learned)] == ["quality"]


def test_a_late_row_does_not_bring_the_old_normal_back(learned, make_rows, monkeypatch):
    for number in range(30, 38):
        live(learned, day(make_rows, number, shift=400.0 if number >= 32 else 0.0))
    learned.measure()
    (incident,) = learned.incidents.all("flights")
    learned.incidents.move(incident.id, "accepted", by="ada", reason="longer flights", at=FIRST)
    for number in range(38, 49):
        live(learned, day(make_rows, number, shift=400.0))
    learned.measure()
    basis = learned.monitor.basis("flights", learned.version.version, parse_event_time("2030-01-01"))
    assert not basis.uses_reference
    late = day(make_rows, 45, shift=400.0, n=40)
    late.ids = [f"late {one}" for one in late.ids]
    live(learned, late)
    monkeypatch.setattr("gyroscope.monitoring.loop.WINDOWS_A_ROUND", 0)
    learned.monitor.run_once(parse_event_time("2030-01-01"))
    between = learned.monitor.basis("flights", learned.version.version, parse_event_time("2030-01-01"))
    assert "new normal" in between.reason


def test_rows_of_another_version_that_come_late_change_no_window_that_was_entered(learned, make_rows):
    other = learned.add_version()
    learned.models.put_reference(other, learned.models.reference(learned.version))
    for number in range(30, 36):
        live(learned, day(make_rows, number, shift=150.0))
    learned.measure()
    about = {"version": learned.version.version, "family": "input"}
    entered = learned.values("evidence", **about)
    assert max(entered) > 0
    for number in range(30, 34):
        late = day(make_rows, number)
        late.ids = [f"late {one}" for one in late.ids]
        learned.predict(late, version=other)
    learned.measure()
    learned.monitor.close()
    learned.monitor = learned.new_monitor()
    live(learned, day(make_rows, 36))
    live(learned, day(make_rows, 37))
    learned.measure()
    assert learned.values("evidence", **about)[: len(entered)] == entered
