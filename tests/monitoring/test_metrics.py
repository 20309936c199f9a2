"""What the monitor says of a window equals scikit-learn on the joined rows, whatever the window is."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk
from tests.monitoring.conftest import ZONE
from tests.monitoring.said import JANUARY, MARCH_1, MARCH_2, SPRING, expected_binary, value, window

from gyroscope.clock import EventTime
from gyroscope.monitoring import window_of
from gyroscope.records import NotEnoughData, Window
from gyroscope.stats.performance import auc_bound


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
