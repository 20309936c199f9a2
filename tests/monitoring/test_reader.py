"""Files that come, go and are rewritten: windows are restated exactly, and what was deleted keeps what was measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from deltalake import DeltaTable
from tests.monitoring.said import JANUARY, MARCH_1, MARCH_2, everything

from gyroscope.clock import DAY_US, SECOND_US, EventTime, MachineTime, wall_now
from gyroscope.monitoring import Monitor, Stores
from gyroscope.predictions.keeping.retention import Keeping
from gyroscope.predictions.keeping.upkeep import Upkeep
from gyroscope.predictions.tables.dropped import Dropped, note_dropped
from gyroscope.predictions.tables.table import Table, table_path


def compact(house, *, sweep=True):
    """Small files become one, and those that are no longer named are deleted at once."""
    path = table_path(house.home, "flights")
    before = {Path(file.path) for file in Table(path).files()}
    DeltaTable(str(path)).optimize.compact()
    if sweep:
        for gone in before - {Path(file.path) for file in Table(path).files()}:
            gone.unlink()


def drop_day(house, day):
    note_dropped(house.home, "flights", Dropped(day, 0, 0, "age", EventTime(0)))
    DeltaTable(str(table_path(house.home, "flights"))).delete(f"day = '{day}'")


def test_compacted_files_change_no_window(house, make_rows):
    day = make_rows(MARCH_1, 90)
    for part in range(3):
        house.predict(day, places=range(30 * part, 30 * part + 30))
    house.label(day)
    house.measure()
    before = everything(house)
    assert len(house.table("flights").files()) == 3
    compact(house)
    done = house.measure()
    assert (done.files, done.windows) == (4, 0)
    assert everything(house) == before
    house.label_again(day)
    house.measure()
    assert everything(house) == before


@pytest.mark.parametrize("when", ["folded", "tallied"])
def test_files_that_vanish_while_they_are_read_are_looked_for_anew(house, make_rows, when):
    """What compaction does between the list of files and their reading; nothing is missing or counted twice."""

    class Racing(Table):
        races = 1

        def kinds_of(self, files):
            if Racing.races and (when == "folded") == (not house.values("predictions")):
                Racing.races = 0
                compact(house)
            return super().kinds_of(files)

    cache = house.home / "monitoring.db"
    tables = lambda model: Racing(table_path(house.home, model))  # noqa: E731
    house.monitor = Monitor(house.settings, Stores(house.models, tables, house.labels, house.signals, cache))
    day = make_rows(MARCH_1, 90)
    for part in range(3):
        house.predict(day, places=range(30 * part, 30 * part + 30))
    house.label(day, range(60))
    house.measure()
    house.label(day, range(60, 90))
    house.measure()
    assert Racing.races == 0
    assert (house.values("predictions"), house.values("label_count")) == ([90], [90])
    assert len(house.table("flights").files()) == 1


def test_erased_rows_leave_their_windows(house, make_rows):
    day = make_rows(MARCH_1, 90)
    house.predict(day)
    house.label(day)
    house.measure()
    DeltaTable(str(table_path(house.home, "flights"))).delete(f"request_id = '{day.ids[3]}'")
    house.measure()
    assert (house.values("predictions"), house.values("label_count")) == ([89], [89])


def test_a_day_that_was_deleted_keeps_what_was_measured(house, make_rows):
    first, second = make_rows(MARCH_1, 90), make_rows(MARCH_2, 60)
    for rows in (first, second):
        house.predict(rows)
        house.label(rows, range(50))
    house.measure()
    before = everything(house)
    months = house.monitor.months("flights", house.version.version)
    drop_day(house, "2013-03-01")
    assert house.measure().windows == 0
    house.label(first, range(50, 90))  # their rows are gone: nobody can say any more what they were about
    house.measure()
    assert everything(house) == before
    assert house.monitor.months("flights", house.version.version) == months
    house.monitor = house.new_monitor()
    house.label_again(second)
    house.measure()
    assert [point.value for point in house.points("predictions")] == [90, 60]


def test_a_new_reference_leaves_days_that_were_deleted_as_they_were(house, make_rows):
    house.refer_to(make_rows(JANUARY, 3_000, hours=24 * 20, seed=5, shift=800.0))
    house.predict(make_rows(MARCH_1, 300))
    house.predict(make_rows(MARCH_2, 300, seed=1))
    house.measure()
    first, second = house.values("drift", column="distance")
    drop_day(house, "2013-03-01")
    house.measure()
    house.refer_to(make_rows(JANUARY, 3_000, hours=24 * 20, seed=6))
    house.measure()
    assert house.values("drift", column="distance")[0] == first
    assert house.values("drift", column="distance")[1] < second


def test_a_file_that_vanishes_without_a_word_restates_its_window(house, make_rows):
    """The control of the test before: a day that nobody noted as dropped is empty now."""
    house.predict(make_rows(MARCH_1, 90))
    house.measure()
    DeltaTable(str(table_path(house.home, "flights"))).delete("day = '2013-03-01'")
    house.measure()
    assert house.values("predictions") == [0]


def test_sampled_rows_count_as_often_as_they_stand_for(house, make_rows):
    """Every tenth of 600 rows kept, and all errors: volume and shares are those of all."""
    day, failed = make_rows(MARCH_1, 600), make_rows(MARCH_1, 12, seed=1)
    house.predict(day, places=range(0, 600, 10), weight=10)
    house.predict(failed, status=500)
    house.label(day, range(0, 600, 20))
    house.measure()
    assert house.values("predictions") == [600]
    (errors,) = house.points("error_share")
    assert errors.value == 12 / 612
    assert errors.n == round(612**2 / (60 * 100 + 12))
    (positives,) = house.points("positive_share")
    assert (positives.value, positives.n) == ((day.outputs[::10] >= 0.3).mean(), 60)
    assert house.values("label_count") == [300]
    assert house.values("label_coverage") == [0.5]
    (accuracy,) = house.points("performance", metric="accuracy")
    assert accuracy.value == ((day.outputs >= 0.3) == day.labels)[::20].mean()
    assert accuracy.n == 30


def test_what_shadows_say_is_judged_and_is_no_volume(house, make_rows):
    other, day = house.add_version(), make_rows(MARCH_1, 60)
    house.predict(day, record=False)
    house.predict(day, version=other, variant="shadow")
    house.label(day)
    house.measure()
    live, shadow = house.version.version, other.version
    assert house.values("predictions", version=live) == [60]
    assert house.values("predictions", version=shadow) == [0]
    assert house.values("shadow_predictions") == [60]
    assert house.values("label_count", version=shadow) == [60]
    assert house.values("performance", version=shadow, metric="accuracy") == house.values(
        "performance", version=live, metric="accuracy"
    )


def test_lags_are_counted_from_the_prediction_to_what_the_label_says(house, make_rows):
    day = make_rows(MARCH_1, 90)
    house.predict(day)
    house.label_at(day, day.times + 3_600 * SECOND_US)
    house.measure()
    for quantile in ("0.5", "0.95"):
        assert house.values("label_lag_s", quantile=quantile) == [pytest.approx(3_600, rel=0.01)]
    assert house.values("labels_mature") == [1.0]


def test_first_labels_that_are_not_like_the_rest_are_a_reading_until_the_rest_is_there(house, make_rows):
    """Ten days on which the labels of wrong answers came a day later, and one of which only the first are there."""
    days = [make_rows(f"2013-02-{number:02}T00:00:00-05:00", 1_000, seed=number) for number in range(1, 12)]
    is_wrong = [(rows.outputs >= 0.3) != rows.labels for rows in days]
    for rows, wrong in zip(days, is_wrong, strict=True):
        house.predict(rows)
        if rows is not days[-1]:
            house.label_at(rows, rows.times + SECOND_US * 3_600 * (1 + 30 * wrong))
    now, last = EventTime(int(days[-1].times[-1])), days[-1]
    house.label_at(last, last.times + SECOND_US * 3_600, places=np.flatnonzero(~is_wrong[-1]).tolist())
    house.measure(now)
    (reading,) = house.points("reading", kind="labels")
    assert reading.at == house.points("predictions")[-1].at
    assert house.points("performance", metric="accuracy")[-1].value == 1.0
    right = 1 - is_wrong[-1].mean()
    low, high = (house.points(name, metric="accuracy")[-1].value for name in ("performance_low", "performance_high"))
    assert low == pytest.approx(right, abs=1e-12) and high == 1.0
    assert house.points("labels_mature")[-1].value == 0.0
    house.label_at(last, last.times + SECOND_US * 3_600 * (1 + 30 * is_wrong[-1]))
    house.measure(now)
    assert house.points("reading", kind="labels") == []
    assert house.points("labels_mature")[-1].value == 1.0
    for name in ("performance_low", "performance_high"):
        assert house.points(name, metric="accuracy")[-1].value == pytest.approx(right, abs=1e-12)


def test_what_the_recorder_keeps_up_changes_no_number(house, make_rows):
    """Its own merging, then its own deletion of days by age."""
    first, second = make_rows(MARCH_1, 90), make_rows(MARCH_2, 60)
    for part in range(3):
        house.predict(first, places=range(30 * part, 30 * part + 30))
        house.predict(second, places=range(20 * part, 20 * part + 20))
    for rows in (first, second):
        house.label(rows, range(50))
    house.measure()
    before, wall = everything(house), EventTime(wall_now() + DAY_US)
    for limits, files in (({}, 2), ({"default_days": 30}, 0)):
        upkeep = Upkeep(house.home, Keeping(**limits), lambda _: house.settings.timezone)
        while upkeep.step("flights", MachineTime(0), wall):
            pass
        upkeep.close()
        assert len(house.table("flights").files()) == files
        assert house.measure().windows == 0
        assert everything(house) == before
