"""The monitor on real tables and labels: what it says equals scikit-learn on the joined rows, and restates exactly."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from sklearn import metrics as sk

from gyroscope.clock import DAY_US, EventTime, parse_event_time
from gyroscope.monitoring import measure, window_of
from gyroscope.records import Feature, NotEnoughData, Window
from gyroscope.settings import DistanceName
from gyroscope.stats.drift import PLAIN
from gyroscope.stats.performance import auc_bound

ZONE = "America/New_York"
MARCH_1, MARCH_2 = "2013-03-01T00:00:00-05:00", "2013-03-02T00:00:00-05:00"
SPRING = "2013-03-10T00:00:00-05:00"
JANUARY = "2013-01-01T00:00:00-05:00"


def window(start, length="1d"):
    return window_of(parse_event_time(start), length, ZONE)


def everything(house):
    return {name: house.points(name) for name in house.signals.names() if house.points(name)}


def value(house, name, at=None, **labels):
    (found,) = house.values(name, at, **labels)
    return found


def expected_binary(rows, places, threshold=0.3):
    y, p = rows.labels[places], rows.outputs[places]
    said = p >= threshold
    return {
        "accuracy": sk.accuracy_score(y, said),
        "precision": sk.precision_score(y, said),
        "recall": sk.recall_score(y, said),
        "f1": sk.f1_score(y, said),
        "brier": sk.brier_score_loss(y, p),
        "log_loss": sk.log_loss(y, p),
        "positives": y.mean(),
    }


def test_binary_metrics_equal_scikit_learn_on_the_joined_rows(house, make_rows):
    day, labelled = make_rows(MARCH_1, 900), range(700)
    house.predict(day)
    house.label(day, labelled)
    house.measure()
    for metric, expected in expected_binary(day, labelled).items():
        assert value(house, "performance", metric=metric) == pytest.approx(expected, rel=1e-12), metric
    outcomes = house.monitor.outcomes("flights", house.version.version, EventTime(0), window(MARCH_2).end)
    exact = sk.roc_auc_score(day.labels[labelled], day.outputs[labelled])
    assert abs(value(house, "performance", metric="auc") - exact) <= auc_bound(outcomes)
    assert value(house, "label_coverage") == 700 / 900
    assert value(house, "label_count") == 700


def test_multiclass_metrics_equal_scikit_learn(make_house, make_rows):
    house, day = make_house("multiclass"), make_rows(MARCH_1, 400, task="multiclass")
    house.predict(day)
    house.label(day)
    house.measure()
    y, said = day.labels, day.outputs.argmax(axis=1)
    assert value(house, "performance", metric="accuracy") == sk.accuracy_score(y, said)
    assert value(house, "performance", metric="f1_macro") == pytest.approx(sk.f1_score(y, said, average="macro"))
    assert value(house, "performance", metric="log_loss") == pytest.approx(sk.log_loss(y, day.outputs))
    means = [value(house, "output_mean", **{"class": name}) for name in ("AA", "UA", "B6")]
    assert means == pytest.approx(day.outputs.mean(axis=0))
    assert house.points("positive_share") == []


def test_regression_metrics_equal_scikit_learn(make_house, make_rows):
    house, day = make_house("regression"), make_rows(MARCH_1, 400, task="regression")
    house.predict(day)
    house.label(day)
    house.measure()
    y, said = day.labels, day.outputs
    assert value(house, "performance", metric="mae") == pytest.approx(sk.mean_absolute_error(y, said), rel=1e-12)
    assert value(house, "performance", metric="rmse") == pytest.approx(sk.root_mean_squared_error(y, said), rel=1e-12)
    assert value(house, "performance", metric="r2") == pytest.approx(sk.r2_score(y, said), rel=1e-9)


def test_only_answered_rows_with_status_200_are_scored_and_all_answered_ones_count_for_errors(house, make_rows):
    day, failed = make_rows(MARCH_1, 90), make_rows(MARCH_1, 10, seed=1)
    house.predict(day)
    house.predict(failed, status=500)
    house.measure()
    assert value(house, "predictions") == 90
    (share,) = house.points("error_share")
    assert (share.value, share.n) == (0.1, 100)
    (missing,) = house.points("missing_share", column="distance")
    assert missing.n == 90


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
    house.predict(day)
    house.label(day)
    house.measure()
    before = everything(house)
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


def test_a_day_of_23_hours_is_one_window_and_keeps_its_rows(house, make_rows):
    day = make_rows(SPRING, 230, hours=23)
    after = make_rows("2013-03-11T00:00:00-04:00", 50)
    house.predict(day)
    house.predict(after)
    house.measure()
    spring = window(SPRING)
    assert (spring.end - spring.start) == 23 * 3_600_000_000
    assert [point.value for point in house.points("predictions")] == [230, 50]
    assert house.points("predictions")[0].at == spring.start


@pytest.mark.parametrize(("length", "count"), [("1h", 23), ("6h", 4), ("7d", 1)])
def test_other_windows_cut_the_same_rows(make_house, make_rows, length, count):
    house, day = make_house(window=length), make_rows(SPRING, 2_000, hours=23)
    house.predict(day)
    house.label(day)
    house.measure()
    points = house.points("predictions")
    assert (len(points), sum(point.value for point in points)) == (count, 2_000)
    for point in points:
        one = window_of(point.at, length, ZONE)
        places = np.flatnonzero((day.times >= one.start) & (day.times < one.end))
        accuracy = value(house, "performance", Window(one.start, one.end), metric="accuracy")
        assert accuracy == expected_binary(day, places)["accuracy"]


def test_an_empty_window_is_not_known_and_never_zero(house):
    house.measure()
    assert house.signals.names() == []
    outcomes = house.monitor.outcomes("flights", house.version.version, EventTime(0), EventTime(1))
    assert outcomes == NotEnoughData("no rows in this stretch")


def test_too_few_rows_and_missing_labels_are_said(house, make_rows):
    house.refer_to(make_rows(JANUARY, 3_000, hours=24 * 20, seed=5))
    day = make_rows(MARCH_1, 29)
    house.predict(day)
    house.measure()
    assert value(house, "drift", column="distance") == NotEnoughData("29 rows; 30 are needed")
    assert value(house, "performance", metric="accuracy") == NotEnoughData("0 labelled rows; 30 are needed")
    assert value(house, "label_coverage") == 0.0


def test_months_add_up_exactly(house, make_rows):
    days = [make_rows(f"2013-03-{day:02}T00:00:00-05:00", 50, seed=day) for day in (1, 2, 9)]
    april = make_rows("2013-04-01T00:00:00-04:00", 40)
    for rows in (*days, april):
        house.predict(rows)
        house.label(rows, range(0, len(rows), 1))
    house.measure()
    march, after = house.monitor.months("flights", house.version.version)
    assert [(m.month, m.predictions, m.labelled) for m in (march, after)] == [
        ("2013-03", 150, 150),
        ("2013-04", 40, 40),
    ]
    y = np.concatenate([rows.labels for rows in days])
    p = np.concatenate([rows.outputs for rows in days])
    assert march.metrics["accuracy"].value == sk.accuracy_score(y, p >= 0.3)
    assert march.metrics["brier"].value == pytest.approx(sk.brier_score_loss(y, p), rel=1e-12)


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


def test_after_a_restart_nothing_is_read_twice_and_the_numbers_stay(house, make_rows):
    day = make_rows(MARCH_1, 100)
    house.predict(day)
    house.label(day)
    house.measure()
    before = everything(house)
    house.monitor = house.new_monitor()
    done = house.measure()
    assert (done.files, done.windows) == (0, 0)
    house.label_again(day)
    assert house.measure().windows <= 1
    assert everything(house) == before


def test_a_lost_cache_costs_time_and_no_number(house, make_rows):
    house.refer_to(make_rows(JANUARY, 3_000, hours=24 * 20, seed=5))
    day = make_rows(MARCH_1, 100)
    house.predict(day)
    house.label(day)
    house.measure()
    before = everything(house)
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
