"""A model of nine days: too few to know what an hour is like, and broken data is found all the same."""

from __future__ import annotations

import pytest
from tests.monitoring.judging.hours import at, found, minutes_pass, rows_of

from gyroscope.clock import HOUR_US


@pytest.fixture
def young(house, monkeypatch):
    """Nine days that came one by one, with labels: too few to know what an hour is like."""
    for day in range(9):
        rows = rows_of([day], per_hour=2, seed=day)
        house.predict(rows)
        house.label(rows)
        house.measure(at(24 * day + 24))
    minutes_pass(monkeypatch)
    return house


def test_a_young_model_without_rows_for_three_windows_is_stale_and_goes_on_when_they_are_back(young):
    for day in (9, 10, 11):
        young.measure(at(24 * day + 24))
        assert found(young) == []
    young.measure(at(24 * 13))
    (silent,) = young.incidents.all("flights")
    assert (silent.kind, silent.subjects, silent.state) == ("quality", ("requests",), "open")
    assert "requests: the last are 4.0 windows old" in silent.why
    young.predict(rows_of([13], per_hour=2, seed=13))
    young.measure(at(24 * 14))
    young.measure(at(24 * 14 + 1))
    assert [one.state for one in young.incidents.all("flights")] == ["closed"]


def test_labels_that_stop_while_rows_come_are_broken_data(young):
    for day in range(9, 13):
        young.predict(rows_of([day], per_hour=2, seed=day))
        young.measure(at(24 * day + 24.2))
    (stopped,) = young.incidents.all("flights")
    assert (stopped.kind, stopped.subjects) == ("quality", ("labels",))
    late = rows_of([11], per_hour=2, seed=11)
    young.label(late)
    young.predict(rows_of([13], per_hour=2, seed=13))
    young.measure(at(24 * 14 + 0.2))
    young.measure(at(24 * 14 + 5.2))
    assert [one.state for one in young.incidents.all("flights")] == ["closed"]


def test_a_column_that_requests_lack_or_send_in_another_type_is_named(young):
    day = rows_of([9], per_hour=30, seed=9)
    young.predict(day, status=422, error="inputs[0].data[3]: 'hour' must be a whole number within 2^53")
    young.measure(at(24 * 10 + 0.2))
    (refused,) = young.incidents.all("flights")
    assert (refused.kind, refused.subjects, refused.pages) == ("quality", ("hour",), True)
    assert "most refusals say: inputs[0].data[3]: 'hour' must be a whole number" in refused.why


def test_one_client_that_sends_nonsense_for_an_hour_breaks_no_column(young):
    words = "inputs[0].data[3]: 'hour' must be a number"
    young.predict(rows_of([9], per_hour=0, seed=9, extra={24 * 9 + 5: 60}), status=422, error=words)
    young.predict(rows_of([9], per_hour=2, seed=90))
    young.measure(at(24 * 10 + 0.2))
    assert [one for one in found(young) if one[0] == "quality"] == []
    young.predict(rows_of([10], per_hour=0, seed=10, extra={24 * 10 + 5: 60, 24 * 10 + 6: 60}), status=422, error=words)
    young.predict(rows_of([10], per_hour=2, seed=91))
    young.measure(at(24 * 11 + 0.2))
    (refused,) = young.incidents.all("flights")
    assert (refused.subjects, refused.since) == (("hour",), at(24 * 10 + 6))


def test_a_column_that_the_first_rows_of_all_lack_is_named(young):
    """Midnight's rows are held against the last hour with rows of the day before."""
    words = "inputs[0].data[3]: 'hour' must be a number"
    young.predict(rows_of([9], per_hour=0, seed=9, extra={24 * 9 + 20: 60}), status=422, error=words)
    young.predict(rows_of([10], per_hour=0, seed=10, extra={24 * 10: 60}), status=422, error=words)
    young.measure(at(24 * 11 + 0.2))
    (refused,) = [one for one in young.incidents.all("flights") if one.subjects == ("hour",)]
    assert refused.since == at(24 * 10)


def test_rows_of_the_future_inform_with_their_number_and_move_no_clock(young):
    young.predict(rows_of([9], per_hour=2, seed=9))
    young.predict(rows_of([9], per_hour=1, seed=99), ahead_us=90 * 24 * HOUR_US)
    young.measure(at(24 * 10 + 0.2))
    (stamped,) = young.incidents.all("flights")
    assert (stamped.kind, stamped.subjects, stamped.pages) == ("quality", ("time stamps",), False)
    assert "rows are stamped over 5 minutes later than they came" in stamped.why
    # The newest of them says June; the hours after today are not over for that.
    assert young.monitor.hours("flights")[0].points[-1].at < at(24 * 10)


def test_what_fails_beside_a_refusal_is_no_columns_fault(young):
    young.predict(rows_of([9], per_hour=30, seed=9), status=500, error="the model failed")
    young.predict(rows_of([9], per_hour=1, seed=90), status=422, error="inputs[0].data[3]: 'hour' must be a number")
    young.measure(at(24 * 10 + 0.2))
    assert [one for one in found(young) if one[0] == "quality"] == []


def test_refusals_that_all_differ_are_counted_each(young):
    day = rows_of([9], per_hour=0, seed=9, extra={24 * 9 + 5: 120, 24 * 9 + 9: 120})
    for row in range(len(day)):
        error = f"csv[0].distance: 'n/a {row}' is not float64"
        young.predict(day, places=range(row, row + 1), status=422, error=error, record=False)
    young.record()
    young.measure(at(24 * 10 + 0.2))
    assert found(young) == [("quality", ("distance",), True)]
