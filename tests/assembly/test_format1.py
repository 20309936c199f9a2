"""A home that format 1 wrote is opened by today's code: nothing is lost, and everything goes on.

The fixture was made by the released format 1 (see tests/fixtures/format1/README.md) and never changes.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.assembly.conftest import record

from gyroscope.assembly import House
from gyroscope.assembly.backup import backup
from gyroscope.assembly.restore import restore
from gyroscope.assembly.verifying import verify_home
from gyroscope.clock import DAY_US, EventTime, parse_event_time, wall_now
from gyroscope.predictions.keeping.retention import Keeping
from gyroscope.predictions.keeping.upkeep import Upkeep
from gyroscope.predictions.recording.recorder import Recorder
from gyroscope.predictions.segments.file import segment_folder
from gyroscope.predictions.segments.log import PredictionLog
from gyroscope.predictions.segments.wal import LogEntry
from gyroscope.records import Label

FIXTURE = Path(__file__).parents[1] / "fixtures" / "format1" / "home.tar.gz"
LABELS = {"joined": 100, "pending": 2, "quarantined": 1, "duplicate": 10, "superseded": 4, "refused": 1}
FAR_FUTURE = parse_event_time("2030-01-01")


@pytest.fixture
def old(tmp_path: Path) -> Iterator[House]:
    with tarfile.open(FIXTURE) as tar:
        tar.extractall(tmp_path, filter="data")
    settings = "home: home\nruntime_dir: run\nmonitoring: {timezone: America/New_York}\n"
    (tmp_path / "gyroscope.yaml").write_text(settings)
    house = House(tmp_path / "gyroscope.yaml")
    house.make_folders()
    yield house
    house.labels.close()
    house.signals.close()


def rows(house: House, *columns: str) -> list[tuple[object, ...]]:
    table = house.table("flights")
    found = [table.read(file, columns) for file in table.files()]
    return [row for part in found for row in zip(*(part[name].tolist() for name in columns), strict=True)]


def write(house: House, request_id: str, event_time: int, value: float = 500.0) -> None:
    version = house.models.versions("flights")[0]
    log = PredictionLog(segment_folder(house.runtime, "flights"), f"flights-{version.version}-0", version)
    entry = LogEntry(request_id, event_time, int(wall_now()), 1_000, 200)
    entry.matrix, entry.outputs = np.array([[value, 1.0, 7.0]]), np.array([[0.25]])
    assert log.append(entry) == "os"
    log.close()


def test_every_row_reads_as_it_was_written(old):
    found = rows(old, "request_id", "attempt", "answered", "status", "output_0", "feature_carrier")
    assert len(found) == 128
    assert sum(1 for row in found if row[3] == 500) == 3
    assert sum(1 for row in found if row[2]) == 123, "five were asked again"
    assert {row[5] for row in found if row[3] == 200} <= {"AA", "UA", "B6", None}
    assert verify_home(old.home, old.runtime).is_well


def test_labels_keep_their_states_and_balance(old):
    assert old.labels.counts("flights") == LABELS
    ids, _, values = old.labels.of_day("flights", "2013-01-01")
    assert len(ids) == len(values) > 40
    assert [reason for _, _, reason in old.labels.refused("flights")] == ["'x' is not a number"]
    assert verify_home(old.home, old.runtime).is_well
    again = House(old.settings_path)
    assert again.labels.counts("flights") == LABELS, "carried over once"
    again.labels.close()


def test_what_came_later_still_wins_over_what_came_earlier(old):
    twin = old.labels.add("flights", [Label("2013-01-01-1-20", 1.0), Label("2013-01-01-1-20", 0.0)], FAR_FUTURE)
    assert sum(twin.counts.values()) == 2 and twin.counts["refused"] == 0
    again = old.labels.add("flights", [Label("early-1", 1.0)], FAR_FUTURE)
    assert again.counts["duplicate"] == 1, "the same statement is known"
    after = old.labels.counts("flights")
    assert sum(after.values()) == sum(LABELS.values()) + 3
    assert verify_home(old.home, old.runtime).is_well


def test_recording_goes_on_and_a_retry_finds_its_earlier_attempt(old):
    columns = ("request_id", "attempt", "answered")
    before = {(one, attempt): answered for one, attempt, answered in rows(old, *columns)}
    at = next(at for one, at in rows(old, "request_id", "event_time") if one == "2013-01-01-1-30")
    write(old, "early-1", int(at))
    write(old, "2013-01-01-1-30", int(at))
    assert record(old) == 2
    found = rows(old, "request_id", "attempt", "variant", "weight")
    assert len(found) == 130
    assert {row[0]: row[1:] for row in found if row[0] == "early-1"} == {"early-1": (1, "live", 1)}
    numbers = sorted(row[1] for row in found if row[0] == "2013-01-01-1-30")
    assert numbers == [1, 2], "the index of ids was made again from the table"
    assert before[("2013-01-01-1-30", 1)] is True
    old.labels.settle("flights", FAR_FUTURE)
    assert old.labels.counts("flights")["joined"] == 101, "the label that waited has its prediction"
    assert verify_home(old.home, old.runtime).is_well


def test_signals_routes_and_versions_stay(old):
    names = old.signals.names()
    assert {"performance", "drift", "predictions", "label_coverage"} <= set(names)
    points = old.signals.query("predictions", {"model": "flights"}, EventTime(0), FAR_FUTURE)
    assert [point.value for point in points] != []
    version = old.models.versions("flights")[0]
    assert old.routes.routes("flights")[0].version == version.version
    assert old.models.artifact(version).entry == "tiny:Model"
    assert old.routes.replicas("flights", old.settings) == 2


def test_windows_are_measured_again_to_the_same_numbers(old):
    wanted = {
        (point.at, point.labels): point.value
        for point in old.signals.query("performance", {"model": "flights"}, EventTime(0), FAR_FUTURE)
    }
    old.labels.add("flights", [Label("2013-01-01-1-110", 1.0)], FAR_FUTURE)
    record(old)
    done = old.monitor.run_once(FAR_FUTURE, final=True)
    assert done.failures == {}
    found = {
        (point.at, point.labels)
        for point in old.signals.query("performance", {"model": "flights"}, EventTime(0), FAR_FUTURE)
    }
    assert set(wanted) <= found, "no window that was measured is lost"


def test_its_windows_are_folded_anew_once(old):
    assert old.monitor.run_once(FAR_FUTURE, final=True).files == len(old.table("flights").files())
    old.monitor.close()
    again = House(old.settings_path)
    done = again.monitor.run_once(FAR_FUTURE, final=True)
    assert (done.files, done.windows, done.failures) == (0, 0, {})
    again.monitor.close()
    again.signals.close()


def test_old_files_are_merged_with_new_ones(old):
    at = next(at for one, at in rows(old, "request_id", "event_time") if one == "2013-01-01-1-30")
    write(old, "new", int(at))
    record(old)
    before = sorted(row[0] for row in rows(old, "request_id"))
    upkeep = Upkeep(old.home, Keeping(), old.zone_of)
    while upkeep.step("flights", 0, EventTime(wall_now() + DAY_US)):
        pass
    assert len(old.table("flights").files()) == 3
    assert sorted(row[0] for row in rows(old, "request_id")) == before
    assert {row[1] for row in rows(old, "request_id", "variant") if row[0] == "new"} == {"live"}
    recorder = Recorder(old.home, old.runtime, old.models.get, old.zone_of, commit_every_s=0, upkeep=upkeep)
    write(old, "newer", int(at))
    assert recorder.run_once() == 1
    recorder.close()


def test_it_can_be_backed_up_and_restored(old, tmp_path):
    backup(old, tmp_path / "old.tar.gz")
    home = tmp_path / "new"
    restore(tmp_path / "old.tar.gz", home)
    assert verify_home(home, home).is_well


def test_a_killed_migration_of_labels_begins_again(old, monkeypatch):
    from gyroscope.predictions.labels import migration as label_migration

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(label_migration.file, "mark_days", die)
    with pytest.raises(KeyboardInterrupt):
        House(old.settings_path).labels  # noqa: B018
    monkeypatch.undo()
    assert old.labels.counts("flights") == LABELS
