"""Late, corrected and demoted rows and labels restate their window exactly, and no other."""

from __future__ import annotations

from tests.monitoring.said import JANUARY, MARCH_1, MARCH_2, everything, expected_binary, measured, value, window

from gyroscope.clock import DAY_US, EventTime


def test_a_late_label_restates_its_window_and_no_other(house, make_rows):
    first, second = make_rows(MARCH_1, 100), make_rows(MARCH_2, 100)
    house.predict(first)
    house.predict(second)
    house.label(first, range(50))
    house.measure()
    before = house.points("performance", window(MARCH_2))
    house.label(first, range(50, 100))
    done = house.measure()
    assert (done.files, done.label_days, done.windows) == (0, 1, 1)
    accuracy = value(house, "performance", window(MARCH_1), metric="accuracy")
    assert accuracy == expected_binary(first, range(100))["accuracy"]
    assert house.points("performance", window(MARCH_2)) == before


def test_a_corrected_label_restates_to_the_very_same_numbers_as_if_it_had_been_right_at_once(house, make_rows):
    day = make_rows(MARCH_1, 100)
    house.predict(day)
    house.label(day)
    house.measure()
    right = house.points("performance")
    house.label(day, range(1), values=1 - day.labels)
    house.measure()
    assert house.points("performance") != right
    house.labels.add("flights", [house.restatement(day, 0)], EventTime(2 * DAY_US))
    house.measure()
    assert house.points("performance") == right


def test_late_rows_restate_their_window_as_if_they_had_come_in_time(make_house, make_rows, tmp_path):
    day = make_rows(MARCH_1, 200)
    late, whole = make_house(folder="late"), make_house(folder="whole")
    for house in (late, whole):
        house.refer_to(make_rows(JANUARY, 3_000, hours=24 * 20, seed=5))
        house.label(day)
    late.predict(day, places=range(120))
    late.measure()
    late.predict(day, places=range(120, 200))
    late.measure()
    whole.predict(day)
    whole.measure()
    assert everything(late) == everything(whole)


def test_a_demoted_attempt_leaves_the_windows_it_was_in(house, make_rows):
    """A retry that the door sent again: the later answer counts, the earlier row's file is rewritten."""
    day = make_rows(MARCH_1, 60)
    before = measured(house, day)
    house.predict(day, places=range(10))
    done = house.measure()
    assert done.files >= 2
    rows = house.table("flights").files()
    assert sum(file.rows for file in rows) == 70
    assert everything(house) == before


def test_a_request_id_used_twice_for_different_inputs_is_not_scored(house, make_rows):
    day = make_rows(MARCH_1, 60)
    other = make_rows(MARCH_1, 60, seed=1)
    house.predict(day)
    house.measure()
    other.ids, other.times = day.ids, day.times
    house.predict(other, places=range(10))
    house.measure()
    assert value(house, "predictions") == 50
