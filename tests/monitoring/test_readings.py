"""Windows held against a reference: what is beyond a limit is a reading, and goes when the window is restated."""

from __future__ import annotations

from typing import get_args

import numpy as np
from tests.monitoring.said import JANUARY, MARCH_1, value, window

from gyroscope.clock import parse_event_time
from gyroscope.monitoring import measure
from gyroscope.records import NotEnoughData
from gyroscope.settings import DistanceName
from gyroscope.stats.drift import PLAIN


def test_drift_shows_as_a_reading_and_goes_when_the_window_is_restated(house, make_rows):
    house.refer_to(make_rows(JANUARY, 3_000, hours=24 * 20, seed=5))
    moved = make_rows(MARCH_1, 100, shift=800.0)
    house.predict(moved)
    house.measure()
    (reading,) = house.points("reading", column="distance")
    assert reading.value > house.settings.thresholds.drift_effect and reading.low is not None
    house.predict(make_rows(MARCH_1, 3_000, seed=3))
    house.measure()
    assert house.points("reading", column="distance") == []
    assert value(house, "drift", column="distance") < house.settings.thresholds.drift_effect


def test_a_reading_stays_where_its_window_is_not_measured_again_or_for_its_labels_alone(house, make_rows):
    house.refer_to(make_rows(JANUARY, 3_000, hours=24 * 20, seed=5))
    days = [f"2013-03-0{day}T00:00:00-05:00" for day in (1, 2, 3, 4)]
    moved = [make_rows(day, 100, shift=800.0, seed=at) for at, day in enumerate(days)]
    for rows in moved:
        house.predict(rows)
    house.measure()
    assert [point.at for point in house.points("reading", column="distance")] == [parse_event_time(day) for day in days]
    house.label(moved[1])
    for day in (days[0], days[3]):
        house.predict(make_rows(day, 3_000, seed=3))
    house.measure()
    assert [point.at for point in house.points("reading", column="distance")] == [
        parse_event_time(day) for day in days[1:3]
    ]


def test_a_distance_above_its_limit_is_a_reading_of_its_name(make_house, make_rows):
    assert get_args(DistanceName) == tuple(PLAIN)
    house = make_house(thresholds={"distances": {"psi": 0.2, "ks": 0.9}})
    house.refer_to(make_rows(JANUARY, 3_000, hours=24 * 20, seed=5))
    house.predict(make_rows(MARCH_1, 300, shift=800.0))
    house.measure()
    (reading,) = house.points("reading", kind="psi")
    assert dict(reading.labels)["column"] == "distance" and reading.value > 0.2
    assert house.points("reading", kind="ks") == []


def test_a_window_of_the_reference_has_no_distance_and_is_held_against_it_once(make_house, make_rows, monkeypatch):
    house = make_house(thresholds={"distances": {"psi": 0.0, "ks": 0.0}})
    shown = make_rows(JANUARY, 3_000, hours=24 * 20, seed=5)
    house.refer_to(shown)
    house.predict(shown)
    asked, compare = [], measure._is_reference
    monkeypatch.setattr(measure, "_is_reference", lambda *about: asked.append(about) or compare(*about))
    house.measure()
    assert len(asked) == len(house.points("predictions")) == 20
    assert house.points("reading", kind="psi") == house.points("reading", kind="ks") == []


def test_performance_below_the_reference_is_a_reading_that_a_correction_takes_back(house, make_rows):
    house.refer_to(make_rows(JANUARY, 3_000, hours=24 * 20, seed=5))
    day = make_rows(MARCH_1, 900)
    house.predict(day)
    house.label(day, values=1 - day.labels)
    house.measure()
    assert {dict(p.labels)["metric"] for p in house.points("reading", kind="performance")} >= {"accuracy", "brier"}
    house.label_again(day)
    house.measure()
    assert house.points("reading", kind="performance") == []


def test_missing_values_above_the_limit_are_a_reading(house, make_rows):
    house.refer_to(make_rows(JANUARY, 3_000, hours=24 * 20, seed=5))
    day = make_rows(MARCH_1, 200)
    day.distance[:40] = np.nan
    house.predict(day)
    house.measure()
    (reading,) = house.points("reading", kind="missing")
    assert dict(reading.labels)["column"] == "distance"
    assert reading.value == np.isnan(day.distance).mean()


def test_a_column_half_empty_all_along_is_no_news(house, make_rows):
    before = make_rows(JANUARY, 3_000, hours=24 * 20, seed=5)
    before.distance[::2] = np.nan
    house.refer_to(before)
    day = make_rows(MARCH_1, 200)
    day.distance[::2] = np.nan
    house.predict(day)
    house.measure()
    assert value(house, "missing_share", column="distance") >= 0.5
    assert house.points("reading", kind="missing") == []


def test_a_version_without_a_reference_gets_its_first_days_once_they_are_complete(make_house, make_rows):
    house = make_house(reference={"first_days": 2})
    first, second, third = (make_rows(f"2013-03-0{day}T00:00:00-05:00", 300, seed=day) for day in (1, 2, 3))
    for rows in (first, second):
        house.predict(rows)
        house.label(rows)
        house.measure()
    assert isinstance(house.models.reference(house.version), NotEnoughData)
    unknown = value(house, "drift", window(MARCH_1), column="distance")
    assert isinstance(unknown, NotEnoughData) and "no reference yet" in unknown.reason
    assert value(house, "missing_share", window(MARCH_1), column="distance") == np.isnan(first.distance).mean()

    house.predict(third)
    assert house.measure().references == 1
    reference = house.models.reference(house.version)
    assert (reference.total.n, reference.outcomes.n, len(reference.windows)) == (600, 600, 2)
    assert value(house, "drift", window(MARCH_1), column="distance") == NotEnoughData(
        "this window is part of the reference"
    )
    assert value(house, "drift", window("2013-03-03T00:00:00-05:00"), column="distance") < 0.3
    (entry,) = house.monitor.journal("flights")
    assert entry.evidence.startswith("600 rows, 600 of them labelled")
    assert house.measure().references == 0


def test_the_first_rows_can_be_the_reference(make_house, make_rows):
    house = make_house(reference={"first_rows": 350})
    first, second, third = (make_rows(f"2013-03-0{day}T00:00:00-05:00", 300, seed=day) for day in (1, 2, 3))
    for rows in (first, second, third):
        house.predict(rows)
    house.measure()
    reference = house.models.reference(house.version)
    assert reference.total.n == 350
    assert reference.total.columns["distance"].missing == np.isnan([*first.distance, *second.distance[:50]]).sum()


def test_a_new_reference_restates_drift_of_all_windows(house, make_rows):
    house.refer_to(make_rows(JANUARY, 3_000, hours=24 * 20, seed=5, shift=800.0))
    house.predict(make_rows(MARCH_1, 300))
    house.measure()
    assert value(house, "drift", column="distance") > 0.3
    house.refer_to(make_rows(JANUARY, 3_000, hours=24 * 20, seed=6))
    house.measure()
    assert value(house, "drift", column="distance") < 0.3
