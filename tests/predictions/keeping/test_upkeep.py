"""Merging, dropping and sweeping on a real table: the same rows, the same offsets, nothing half done."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from deltalake import DeltaTable
from tests.predictions.house import SIGNATURE, VERSION, Entry, House

from gyroscope.clock import DAY_US, SECOND_NS, EventTime, MachineTime, wall_now
from gyroscope.errors import StoreError
from gyroscope.predictions.keeping import upkeep as upkeep_module
from gyroscope.predictions.keeping.retention import Keeping
from gyroscope.predictions.keeping.sweep import GRACE_S, Sweep, remove_now, trim_log
from gyroscope.predictions.keeping.upkeep import Upkeep, newest_metadata
from gyroscope.predictions.tables.dropped import Dropped, dropped, dropped_path, note_dropped
from gyroscope.predictions.tables.rewrite import Writer, live_files, open_table
from gyroscope.predictions.tables.table import table_path
from gyroscope.records import Feature

ARRIVAL = 1_700_000_001_000_000
LATER = EventTime(wall_now() + DAY_US)


@pytest.fixture
def many(house: House, entry: Entry) -> House:
    """Twenty commits of one day and two of the next, with a retry among them."""
    recorder = house.recorder(commit_every_s=0)
    for number in range(20):
        retry = entry(1, at=1362114000000000 + number, arrival=1_700_000_000_000_000 + number)
        house.write(retry, entry(100 + number, at=1362114000000000 + number))
        recorder.run_once()
    for number in (50, 51):
        house.write(entry(number))
        recorder.run_once()
    recorder.drain()
    recorder.close()
    return house


def keeper(house: House, **limits: object) -> Upkeep:
    return Upkeep(house.home, Keeping(**limits), lambda _: house.zone)  # type: ignore[arg-type]


def rest(upkeep: Upkeep) -> int:
    """Steps until there is nothing left to do."""
    return sum(1 for _ in iter(lambda: upkeep.step("flights", MachineTime(0), LATER), False))


def path_of(house: House) -> Path:
    return table_path(house.home, "flights")


def files(house: House) -> list[str]:
    return [file.path for file in live_files(open_table(path_of(house)))]


def on_disk(house: House) -> list[str]:
    return sorted(str(path.relative_to(path_of(house))) for path in path_of(house).rglob("*.parquet"))


def test_merged_files_hold_the_same_rows(many: House) -> None:
    columns = "request_id, row, attempt, answered, epoch_us(event_time), day, feature_carrier, output_0"
    before = many.rows(columns)
    offsets = newest_metadata(DeltaTable(str(path_of(many))))
    assert len(files(many)) > 20
    assert rest(keeper(many)) == 2
    assert len(files(many)) == 2
    assert many.rows(columns) == before
    assert newest_metadata(DeltaTable(str(path_of(many)))) == offsets != {}


def test_recording_goes_on_after_a_merge(many: House, entry: Entry) -> None:
    rest(keeper(many))
    many.write(entry(1, at=1362114000000099, arrival=1_800_000_000_000_000), entry(700, at=1362114000000099))
    assert many.record() == 2
    answered = [row for row in many.rows("request_id, attempt, answered", "request_id = 'r-000001'") if row[2]]
    assert answered == [("r-000001", 21, True)], "the amendment found the row in its merged file"


def test_a_column_that_only_some_files_have_is_missing_in_the_others(many: House, entry: Entry) -> None:
    newer = msgspec.structs.replace(SIGNATURE, features=(*SIGNATURE.features, Feature("weather")))
    version = msgspec.structs.replace(VERSION, version="ffffffffffff", signature=newer)
    many.versions[version.version] = version
    more = entry(800, at=1362114000000000)
    more.matrix = np.array([[1.0, 0, 0, 0, 21.5]])
    many.write(more, version=version)
    many.record()
    assert rest(keeper(many)) == 2
    assert len(files(many)) == 2
    assert many.rows("feature_weather", "request_id = 'r-000800'") == [(21.5,)]
    assert many.rows("feature_weather", "request_id = 'r-000100'") == [(None,)]


def test_forgotten_files_stay_for_the_readers_and_go_after_the_grace(many: House) -> None:
    upkeep = keeper(many)
    rest(upkeep)
    before = len(on_disk(many))
    assert before > 20
    upkeep.step("flights", MachineTime(int((GRACE_S - 1) * SECOND_NS)), LATER)
    assert len(on_disk(many)) == before
    upkeep.step("flights", MachineTime(int((GRACE_S + 1) * SECOND_NS)), LATER)
    assert on_disk(many) == sorted(files(many))


def test_what_a_killed_merge_left_is_swept(many: House) -> None:
    left = path_of(many) / "day=2013-03-01" / "part-left.zstd.parquet"
    left.write_bytes(b"half")
    sweep = Sweep(path_of(many), grace_s=1)
    assert sweep.run(files(many), MachineTime(0)) == 0
    assert left.exists()
    assert sweep.run(files(many), MachineTime(SECOND_NS)) > 0
    assert on_disk(many) == sorted(files(many))
    assert len(many.rows()) == 42


def test_a_merge_that_would_lose_rows_is_undone(many: House, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Writer.merge
    monkeypatch.setattr(Writer, "merge", lambda self, merge: real(self, merge[1:]))
    before = on_disk(many)
    with pytest.raises(StoreError, match="files with"):
        keeper(many).step("flights", MachineTime(0), LATER)
    assert on_disk(many) == before


def test_a_damaged_file_stops_the_merge_and_nothing_else(many: House) -> None:
    broken = path_of(many) / files(many)[0]
    broken.write_bytes(b"x" * 100)
    before = files(many)
    with pytest.raises(StoreError, match="cannot be rewritten"):
        keeper(many).step("flights", MachineTime(0), LATER)
    assert files(many) == before


def test_a_day_that_is_too_old_goes_whole_and_is_noted(many: House) -> None:
    assert keeper(many, default_days=1).step("flights", MachineTime(0), EventTime(1362114000000000 + 3 * DAY_US))
    assert {row[0] for row in many.rows("day")} == {"2013-03-03"}
    noted = dropped(many.home, "flights")
    assert [(one.day, one.rows, one.why) for one in noted] == [("2013-03-01", 40, "age")]


def test_a_budget_takes_the_oldest_day_and_says_so(many: House) -> None:
    upkeep = keeper(many, shared_bytes=1)
    assert upkeep.step("flights", MachineTime(0), LATER)
    assert upkeep.over_budget(LATER)["flights"] == "1 days of flights were deleted for the budget, the last 2013-03-01"
    assert upkeep.over_budget(EventTime(LATER + 2 * DAY_US))["flights"].endswith("its newest day is never deleted")
    rest(upkeep)
    assert {row[0] for row in many.rows("day")} == {"2013-03-03"}, "the newest day stays"


def test_the_list_is_written_before_the_day_goes(many: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> int:
        raise StoreError("killed")

    monkeypatch.setattr(upkeep_module, "commit", die)
    with pytest.raises(StoreError, match="killed"):
        keeper(many, default_days=1).step("flights", MachineTime(0), LATER)
    monkeypatch.undo()
    assert len(many.rows()) == 42 and len(dropped(many.home, "flights")) == 1
    assert keeper(many, default_days=1).step("flights", MachineTime(0), LATER)
    assert len(dropped(many.home, "flights")) == 1, "the same day again is one line"


def test_a_damaged_list_is_named(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    note_dropped(tmp_path, "m", Dropped("2013-01-01", 1, 2, "age", EventTime(0)))
    assert oct(dropped_path(tmp_path, "m").stat().st_mode & 0o777) == "0o600"
    dropped_path(tmp_path, "m").write_bytes(b"[")
    with pytest.raises(StoreError, match="deleted days"):
        dropped(tmp_path, "m")


def test_a_home_without_a_table_needs_nothing(house: House) -> None:
    assert not keeper(house).step("flights", MachineTime(0), LATER)


def test_a_round_does_one_step_and_then_leaves_recording_its_share(many: House) -> None:
    upkeep = keeper(many, default_days=1)
    assert upkeep.run_once() == "flights"
    assert upkeep.run_once() == "", "the next step is not due yet"
    assert len({row[0] for row in many.rows("day")}) == 1


def test_what_goes_wrong_with_one_table_is_kept_and_the_others_go_on(many: House) -> None:
    broken = many.home / "tables" / "broken" / "_delta_log"
    broken.mkdir(parents=True)
    (broken / "00000000000000000000.json").write_bytes(b"{")
    upkeep = keeper(many, default_days=1)
    assert {upkeep.run_once() for _ in range(2)} == {"", "flights"}
    assert list(upkeep.failures) == ["broken"]
    (broken / "00000000000000000000.json").unlink()
    upkeep = keeper(many)
    for _ in range(2):
        upkeep.run_once()
    assert upkeep.failures == {}


def test_a_fault_of_one_table_is_kept_too(many: House) -> None:
    def zone_of(_: str) -> str:
        raise KeyError("flights")

    upkeep = Upkeep(many.home, Keeping(default_days=1), zone_of)
    assert upkeep.run_once() == ""
    assert upkeep.failures == {"flights": "'flights'"}


def test_the_recorder_keeps_up_between_two_drains(many: House, entry: Entry) -> None:
    upkeep = keeper(many, default_days=1)
    recorder = many.recorder(commit_every_s=0, upkeep=upkeep)
    many.write(entry(60), entry(61))
    assert recorder.run_once() == 2
    recorder.keep_up()
    assert dropped(many.home, "flights") != []
    many.write(entry(62))
    assert recorder.run_once() == 1, "recording goes on with the table as it now is"
    assert recorder.failures == {}


def test_old_pages_of_the_log_go_and_the_table_reads_on(many: House, entry: Entry) -> None:
    table = DeltaTable(str(path_of(many)))
    assert trim_log(path_of(many), keep=1) == 0, "never without a checkpoint"
    table.create_checkpoint()
    rows = many.rows()
    assert trim_log(path_of(many), keep=3) == table.version() - 3
    assert many.rows() == rows
    many.write(entry(900))
    assert many.record() == 1, "the offsets were found"
    for damaged in (b"{", b'{"version":"x"}', b'{"version":null}'):
        (path_of(many) / "_delta_log" / "_last_checkpoint").write_bytes(damaged)
        assert trim_log(path_of(many), keep=1) == 0


def test_at_once_means_whoever_reads(many: House) -> None:
    rest(keeper(many))
    assert remove_now(path_of(many), files(many)) > 20
    assert on_disk(many) == sorted(files(many))
