"""Entered windows: in memory as on disk, once each, and gone with the normal they were held against."""

from __future__ import annotations

from gyroscope.clock import DAY_US, EventTime
from gyroscope.monitoring.judging.entered import Entered, Entry
from gyroscope.records import Window


def entry(day: int) -> Entry:
    return Entry(Window(EventTime(day * DAY_US), EventTime((day + 1) * DAY_US)), 100, {"x:location": (0.1 * day, 0.01)})


def test_memory_and_disk_hold_the_same_in_order_of_time(tmp_path):
    entered = Entered(tmp_path / "monitoring.db")
    entered.add("m", "1", "basis", "rows", [entry(1), entry(2)])
    entered.add("m", "1", "basis", "rows", [entry(4), entry(3)])
    again = Entered(tmp_path / "monitoring.db")
    assert entered.entries("m", "1", "basis", "rows") == [entry(day) for day in (1, 2, 3, 4)]
    assert again.entries("m", "1", "basis", "rows") == entered.entries("m", "1", "basis", "rows")
    assert again.starts("m", "1", "basis", "labels") == []


def test_the_very_same_entries_come_back_each_time(tmp_path):
    entered = Entered(tmp_path / "monitoring.db")
    entered.add("m", "1", "basis", "rows", [entry(1)])
    (first,) = entered.entries("m", "1", "basis", "rows")
    entered.add("m", "1", "basis", "rows", [entry(2)])
    assert entered.entries("m", "1", "basis", "rows")[0] is first


def test_another_normal_drops_what_was_held_against_the_old_one(tmp_path):
    entered = Entered(tmp_path / "monitoring.db")
    entered.add("m", "1", "old", "rows", [entry(1)])
    entered.add("m", "2", "old", "rows", [entry(1)])
    entered.keep_only("m", "1", "new")
    for one in (entered, Entered(tmp_path / "monitoring.db")):
        assert one.entries("m", "1", "old", "rows") == []
        assert one.entries("m", "2", "old", "rows") == [entry(1)]
