"""Files that are written out: whole, exact, and harmless to spreadsheets."""

from __future__ import annotations

import csv
import json
import struct
from pathlib import Path
from random import Random

import duckdb
import pytest
from tests.predictions.written import row, write

from gyroscope.errors import InputError, StoreError
from gyroscope.predictions.reading.export import export, export_stream
from gyroscope.predictions.reading.query import attempts_sql, files_of
from gyroscope.predictions.reading.selection import Selection
from gyroscope.predictions.tables.table import Table

HOSTILE = [
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("http://x","y")', "=cmd|' /C calc'!A0", "a\"b",
    "a,b", "two\nlines", "'=1", "", " =1", "plain", "ümlaut", "-", "1e5", "NULL",
]  # fmt: skip


@pytest.fixture
def table(tmp_path: Path) -> Table:
    random = Random(1)
    rows = [row(number, feature_carrier=text, request_id=f"=r{number}") for number, text in enumerate(HOSTILE)]
    for one in rows:
        one["output_0"] = struct.unpack("<d", random.randbytes(8))[0] if random.random() < 0.5 else random.random()
        one["output_0"] = 0.1 + 0.2 if one["output_0"] != one["output_0"] else one["output_0"]
        one["feature_distance"] = random.choice([None, -5e-324, -0.0, 1.7976931348623157e308, -1.5, 1e22, 123456.789])
    return write(tmp_path / "flights", rows)


@pytest.fixture
def connection():
    with duckdb.connect() as opened:
        opened.execute("SET TimeZone = 'UTC'")
        yield opened


def rows_of(table: Table) -> str:
    return attempts_sql(table, files_of(table))


def test_no_text_in_a_csv_is_a_formula_and_numbers_are_the_same_to_the_last_bit(table, connection, tmp_path):
    target = tmp_path / "out.csv"
    assert export(connection, rows_of(table), target) == len(HOSTILE)
    with target.open(newline="", encoding="utf-8") as lines:
        found = {cells["request_id"]: cells for cells in csv.DictReader(lines)}
    expected = {one["request_id"]: one for one in Selection(table).polars().to_dicts()}
    assert len(expected) == len(HOSTILE)
    for request_id, one in expected.items():
        cells = found[f"'{request_id}"]
        for name, value in one.items():
            cell = cells[name]
            if isinstance(value, float):
                assert struct.pack("<d", float(cell)) == struct.pack("<d", value), name
            elif isinstance(value, str):
                assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
                assert cell in (value, f"'{value}"), name
            elif value is None:
                assert cell == "", name


def test_texts_are_quoted_so_that_a_cell_never_splits(table, connection, tmp_path):
    export(connection, rows_of(table), tmp_path / "out.csv")
    text = (tmp_path / "out.csv").read_text(encoding="utf-8")
    assert '"\'=HYPERLINK(""http://x"",""y"")"' in text
    assert '"plain"' in text


def test_a_header_is_made_harmless_too(table, tmp_path):
    rows = Selection(table).sql('SELECT 1 AS "=a", 2 AS b FROM predictions LIMIT 1')
    export_stream(rows.stream(), tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "'=a,b\n1,2\n"


def test_parquet_holds_texts_and_types_as_they_are(table, connection, tmp_path):
    export(connection, rows_of(table), tmp_path / "out.parquet")
    found = connection.sql(f"SELECT feature_carrier, typeof(event_time) FROM '{tmp_path}/out.parquet'").fetchall()
    assert {text for text, _ in found} == set(HOSTILE)
    assert {kind for _, kind in found} == {"TIMESTAMP WITH TIME ZONE"}


def test_json_lines_hold_texts_as_they_are_and_times_in_iso(table, connection, tmp_path):
    export(connection, rows_of(table), tmp_path / "out.jsonl")
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {one["feature_carrier"] for one in found} == set(HOSTILE)
    assert min(one["event_time"] for one in found) == "2013-03-01T00:00:00.000000+00:00"


def test_a_file_that_is_there_is_not_replaced_unless_told(table, connection, tmp_path):
    target = tmp_path / "out.csv"
    target.write_text("mine")
    with pytest.raises(StoreError, match="there already"):
        export(connection, rows_of(table), target)
    assert target.read_text() == "mine"
    export(connection, rows_of(table), target, is_replacing=True)
    assert target.read_text().startswith('"request_id"')


def test_what_fails_leaves_neither_a_file_nor_a_rest(table, connection, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    broken = f"SELECT error('broken') AS x FROM ({rows_of(table)})"
    with pytest.raises(StoreError, match="broken"):
        export(connection, broken, folder / "out.csv")
    assert list(folder.iterdir()) == []


def test_an_unknown_kind_of_file_is_refused(table, connection, tmp_path):
    with pytest.raises(InputError, match="no known kind"):
        export(connection, rows_of(table), tmp_path / "out.xls")
    with pytest.raises(StoreError, match="no such folder"):
        export(connection, rows_of(table), tmp_path / "none" / "out.csv")


def test_progress_ends_at_one(table, connection, tmp_path):
    told: list[float] = []
    export(connection, rows_of(table), tmp_path / "out.csv", progress=told.append)
    assert told[-1] == 1.0
