"""Segments are drained as they grow, at their pace and from wherever they lie; what fails is said and tried again."""

from __future__ import annotations

import os
import shutil
import threading

import pytest
from deltalake import DeltaTable
from tests.predictions.house import Entry, House

from gyroscope.clock import SECOND_NS, machine_now
from gyroscope.errors import StoreError
from gyroscope.predictions.recording.heartbeat import REPORT_FILE, read_report, wait_for_recorder
from gyroscope.predictions.segments.log import segment_folder
from gyroscope.predictions.segments.waiting import Segments
from gyroscope.predictions.tables.table import table_path


def test_a_live_segment_is_drained_as_it_grows_and_deleted_when_sealed(house: House, entry: Entry) -> None:
    writer = house.log()
    recorder = house.recorder(commit_every_s=0)
    written = []
    for number in range(3):
        writer.append(entry(number))
        written.append(recorder.run_once())
    assert written == [1, 1, 1]
    assert len(house.segments()) == 1
    assert recorder.run_once() == 0
    writer.close()
    assert recorder.run_once() == 0
    assert house.segments() == []
    assert len(house.rows()) == 3


def test_a_second_recorder_is_refused(house: House) -> None:
    house.recorder()
    with pytest.raises(StoreError, match=f"process {os.getpid()}"):
        house.recorder()


def test_commits_keep_their_pace(house: House, entry: Entry) -> None:
    writer = house.log()
    recorder = house.recorder(commit_every_s=3_600)
    writer.append(entry(1))
    assert recorder.run_once() == 1
    writer.append(entry(2))
    assert recorder.run_once() == 0
    assert recorder._due_ns["flights"] > machine_now()


def test_who_waits_for_it_has_it_record_and_report_at_once(house: House, entry: Entry) -> None:
    writer = house.log()
    recorder = house.recorder(commit_every_s=3_600)
    stop = threading.Event()
    runner = threading.Thread(target=recorder.run_forever, args=(stop,))
    writer.append(entry(1))
    runner.start()
    path, run_dir = house.home / "run" / REPORT_FILE, house.home / "run"
    while (report := read_report(path)) is None or not report.rows:
        stop.wait(0.01)
    writer.append(entry(2))
    wait_for_recorder(run_dir)
    patience = machine_now() + 20_000_000_000
    while (report := read_report(path)) is None or (report.rows < 2 and machine_now() < patience):
        stop.wait(0.01)
    stop.set()
    runner.join(timeout=10)
    assert report.rows == 2


def test_what_fails_keeps_its_pauses_whoever_waits(house: House, entry: Entry) -> None:
    recorder = house.recorder(commit_every_s=3_600)
    recorder.failures["flights"] = "the disk is full"
    recorder._due_ns |= {"flights": 2, "others": 2}
    (house.home / "run").mkdir(parents=True, exist_ok=True)
    wait_for_recorder(house.home / "run")
    recorder._hurry_if_waited_for()
    assert recorder._due_ns == {"flights": 2}


def test_drain_does_not_wait_for_its_turn(house: House, entry: Entry) -> None:
    writer = house.log()
    recorder = house.recorder(commit_every_s=3_600)
    writer.append(entry(1))
    assert recorder.run_once() == 1
    writer.append(entry(2))
    writer.close()
    assert recorder.drain() == 1
    assert house.segments() == []


def test_run_forever_stops_when_told(house: House, entry: Entry) -> None:
    house.write(entry(1))
    recorder = house.recorder()
    stop = threading.Event()
    runner = threading.Thread(target=recorder.run_forever, args=(stop,))
    runner.start()
    while house.table.version() < 0:
        stop.wait(0.01)
    stop.set()
    runner.join(timeout=10)
    assert not runner.is_alive()


def test_a_table_that_cannot_be_written_loses_nothing(house: House, entry: Entry) -> None:
    house.write(entry(1))
    house.home.mkdir(parents=True, exist_ok=True)
    (house.home / "tables").write_text("in the way")
    recorder = house.recorder(commit_every_s=0)
    assert recorder.run_once() == 0
    assert "the table cannot be" in recorder.failures["flights"]
    (house.home / "tables").unlink()
    assert recorder.run_once() == 1
    assert len(house.rows()) == 1


def test_each_failure_in_a_row_waits_twice_as_long_up_to_a_bound(house: House, entry: Entry) -> None:
    house.write(entry(1))
    house.home.mkdir(parents=True, exist_ok=True)
    (house.home / "tables").write_text("in the way")
    recorder = house.recorder(commit_every_s=1)
    waits = []
    for _ in range(6):
        recorder._due_ns.clear()
        recorder.run_once()
        waits.append(round((recorder._due_ns["flights"] - machine_now()) / SECOND_NS))
    assert waits == [1, 2, 4, 8, 8, 8]
    (house.home / "tables").unlink()
    assert recorder.drain() == 1
    (house.home / "tables").rename(house.home / "moved")
    (house.home / "tables").write_text("in the way again")
    house.write(entry(2))
    recorder._due_ns.clear()
    recorder.run_once()
    assert round((recorder._due_ns["flights"] - machine_now()) / SECOND_NS) == 1, "success forgets"


def test_offsets_are_found_behind_commits_of_others(house: House, entry: Entry) -> None:
    """A visitor's commits carry no offsets, and may be many."""
    live = house.log()
    live.append(entry(1))
    house.record()
    for days in range(25):
        DeltaTable(table_path(house.home, "flights")).alter.set_table_properties(
            {"delta.logRetentionDuration": f"interval {days + 60} days"}
        )
    live.append(entry(2))
    assert house.record() == 1
    assert len(house.rows()) == 2


def test_both_places_of_segments_are_drained(house: House, entry: Entry) -> None:
    """Those on tmpfs and those that had to be on a disk."""
    house.write(entry(1))
    house.write(entry(2))
    durable = segment_folder(house.home, "flights")
    durable.mkdir(parents=True)
    shutil.move(house.segments()[0], durable)
    assert house.record() == 2
    assert (house.segments(), list(durable.iterdir())) == ([], [])


def test_a_long_backlog_is_recorded_in_bounded_batches(
    house: House, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Smaller than a segment and than its largest record; without waiting for the next second in between."""
    monkeypatch.setattr("gyroscope.predictions.recording.drain.Segments", lambda folders: Segments(folders, 2_000))
    for start in (0, 50):
        house.write(*[entry(number, rows=1 + 100 * (number == 55)) for number in range(start, start + 50)])
    recorder = house.recorder(commit_every_s=3_600)
    rows = 0
    for _ in range(40):
        rows += recorder.run_once()
    assert (rows, house.segments(), recorder.failures) == (200, [], {})
    assert len({row[0] for row in house.rows()}) == 100
    assert recorder.report().damage == {"flights": 0}


def test_the_recorder_says_how_it_goes(house: House, entry: Entry) -> None:
    house.write(entry(1))
    recorder = house.recorder()
    stop = threading.Event()
    runner = threading.Thread(target=recorder.run_forever, args=(stop,))
    runner.start()
    path = house.home / "run" / REPORT_FILE
    while (report := read_report(path)) is None or not report.rows:
        stop.wait(0.01)
    stop.set()
    runner.join(timeout=10)
    assert (report.rows, report.failures, report.damage) == (1, {}, {"flights": 0})
    assert report.lag_s["flights"] < 60
    assert path.stat().st_mode & 0o777 == 0o600
