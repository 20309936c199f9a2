"""What a training would be given: days that changed are read again, no other, and the sums are those of all rows."""

from __future__ import annotations

import msgspec

from gyroscope.assembly import House
from gyroscope.assembly.labelled import Data, LabelledDays
from gyroscope.clock import EventTime
from gyroscope.predictions.tables.table import FIRST_TIME
from gyroscope.records import Cause, Judged, Label

LATER = EventTime(10**15)
HOUR_US = 3_600_000_000


def afresh(house: House) -> Data:
    return LabelledDays(house, "flights").data()


def test_only_days_that_changed_are_read_again(lived, read):
    lived.fill().close()
    days = LabelledDays(lived.house, "flights")
    whole = days.data()
    assert (whole.rows, sorted(read)) == (50, ["2013-03-01", "2013-03-02", "2013-03-03"])
    read.clear()
    assert days.data() == whole
    assert read == []

    lived.house.labels.add("flights", [Label("r-000030", 0.0)], LATER)
    corrected = days.data()
    assert read == ["2013-03-02"], "its label was corrected"
    assert corrected == afresh(lived.house)
    assert corrected.rows == whole.rows
    assert corrected.digest != whole.digest

    read.clear()
    lived.record()
    lived.house.labels.settle("flights", LATER)
    more = days.data()
    assert read == ["2013-03-03"], "rows 50 to 59 came"
    assert more == afresh(lived.house)
    assert more.rows == 60
    assert more.newest > whole.newest


def test_what_was_broken_is_left_out_of_days_that_are_known(lived):
    lived.fill().close()
    days = LabelledDays(lived.house, "flights")
    whole = days.data()
    start = EventTime(whole.first + 10 * HOUR_US)
    made = {"model": "flights", "version": lived.version.version, "kind": "quality", "reason": "", "subjects": ("x",)}
    over = Cause(**made, since=start, seen=start, ended=EventTime(start + 5 * HOUR_US))
    lived.house.incidents.take("flights", Judged((over,), {}, HOUR_US, EventTime(0)))
    left = days.data()
    assert left == afresh(lived.house)
    assert left.rows == 45


def test_the_rows_of_a_training_are_those_that_the_loop_knows_of(lived):
    live = lived.fill()
    days = LabelledDays(lived.house, "flights")
    table, data = days.rows()
    assert data == days.data()
    assert table.column_names == ["event_time", "distance", "carrier", "weight", "label"]
    assert table.column("distance").to_pylist() == [float(at) for at in range(50)]
    lived.house.labels.add("flights", [Label("r-000030", 0.0)], LATER)
    assert days.rows()[1].digest != data.digest
    live.close()


def test_without_a_label_there_are_no_rows(lived):
    live = lived.log()
    lived.predict(live, 1)
    live.close()
    lived.record()
    table, data = LabelledDays(lived.house, "flights").rows()
    assert (table.num_rows, data.rows) == (0, 0)
    assert data == afresh(lived.house)


def test_a_span_moves_on_with_the_newest_row(lived, read):
    settings = lived.house.settings_path
    retrain = "models: {flights: {retrain: {train: 'train.py:train', span_days: 2}}}\n"
    settings.write_text(settings.read_text() + retrain)
    house = House(settings)
    live = lived.fill()
    days = LabelledDays(house, "flights")
    assert days.data().rows == 48, "newer than two days before the newest"
    lived.predict(live, 100)
    live.close()
    lived.house.labels.add("flights", [Label("r-000100", 1.0)], LATER)
    lived.record()
    lived.house.labels.settle("flights", LATER)
    read.clear()
    later = days.data()
    assert later.rows == len([*range(53, 60), 100])
    assert later == afresh(house)
    assert "2013-03-01" not in read


def test_days_whose_files_are_gone_by_then_have_no_rows(lived):
    lived.fill().close()
    days = LabelledDays(lived.house, "flights")
    assert days._read(["2012-01-01"], days._query(FIRST_TIME, "")) == {}


def test_labels_of_other_classes_are_read_again(lived, read, monkeypatch):
    lived.fill().close()
    days = LabelledDays(lived.house, "flights")
    days.data()
    read.clear()
    signature = msgspec.structs.replace(lived.version.signature, classes=("late", "on time"))
    monkeypatch.setattr(House, "signature_of", lambda self, model: signature)
    days.data()
    assert sorted(set(read)) == ["2013-03-01", "2013-03-02", "2013-03-03"]


def test_where_nothing_was_recorded_nothing_is_known(lived):
    assert afresh(lived.house) == Data()
