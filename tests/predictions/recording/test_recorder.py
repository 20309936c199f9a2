"""Segments become rows exactly once, whatever dies when."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import threading

import msgspec
import numpy as np
import pytest
from deltalake import DeltaTable
from tests.predictions.house import Entry, House

from gyroscope.clock import SECOND_NS, day_of, machine_now
from gyroscope.errors import ModelError, StoreError
from gyroscope.predictions.ids.index import MANIFEST, IdIndex, ids_path
from gyroscope.predictions.recording.heartbeat import REPORT_FILE, read_report
from gyroscope.predictions.segments.log import segment_folder
from gyroscope.predictions.segments.waiting import Segments
from gyroscope.predictions.segments.wal import SEAL, SEGMENT_HEAD, LogEntry, seal
from gyroscope.predictions.tables.commits import OFFSETS
from gyroscope.predictions.tables.table import table_path
from gyroscope.records import Feature, Signature, Version

KILLED_RECORDER = textwrap.dedent(
    """
    import msgspec, os, signal, sys
    from pathlib import Path
    from gyroscope.predictions.tables import commits
    from gyroscope.predictions.recording import drain
    from gyroscope.predictions.ids import index as ids
    from gyroscope.predictions.recording import recorder
    from gyroscope.records import Version

    home, runtime, step, version = sys.argv[1:]
    version = msgspec.json.decode(version, type=Version)
    zone = "America/New_York"

    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    def around(owner, name, when):
        real = getattr(owner, name)
        def replaced(*args):
            if when == "before": die()
            real(*args)
            die()
        setattr(owner, name, replaced)

    owner, name, when = step.split()
    around({"Commits": commits.Commits, "IdIndex": ids.IdIndex, "Drain": drain.Drain}[owner], name, when)
    made = recorder.Recorder(Path(home), Path(runtime), lambda *_: version, lambda _: zone, commit_every_s=0)
    while made.run_once():
        pass
    """
)
STEPS = [
    "Commits append before",
    "Commits append after",
    "IdIndex take_in_entries before",
    "IdIndex take_in_entries after",
    "Commits amend before",
    "Commits amend after",
    "Drain _delete before",
]


def test_rows_are_typed_and_fall_on_the_day_of_their_zone(house: House, entry: Entry) -> None:
    writer = house.log()
    before, after = entry(1, at=1362114000000000 - 1), entry(2, at=1362114000000000, client_id="c", entity_key="N1")
    after.matrix[0, :] = np.nan
    strange = entry(3, rows=2)
    strange.unseen = [(1, 1, "ZZ")]
    for some in (before, after, strange):
        writer.append(some)
    assert house.record() == 4
    columns = "row, day, feature_distance, feature_carrier, feature_hour, feature_is_weekend, output_0"
    assert house.rows(columns) == [
        (0, "2013-02-28", 1.5, "UA", 1, True, 0.25),
        (0, "2013-03-01", None, None, None, None, 0.25),
        (0, "2013-03-01", 1.5, "AA", 3, True, 0.25),
        (1, "2013-03-01", 1.5, "ZZ", 3, True, 0.25),
    ]
    columns = "status, error, version, replica, client_id, entity_key, latency_us, epoch_us(event_time)"
    assert house.rows(columns, "request_id = 'r-000002'") == [
        (200, None, "0a1b2c3d4e5f", "flights-0a1b2c3d4e5f-0", "c", "N1", 1_500.0, 1362114000000000)
    ]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/St_Johns", "Europe/London"])
def test_days_are_exact_at_midnight_everywhere(house: House, entry: Entry, zone: str) -> None:
    house.zone = zone
    writer = house.log()
    moments = [1364688000000000 + minute * 60_000_000 - 1 + edge for minute in range(0, 2_880, 15) for edge in (0, 1)]
    for number, at in enumerate(moments):
        writer.append(entry(number, at=at))
    house.record()
    assert house.rows("epoch_us(event_time), day") == [(at, day_of(at, zone)) for at in moments]


def test_errors_are_rows(house: House, entry: Entry) -> None:
    writer = house.log()
    writer.append(entry(1, status=422))
    writer.append(entry(2))
    assert house.record() == 2
    assert house.rows("status, error, feature_distance, feature_carrier, output_0, answered") == [
        (422, "it broke", None, None, None, True),
        (200, None, 1.5, "B6", 0.25, True),
    ]


def test_the_error_of_a_request_stands_on_its_first_row(house: House, entry: Entry) -> None:
    writer = house.log()
    for number, rows in ((1, 3), (2, 1), (3, 2)):
        some = entry(number, rows=rows, entity_key=f"{number}" * 256)
        some.status, some.error = 500, f"{number}" * 4_096
        writer.append(some)
    assert house.record() == 6
    assert house.rows("row, error[:2], length(error), entity_key = request_id[-1:].repeat(256)") == [
        (0, "11", 4_096, True), (1, None, None, True), (2, None, None, True),
        (0, "22", 4_096, True),
        (0, "33", 4_096, True), (1, None, None, True),
    ]  # fmt: skip


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


def test_retries_leave_one_answered_row(house: House, entry: Entry) -> None:
    first, second = house.log(0), house.log(1)
    first.append(entry(1, arrival=10))
    second.append(entry(1, arrival=20))
    first.append(entry(2, arrival=30))
    assert house.record() == 3
    second.append(entry(2, arrival=40))
    second.append(entry(3, status=500, arrival=50))
    first.append(entry(3, arrival=60))
    assert house.record() == 3
    assert house.rows() == [
        ("r-000001", 1, False, False),
        ("r-000001", 2, True, False),
        ("r-000002", 1, False, False),
        ("r-000002", 2, True, False),
        ("r-000003", 1, False, False),
        ("r-000003", 2, True, False),
    ]


def test_all_rows_of_an_earlier_attempt_are_demoted(house: House, entry: Entry) -> None:
    house.write(entry(1, rows=3, arrival=10))
    house.record()
    house.write(entry(1, rows=3, arrival=20))
    house.record()
    assert house.rows("attempt, row, answered") == [(n, row, n == 2) for n in (1, 2) for row in range(3)]


def test_one_id_with_two_inputs_is_flagged_and_kept(house: House, entry: Entry) -> None:
    hostile = "r'); DROP TABLE x; -- \\ \" é\n"
    for value, arrival in ((1.0, 10), (2.0, 20)):
        some = entry(1, value=value, arrival=arrival)
        some.request_id = hostile
        house.write(some)
        house.record()
    assert house.rows() == [(hostile, 1, True, True), (hostile, 2, True, True)]


def test_two_versions_with_other_features_share_one_table(house: House, entry: Entry) -> None:
    features = (Feature("distance", dtype="string", categories=("near", "far")), Feature("new"))
    signature = Signature("multiclass", features, classes=("a", "b"))
    second = msgspec.structs.replace(house.versions["0a1b2c3d4e5f"], version="ffffffffffff", signature=signature)
    house.versions["ffffffffffff"] = second
    other = entry(2)
    other.matrix, other.outputs = np.array([[1.0, 9.0]]), np.array([[0.3, 0.7]])
    house.write(entry(1))
    house.record()
    house.write(entry(3))
    house.write(other, version=second)
    assert house.record() == 2
    house.write(entry(4))
    assert house.record() == 1
    names = "feature_distance, feature_distance__text, feature_new, feature_hour, output_0, output_1"
    assert house.rows(names) == [
        (1.5, None, None, 1, 0.25, None),
        (None, "far", 9.0, None, 0.3, 0.7),
        (1.5, None, None, 3, 0.25, None),
        (1.5, None, None, 4, 0.25, None),
    ]


def test_damage_costs_one_record_and_is_written_down_once(house: House, entry: Entry) -> None:
    house.write(*[entry(number) for number in range(4)])
    segment = house.segments()[0]
    data = bytearray(segment.read_bytes())
    size = (len(data) - SEGMENT_HEAD.size - SEAL.size) // 4
    ends = [SEGMENT_HEAD.size + size * number for number in range(5)]
    data[ends[2] + 100] ^= 1
    segment.write_bytes(bytes(data[: ends[4] - 3]))
    assert house.record() == 2
    assert [row[0] for row in house.rows("request_id")] == ["r-000000", "r-000001"]
    damage = IdIndex(ids_path(house.home, "flights")).damage()
    assert damage == [(segment.name, ends[2], size, "checksum"), (segment.name, ends[3], size - 3, "torn tail")]
    assert house.segments() == []


def test_a_renamed_segment_gives_no_rows(house: House, entry: Entry) -> None:
    house.write(entry(1))
    house.segments()[0].rename(house.folder / "flights-0a1b2c3d4e5f-0-0000000000000001.seg")
    assert house.record() == 0
    reasons = [row[3] for row in IdIndex(ids_path(house.home, "flights")).damage()]
    assert reasons == ["head", "torn tail"]


def test_a_record_of_another_schema_is_damage(house: House, entry: Entry) -> None:
    house.write(entry(1))
    version = house.versions["0a1b2c3d4e5f"]
    features = (*version.signature.features, Feature("more"))
    house.versions["0a1b2c3d4e5f"] = msgspec.structs.replace(version, signature=Signature("binary", features))
    assert house.record() == 0
    assert [row[3] for row in IdIndex(ids_path(house.home, "flights")).damage()] == ["schema"]


def test_a_segment_of_a_version_that_is_gone_is_set_aside(house: House, entry: Entry) -> None:
    """Nobody can read it and nobody waits for it; moved back when the version is there again, it is recorded."""
    gone = msgspec.structs.replace(house.versions["0a1b2c3d4e5f"], version="ffffffffffff")
    house.write(entry(1), version=gone)
    house.write(entry(2))
    segment = next(path for path in house.segments() if "ffffffffffff" in path.name)
    bytes_before = segment.read_bytes()

    def version_of(_: str, version: str) -> Version:
        if version not in house.versions:
            raise ModelError("no such version", where=version)
        return house.versions[version]

    recorder = house.recorder(commit_every_s=0)
    recorder._version_of = version_of
    assert recorder.run_once() == 1
    assert (recorder.failures, house.segments()) == ({}, [])
    kept = house.home / "damage" / "flights" / segment.name
    assert kept.read_bytes() == bytes_before
    damage = recorder._drains["flights"]._ids.damage()
    assert damage == [(segment.name, 0, len(bytes_before), "unknown version")]
    house.versions["ffffffffffff"] = gone
    shutil.move(kept, house.folder / segment.name)
    assert recorder.run_once() == 1
    assert sorted(row[0] for row in house.rows()) == ["r-000001", "r-000002"]


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


def test_an_index_that_cannot_be_written_loses_nothing(house: House, entry: Entry) -> None:
    """Its disk takes nothing just after the table's commit: said, tried again, nothing twice."""
    house.write(entry(1))
    recorder = house.recorder(commit_every_s=0)
    recorder.run_once()
    in_the_way = ids_path(house.home, "flights") / f"{MANIFEST}.new"
    in_the_way.mkdir()
    house.write(*[entry(number) for number in range(2, 2_000)])
    assert recorder.run_once() == 0
    assert "index of request ids cannot be" in recorder.failures["flights"]
    in_the_way.rmdir()
    recorder.run_once()
    assert recorder.failures == {}
    assert len(house.rows("row")) == 1_999
    assert house.segments() == []


@pytest.mark.parametrize("lose", ["all", "a run", "behind", "ahead"])
def test_the_index_is_made_again_from_the_table(house: House, entry: Entry, lose: str) -> None:
    """The folder or a run is gone, is an old copy, or belongs to a table that is not there any more."""
    path = ids_path(house.home, "flights")
    house.write(entry(1, arrival=10))
    house.record()
    old = house.home / "old"
    shutil.copytree(path, old)
    house.write(entry(2, arrival=20))
    house.record()
    if lose == "all":
        shutil.rmtree(path)
    elif lose == "a run":
        min(path.glob("*.run")).unlink()
    elif lose == "behind":
        shutil.rmtree(path)
        old.rename(path)
    else:
        index = IdIndex(path)
        index.take_in(("another", 99), [], [])
        index.close()
    for number in (1, 2):
        house.write(entry(number, arrival=30))
    house.record()
    assert [row for row in house.rows() if row[2]] == [("r-000001", 2, True, False), ("r-000002", 2, True, False)]
    assert len(house.rows()) == 4


def test_the_index_is_made_again_though_no_segment_waits(house: House, entry: Entry) -> None:
    writer = house.log()
    writer.append(entry(1))
    writer.close()
    assert house.record() == 1
    for left in (ids_path(house.home, "flights"), segment_folder(house.runtime, "flights")):
        shutil.rmtree(left)
    assert house.record() == 0
    assert IdIndex(ids_path(house.home, "flights")).places(["r-000001"])["r-000001"].rows == 1


def test_a_record_that_was_written_twice_is_one_row(house: House, entry: Entry) -> None:
    """After a failed fsync records are written again into a new segment: there they are the same to the microsecond."""
    twice = [entry(1), entry(2), entry(3, status=500)]
    house.write(*twice)
    house.write(*twice[:1])
    assert house.record() == 3
    house.write(*twice, entry(4))
    assert house.record() == 1
    assert house.rows() == [(f"r-{number:06d}", 1, True, False) for number in (1, 2, 3, 4)]
    assert house.segments() == []


def test_an_ingested_record_counts_once(house: House, entry: Entry) -> None:
    house.write(entry(1, ingested=True), entry(2, ingested=True))
    house.record()
    again = [entry(number, ingested=True, arrival=1_800_000_000_000_000) for number in (1, 2, 3)]
    house.write(*again, entry(3, ingested=True, arrival=1_900_000_000_000_000))
    house.write(entry(1, value=9.0, ingested=True, arrival=1_900_000_000_000_000))
    recorder = house.recorder(commit_every_s=0)
    assert recorder.run_once() == 2
    assert recorder.report().repeated == {"flights": 3}
    assert [row[:2] for row in house.rows()] == [("r-000001", 1), ("r-000001", 2), ("r-000002", 1), ("r-000003", 1)]


def test_a_shadow_answer_stands_beside_the_live_one(house: House, entry: Entry) -> None:
    """Same request, another version, never a retry; its own retries are judged among themselves."""
    house.write(entry(1, arrival=10), entry(1, arrival=11, variant="shadow", weight=4))
    house.record()
    house.write(entry(1, arrival=20, variant="shadow"), entry(2, variant="canary"))
    house.record()
    columns = "variant, attempt, answered, id_conflict, weight, epoch_us(arrival_time)"
    assert sorted(house.rows(columns, "request_id = 'r-000001'")) == [
        ("live", 1, True, False, 1, 10),
        ("shadow", 1, False, False, 4, 11),
        ("shadow", 2, True, False, 1, 20),
    ]
    assert house.rows("variant", "request_id = 'r-000002'") == [("canary",)]
    shutil.rmtree(ids_path(house.home, "flights"))
    house.write(entry(1, arrival=30, variant="shadow"))
    house.record()
    assert sorted(house.rows("variant, attempt, answered", "request_id = 'r-000001'")) == [
        ("live", 1, True), ("shadow", 1, False), ("shadow", 2, False), ("shadow", 3, True)
    ]  # fmt: skip


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


def test_a_new_recorder_goes_on_counting_records(house: House, entry: Entry) -> None:
    """It reads on in the middle of a segment and still notices that a record is missing there."""
    writer = house.log()
    for number in range(3):
        writer.append(entry(number))
    house.record()
    for number in range(3, 6):
        writer.append(entry(number))
    writer.close()
    segment = house.segments()[0]
    data = segment.read_bytes()
    size = (len(data) - SEGMENT_HEAD.size - SEAL.size) // 6
    begin = SEGMENT_HEAD.size + 3 * size
    segment.write_bytes(data[:begin] + data[begin + size :])
    assert house.record() == 2
    assert [row[1:] for row in IdIndex(ids_path(house.home, "flights")).damage()] == [(begin, 0, "missing records")]


@pytest.mark.parametrize("lose", ["nothing", "all", "the last record"])
def test_a_segment_that_is_gone_is_missed_by_the_next(
    house: House, entry: Entry, monkeypatch: pytest.MonkeyPatch, lose: str
) -> None:
    monkeypatch.setattr("gyroscope.predictions.segments.log.SEGMENT_BYTES", 1)
    writer = house.log()
    for number in range(4):
        writer.append(entry(number, rows=3_000))
    house.record()
    assert len(house.segments()) == 1
    assert IdIndex(ids_path(house.home, "flights")).damage() == []
    writer.append(entry(4, rows=3_000))
    writer.append(entry(5, rows=3_000))
    writer.close()
    fifth = house.segments()[-2]
    if lose == "all":
        fifth.unlink()
    elif lose == "the last record":
        data = fifth.read_bytes()
        number = int(fifth.stem.rpartition("-")[2], 16)
        fifth.write_bytes(data[: SEGMENT_HEAD.size] + seal(number, 0))
    house.record()
    said = [
        reason.partition(" ")[2].partition(" ")[2] for *_, reason in IdIndex(ids_path(house.home, "flights")).damage()
    ]
    assert said == {"nothing": [], "all": ["is missing"], "the last record": ["had 0 of 1 records"]}[lose]


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


def test_one_id_for_everything_is_recorded_all_the_same(house: House, entry: Entry) -> None:
    def same(number: int) -> LogEntry:
        some = entry(number, value=float(number), arrival=1_700_000_000_000_000 + number)
        some.request_id = "constant"
        return some

    for start in (0, 3_000):
        house.write(*[same(number) for number in range(start, start + 3_000)])
        assert house.record() == 3_000
    assert len({row[1] for row in house.rows()}) == 6_000


DAY_US = 24 * 3_600_000_000


def test_many_days_are_appended_a_few_at_a_time(house: House, entry: Entry) -> None:
    house.write(*[entry(number, at=number * DAY_US // 2) for number in range(500)], entry(500, rows=2, at=0))
    assert house.record() == 502
    assert [row[0] for row in house.rows("request_id", "row = 0")] == [f"r-{number:06d}" for number in range(501)]
    history = DeltaTable(str(table_path(house.home, "flights"))).history()
    assert max(commit["operationMetrics"]["num_partitions"] for commit in history) <= 102
    assert [commit[OFFSETS] == "{}" for commit in history] == [False, True, True]


@pytest.mark.parametrize("step", ["Commits sync before", "Commits sync after"])
def test_a_kill_between_the_days_of_a_batch_doubles_nothing(house: House, entry: Entry, step: str) -> None:
    house.write(*[entry(number, at=number * DAY_US, rows=1 + number % 2) for number in range(250)])
    version = msgspec.json.encode(house.versions["0a1b2c3d4e5f"]).decode()
    command = [sys.executable, "-c", KILLED_RECORDER, str(house.home), str(house.runtime), step, version]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == -9
    assert 0 < len(house.rows()) < 375
    house.record()
    assert house.rows("request_id, row, attempt, answered, id_conflict") == [
        (f"r-{number:06d}", row, 1, True, False) for number in range(250) for row in range(1 + number % 2)
    ]
    assert house.segments() == []


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_recorder_neither_loses_nor_doubles(house: House, entry: Entry, step: str) -> None:
    first = house.log(0)
    for number in range(30):
        first.append(entry(number, arrival=1_000 + number))
    house.record()
    second = house.log(1)
    for number in range(20, 60):
        second.append(entry(number, arrival=2_000 + number))
    first.append(entry(60, arrival=3_000))
    second.close()
    version = msgspec.json.encode(house.versions["0a1b2c3d4e5f"]).decode()
    command = [sys.executable, "-c", KILLED_RECORDER, str(house.home), str(house.runtime), step, version]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == -9
    first.append(entry(61, arrival=4_000))
    house.record()
    rows = house.rows()
    assert len(rows) == 30 + 40 + 2
    assert sorted(row[0] for row in rows if row[2]) == [f"r-{number:06d}" for number in range(62)]
    assert [row[:2] for row in rows if not row[2]] == [(f"r-{number:06d}", 1) for number in range(20, 30)]
    first.close()
    house.record()
    assert house.segments() == []
    index = IdIndex(ids_path(house.home, "flights"))
    assert (index.owed(), index.damage()) == ([], [])
