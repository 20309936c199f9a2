"""Typed reading of what the recorder wrote."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from deltalake import write_deltalake
from tests.predictions.house import HOUR_US, MARCH_1_US, VERSION, Entry, House

from gyroscope.errors import StoreError
from gyroscope.predictions.tables.rewrite import Change, Writer, commit, live_files, open_table
from gyroscope.predictions.tables.table import FIRST_TIME, Table

DAYS = ["2013-03-01", "2013-03-02", "2013-03-03"]


@pytest.fixture
def filled(house: House, entry: Entry) -> House:
    """Three days of 24 hourly requests; number 5 misses everything, number 6 failed."""
    entries = [entry(number) for number in range(72)]
    entries[5].matrix[0, :] = np.nan
    entries[6] = entry(6, status=500)
    house.write(*entries)
    house.record()
    return house


def test_before_the_first_commit_there_is_nothing(house: House) -> None:
    table = house.table
    assert (table.version(), table.columns(), table.files()) == (-1, [], [])
    assert table.outcomes("2013-03-01").row.shape == (0,)
    with pytest.raises(StoreError, match="no rows"):
        table.rows()


def test_files_tell_day_and_rows_and_follow_the_table(filled: House, entry: Entry) -> None:
    table = filled.table
    files = table.files()
    assert [(file.day, file.rows) for file in files] == [(day, 24) for day in DAYS]
    filled.write(entry(100))
    filled.record()
    assert set(files) < set(table.files())


def test_files_tell_when_a_version_may_have_come(filled: House, monkeypatch: pytest.MonkeyPatch) -> None:
    table = filled.table
    assert table.first_of(VERSION.version) == MARCH_1_US
    assert table.first_of("0") is None
    assert table.first_of("~") is None
    actions = table._newest().get_add_actions(flatten=True)
    nothing = actions.select([name for name in actions.schema.names if name != "max.version"])
    monkeypatch.setattr(type(table._newest()), "get_add_actions", lambda self, flatten: nothing)
    assert table.first_of("0") == FIRST_TIME, "they may hold anything"


def test_files_that_were_merged_tell_it_too(filled: House, entry: Entry) -> None:
    later = msgspec.structs.replace(VERSION, version="1b2c3d4e5f60")
    filled.versions[later.version] = later
    filled.write(entry(80, at=MARCH_1_US + 50 * HOUR_US + 999), version=later)
    filled.record()
    first = filled.table.first_of(later.version)
    assert first == MARCH_1_US + 50 * HOUR_US, "in milliseconds"
    live, writer = live_files(open_table(filled.table.path)), Writer(filled.table.path)
    first_day = [file for file in live if file.day == DAYS[0]]
    last_day = [file for file in live if file.day == DAYS[2]]
    for files in (first_day, last_day):
        commit(filled.table.path, Change(tuple(files), (writer.merge(files),), is_data=False), {})
    writer.close()
    assert filled.table.first_of(VERSION.version) == MARCH_1_US
    assert filled.table.first_of(later.version) == MARCH_1_US + 48 * HOUR_US, "of its day, which is one file now"
    assert filled.table.first_of("0") is None


def test_a_demotion_replaces_only_the_files_it_touches(filled: House, entry: Entry) -> None:
    table = filled.table
    before = set(table.files())
    filled.write(entry(30, arrival=1_800_000_000_000_000))
    filled.record()
    after = set(table.files())
    assert {file.day for file in before - after} == {"2013-03-02"}
    assert sum(file.rows for file in after) == 73


def test_read_gives_numbers_texts_and_times(filled: House) -> None:
    table = filled.table
    names = [
        "request_id",
        "event_time",
        "feature_distance",
        "feature_carrier",
        "feature_hour",
        "output_0",
        "day",
        "nope",
    ]
    found = table.read(table.files()[0], names)
    assert list(found) == names
    order = np.argsort(found["event_time"])
    assert np.diff(found["event_time"][order]).tolist() == [3_600_000_000] * 23
    assert found["event_time"].dtype == np.int64
    assert found["feature_carrier"][order][:7].tolist() == ["AA", "UA", "B6", "AA", "UA", None, None]
    np.testing.assert_array_equal(found["feature_hour"][order][:7], [0, 1, 2, 3, 4, np.nan, np.nan])
    np.testing.assert_array_equal(found["output_0"][order][4:8], [0.25, 0.25, np.nan, 0.25])
    assert set(found["day"]) == {"2013-03-01"}
    assert np.isnan(found["nope"]).all()
    assert not any(isinstance(values, np.ma.MaskedArray) for values in found.values())


def test_outcomes_of_a_day_show_every_attempt(filled: House, entry: Entry) -> None:
    filled.write(entry(7, arrival=1_800_000_000_000_000), entry(6, arrival=1_800_000_000_000_000))
    filled.record()
    day = filled.table.outcomes("2013-03-01")
    assert (len(day.row), int(day.answered.sum()), day.output.shape) == (26, 24, (26, 1))
    answered = dict(zip(day.request_id[day.answered], day.output[day.answered, 0], strict=True))
    assert answered["r-000006"] == answered["r-000007"] == 0.25
    assert set(day.version) == {"0a1b2c3d4e5f"}
    assert not day.id_conflict.any()


def test_rows_come_as_arrow_for_a_range_of_days(filled: House) -> None:
    table = filled.table
    assert table.rows().num_rows == 72
    some = table.rows("2013-03-02", "2013-03-02")
    assert some.num_rows == 24
    assert set(some.column("day").to_pylist()) == {"2013-03-02"}
    assert "feature_distance" in some.schema.names


def test_names_with_quotes_and_blanks_are_read(tmp_path: Path, filled: House) -> None:
    name = 'feature_the "dep" time, local'
    rows = filled.table.rows().rename_columns(
        [name if column == "feature_distance" else column for column in filled.table.rows().schema.names]
    )
    write_deltalake(str(tmp_path / "other"), rows, partition_by=["day"])
    table = Table(tmp_path / "other")
    assert np.nanmax(table.read(table.files()[0], [name])[name]) == 1.5


def test_a_folder_that_is_no_table_says_so(tmp_path: Path) -> None:
    log = tmp_path / "t" / "_delta_log"
    log.mkdir(parents=True)
    (log / "00000000000000000000.json").write_text("not a commit\n")
    with pytest.raises(StoreError, match="cannot be read"):
        Table(tmp_path / "t").files()
