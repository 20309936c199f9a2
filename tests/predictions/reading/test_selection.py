"""What people read: windows, SQL that can do no harm, pairs with shadows, labels beside predictions."""

from __future__ import annotations

import sys
from pathlib import Path

import arro3.core
import polars as pl
import pytest
from arro3.core import Array, DataType
from tests.predictions.house import Entry, House
from tests.predictions.written import HOUR_US, MARCH_1_US, row, write

from gyroscope.clock import EventTime
from gyroscope.errors import GyroscopeError, InputError, StoreError
from gyroscope.predictions.reading.selection import Selection, Stretch, between
from gyroscope.predictions.tables.table import Table


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """Three days by the hour; request 7 was tried twice, request 9 has a shadow."""
    rows = [row(number) for number in range(72)]
    rows[7]["answered"] = False
    rows.append(row(7, attempt=2, output_0=0.75))
    rows.append(row(9, variant="shadow", version="ffffffffffff", output_0=0.9))
    return write(tmp_path / "tables" / "flights", rows)


def test_a_window_holds_its_start_and_not_its_end_and_one_answer_to_each_request(table: Table) -> None:
    start, end = EventTime(MARCH_1_US + 5 * HOUR_US), EventTime(MARCH_1_US + 30 * HOUR_US)
    found = Selection(table, between(start, end)).polars()
    assert sorted(found["request_id"]) == sorted(f"r-{number}" for number in range(5, 30))
    assert found.filter(pl.col("request_id") == "r-7")["output_0"].to_list() == [0.75]


def test_without_bounds_everything_is_there_and_attempts_hold_all_of_it(table: Table) -> None:
    whole = Selection(table)
    assert whole.arrow().num_rows == 72
    assert whole.sql("SELECT count(*) FROM attempts").polars().item() == 74


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati"])
def test_without_bounds_days_may_begin_anywhere_on_earth(table: Table, zone: str) -> None:
    # The first and the last moment there are lie outside the calendar of zones west and east of UTC.
    assert Selection(table, between(zone=zone)).arrow().num_rows == 72


def test_days_bound_a_selection_too(table: Table) -> None:
    assert Selection(table, Stretch("2013-03-02", "2013-03-02")).arrow().num_rows == 24


def test_a_stretch_in_which_nothing_was_asked_has_all_columns_and_no_row(table: Table) -> None:
    empty, whole = Selection(table, Stretch("2020-01-01", "2020-01-02")), Selection(table)
    assert empty.arrow().num_rows == 0
    assert empty.polars().columns == whole.polars().columns
    assert empty.sql("SELECT count(*) FROM attempts").polars().item() == 0
    before = Selection(table, between(EventTime(0), EventTime(HOUR_US)))
    assert before.pandas().empty


def test_a_stream_is_taken_by_anything_that_reads_arrow(table: Table) -> None:
    assert pl.DataFrame(Selection(table)).height == 72
    assert sum(batch.num_rows for batch in Selection(table).stream()) == 72


def test_pandas_gets_the_same_values(table: Table) -> None:
    frame = Selection(table).pandas()
    assert sorted(frame["output_0"]) == sorted(Selection(table).polars()["output_0"])


@pytest.mark.parametrize("library", ["polars", "pandas"])
def test_a_library_that_is_not_there_is_named(table: Table, monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(GyroscopeError, match=f"needs {library}, which is not installed"):
        getattr(Selection(table), library)()


@pytest.mark.parametrize(
    "query",
    [
        "DROP VIEW predictions",
        "CREATE TABLE mine AS SELECT 1",
        "SELECT 1; SELECT 2",
        "COPY (SELECT 1) TO '{table}/mine.csv'",
        "COPY (SELECT 1) TO '{table}/../mine.csv'",
        "ATTACH '{table}/mine.db'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('{table}/../../secret')",
        "SELECT * FROM '{table}/../../secret.csv'",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM 'http://127.0.0.1:9/rows.csv'",
        "SELECT * FROM query",
        "INSTALL httpfs",
        "SET threads = 4",
        "PRAGMA database_list",
        "SELECT * FROM nowhere",
        "SELECT",
        "",
    ],
)
def test_a_query_reads_these_rows_and_nothing_else(table: Table, tmp_path: Path, query: str) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "secret.csv").write_text("a,b\n1,2\n")
    before = {path for path in tmp_path.rglob("*") if "_delta_log" not in str(path)}
    with pytest.raises(InputError):
        Selection(table).sql(query.format(table=table.path)).arrow()
    assert {path for path in tmp_path.rglob("*") if "_delta_log" not in str(path)} == before


def test_pairs_stand_beside_what_was_answered(table: Table) -> None:
    pairs = Selection(table).shadow_pairs().polars()
    assert pairs.select("request_id", "row", "output_0", "shadow_output_0", "shadow_version").rows() == [
        ("r-9", 0, 0.1, 0.9, "ffffffffffff")
    ]


def test_the_recorder_leaves_pairs_and_one_answer(house: House, entry: Entry) -> None:
    first, again = entry(1), entry(1, arrival=1_800_000_000_000_000)
    house.write(first, entry(2), entry(1, variant="shadow"), again, entry(3, status=500), entry(3, variant="shadow"))
    house.record()
    found = Selection(house.table)
    assert found.sql("SELECT request_id, attempt FROM predictions ORDER BY ALL").polars().rows() == [
        ("r-000001", 2),
        ("r-000002", 1),
        ("r-000003", 1),
    ]
    assert found.sql("SELECT count(*) FROM attempts").polars().item() == 6
    assert found.shadow_pairs().polars().select("request_id", "output_0", "shadow_output_0").sort(
        "request_id"
    ).rows() == [
        ("r-000001", 0.25, 0.25),
        ("r-000003", None, 0.25),
    ]


def test_a_table_of_the_first_format_reads_as_live_rows_of_weight_one(tmp_path: Path) -> None:
    path = tmp_path / "flights"
    write(path, [row(0), row(1)], without=("variant", "weight"))
    assert Selection(Table(path)).sql("SELECT DISTINCT variant, weight FROM predictions").polars().rows() == [
        ("live", 1)
    ]
    write(path, [row(2, variant="canary", weight=8)])
    found = Selection(Table(path)).sql("SELECT variant, weight FROM predictions ORDER BY request_id").polars()
    assert found.rows() == [("live", 1), ("live", 1), ("canary", 8)]


def test_labels_stand_beside_their_rows_and_are_missing_elsewhere(table: Table) -> None:
    asked: list[list[str]] = []

    def labels_of(days: list[str]) -> arro3.core.Table:
        asked.append(days)
        columns = [
            Array(["r-3", "r-7"], type=DataType.utf8()),
            Array([0, 0], type=DataType.int32()),
            Array([1.0, 0.0], type=DataType.float64()),
        ]
        return arro3.core.Table.from_arrays(columns, names=["request_id", "row", "label"])

    chosen = Selection(table, Stretch("2013-03-01", "2013-03-01"), labels_of)
    found = dict(chosen.sql("SELECT request_id, label FROM predictions WHERE label IS NOT NULL").polars().rows())
    assert found == {"r-3": 1.0, "r-7": 0.0}
    assert chosen.arrow().num_rows == 24
    assert asked[0] == ["2013-03-01"]


def test_a_log_without_any_prediction_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no predictions yet"):
        Selection(Table(tmp_path / "none")).arrow()
