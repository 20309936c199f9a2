"""Rounds on real tables: nothing is read twice or forgotten, and what fails stops its model with words."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.monitoring.said import JANUARY, MARCH_1, everything, expected_binary, measured, value

from gyroscope.clock import EventTime, parse_event_time
from gyroscope.records import Feature


def test_a_long_backlog_is_folded_in_parts_and_no_window_is_measured_from_some_of_its_files(
    house, make_rows, monkeypatch
):
    monkeypatch.setattr("gyroscope.monitoring.loop.FILES_A_ROUND", 1)
    for part in range(3):
        house.predict(make_rows(MARCH_1, 40, seed=part))
    first, second, third = (house.monitor.run_once(EventTime(0)) for _ in range(3))
    assert [(done.files, done.windows, done.left) for done in (first, second, third)] == [
        (1, 0, 1),
        (1, 0, 1),
        (1, 1, 0),
    ]
    assert house.values("predictions") == [120]


def test_after_a_restart_nothing_is_read_twice_and_the_numbers_stay(house, make_rows):
    day = make_rows(MARCH_1, 100)
    before = measured(house, day)
    house.monitor = house.new_monitor()
    done = house.measure()
    assert (done.files, done.windows) == (0, 0)
    house.label_again(day)
    assert house.measure().windows <= 1
    assert everything(house) == before


def test_a_lost_cache_costs_time_and_no_number(house, make_rows):
    house.refer_to(make_rows(JANUARY, 3_000, hours=24 * 20, seed=5))
    day = make_rows(MARCH_1, 100)
    before = measured(house, day)
    house.lose_cache()
    assert house.measure().files == 1
    assert everything(house) == before


def test_a_window_that_keeps_changing_waits_and_is_always_finished(house, make_rows):
    day = make_rows(MARCH_1, 100)
    house.predict(day, places=range(50))
    assert house.monitor.run_once(EventTime(0)).windows == 1
    house.predict(day, places=range(50, 100))
    waiting = house.monitor.run_once(EventTime(0))
    assert (waiting.files, waiting.windows, waiting.left) == (1, 0, 1)
    assert value(house, "predictions") == 50
    assert (house.measure().windows, value(house, "predictions")) == (1, 100)


def test_what_was_left_is_measured_after_a_restart(house, make_rows):
    day = make_rows(MARCH_1, 100)
    house.predict(day, places=range(50))
    house.monitor.run_once(EventTime(0))
    house.predict(day, places=range(50, 100))
    assert house.monitor.run_once(EventTime(0)).left == 1
    house.monitor = house.new_monitor()
    done = house.monitor.run_once(EventTime(0))
    assert (done.files, done.windows, value(house, "predictions")) == (0, 1, 100)


def test_a_time_outside_the_calendar_belongs_to_no_window(house, make_rows):
    day = make_rows(MARCH_1, 60)
    day.times[0], day.times[1] = parse_event_time("0800-01-01"), parse_event_time("9500-01-01")
    house.predict(day)
    house.measure()
    assert house.values("predictions") == [58]


def test_a_damaged_reference_stops_its_model_with_words(house, make_rows):
    house.predict(make_rows(MARCH_1, 60))
    (house.home / "models" / "flights" / house.version.version / "reference.bin").write_bytes(b"not a reference")
    done = house.monitor.run_once(EventTime(0))
    assert "reference" in done.failures["flights"] and "fix:" in done.failures["flights"]


def test_two_versions_in_one_file_are_kept_apart(house, make_rows):
    other = house.add_version()
    old, new = make_rows(MARCH_1, 60), make_rows(MARCH_1, 40, seed=1)
    house.predict(old, record=False)
    house.predict(new, version=other)
    house.label(old)
    house.label(new)
    house.measure()
    assert value(house, "predictions", version=house.version.version) == 60
    assert value(house, "predictions", version=other.version) == 40
    accuracy = value(house, "performance", metric="accuracy", version=other.version)
    assert accuracy == expected_binary(new, range(40))["accuracy"]


def test_a_lost_file_stops_its_model_with_words(house, make_rows):
    house.predict(make_rows(MARCH_1, 40))
    (file,) = house.table("flights").files()
    Path(file.path).unlink()
    done = house.monitor.run_once(EventTime(0))
    assert "the table cannot be read" in done.failures["flights"]


@pytest.mark.parametrize("changed", [Feature("hour", "string", tuple(map(str, range(24)))), Feature("carrier")])
def test_a_feature_may_change_its_type_with_a_version(house, make_rows, changed):
    """The table then keeps it in a column of its own; both versions may lie in one file."""
    other = house.add_version(changed)
    rows, later = make_rows(MARCH_1, 40), make_rows(MARCH_1, 50, seed=1)
    house.predict(rows)
    house.predict(later, version=other, record=False)
    house.predict(make_rows(MARCH_1, 60, seed=2))
    house.measure()
    assert value(house, "predictions", version=house.version.version) == 100
    assert value(house, "predictions", version=other.version) == 50
    for version in (house.version, other):
        assert value(house, "missing_share", version=version.version, column=changed.name) == 0
