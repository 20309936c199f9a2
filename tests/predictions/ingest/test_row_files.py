"""Files of predictions made elsewhere: every kind, mapped, typed, in portions, with the line of what is no row."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from gyroscope.clock import EventTime
from gyroscope.errors import InputError
from gyroscope.predictions.ingest import row_files
from gyroscope.predictions.ingest.given import Checker
from gyroscope.predictions.ingest.row_files import read_portions
from gyroscope.predictions.segments.wal import LogEntry
from gyroscope.records import Feature, Signature

SIGNATURE = Signature(
    "binary",
    (Feature("age"), Feature("plan", "string", ("007", "plus")), Feature("visits", "int64"), Feature("is_new", "bool")),
)
MARCH_1_US = 1362096000000000
ROWS: list[dict[str, Any]] = [
    {"request_id": "a", "age": 1.5, "plan": "007", "visits": 3, "is_new": True, "probability": 0.25},
    {"request_id": "b", "age": None, "plan": "two\nlines", "visits": None, "is_new": False, "probability": 0.5},
    {"request_id": "c", "age": -2e-300, "plan": None, "visits": 2, "is_new": None, "probability": 1.0},
]
for _row in ROWS:
    _row["event_time"] = "2013-03-01T00:00:00+00:00"


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A file of the kind that its name says."""
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        write(path.with_suffix(".jsonl"), rows)
        duckdb.sql(
            f"COPY (SELECT * REPLACE (event_time::TIMESTAMPTZ AS event_time) FROM '{path.with_suffix('.jsonl')}')"
            f" TO '{path}'"
        )
    return path


def entries(path: Path, **mapping: str) -> list[LogEntry]:
    _, portions = read_portions(path, SIGNATURE, mapping)
    checker = Checker(SIGNATURE)
    checked = [checker.check(portion.given, EventTime(0)) for portion in portions]
    assert [one.refused for one in checked] == [[]] * len(checked)
    return [entry for one in checked for entry in one.entries]


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet", "rows.jsonl"])
@pytest.mark.parametrize("portion", [2, 10_000])
def test_every_kind_of_file_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, portion: int):
    monkeypatch.setattr(row_files, "PORTION_ROWS", portion)
    found = entries(write(tmp_path / name, ROWS))
    assert [entry.request_id for entry in found] == ["a", "b", "c"]
    assert {entry.event_time for entry in found} == {MARCH_1_US}
    assert [entry.unseen for entry in found] == [[], [(0, 1, "two\nlines")], []]
    matrices = [str(entry.matrix.tolist()) for entry in found if entry.matrix is not None]
    assert matrices == ["[[1.5, 0.0, 3.0, 1.0]]", "[[nan, nan, nan, 0.0]]", "[[-2e-300, nan, 2.0, nan]]"]
    assert [entry.outputs.tolist() for entry in found if entry.outputs is not None] == [[[0.25]], [[0.5]], [[1.0]]]


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet", "rows.jsonl"])
def test_columns_are_mapped_and_others_are_left_out_by_name(tmp_path: Path, name: str):
    given = {"request_id": "id", "age": "feature_age", "probability": "score", "event_time": "happened"}
    rows = [{given.get(key, key): value for key, value in row.items()} | {"color": "red"} for row in ROWS]
    path = tmp_path / name
    write(path.with_suffix(".jsonl"), rows)
    if name != "rows.jsonl":
        duckdb.sql(f"COPY (FROM '{path.with_suffix('.jsonl')}') TO '{path}'")
    mapping = {"request_id": "id", "output_0": "score", "event_time": "happened"}
    plan, _ = read_portions(path, SIGNATURE, mapping)
    assert plan.unknown == ["color"]
    assert [entry.request_id for entry in entries(path, **mapping)] == ["a", "b", "c"]


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet", "rows.jsonl"])
@pytest.mark.parametrize(
    ("mapping", "complaint"),
    [
        ({"request_id": "id"}, "there is no column 'id'"),
        ({"score": "probability"}, "nothing is called 'score'"),
        ({}, "there is no column for 'visits'"),
    ],
)
def test_a_column_that_is_not_there_is_named(tmp_path: Path, name: str, mapping: dict[str, str], complaint: str):
    rows = [{key: value for key, value in row.items() if mapping or key != "visits"} for row in ROWS]
    with pytest.raises(InputError, match=complaint):
        read_portions(write(tmp_path / name, rows), SIGNATURE, mapping)


def test_lines_of_a_csv_that_are_no_rows_are_told_by_their_number(tmp_path: Path):
    path = tmp_path / "rows.csv"
    text = 'request_id,age,plan,visits,is_new,output_0\na,1,"x\ny",1,true,0.5\n\nb,1,plus\nc,old,plus,1,1_0,0.5\n'
    path.write_text(text)
    _, portions = read_portions(path, SIGNATURE, {})
    (portion,) = portions
    assert (portion.lines, portion.refused) == ([3, 6], [(5, "this line has 3 cells, the header 6")])
    assert portion.done == 1.0
    checked = Checker(SIGNATURE).check(portion.given, EventTime(0))
    assert checked.refused == [(1, "'age' must be a number, not 'old'")]


def test_lines_of_json_that_are_no_objects_are_told_by_their_number(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    rows = [json.dumps(row) for row in ROWS]
    path.write_text(f"{rows[0]}\n\n[1]\n{rows[1]}\nnot json\n" + json.dumps({"request_id": "d", "probability": 1}))
    _, portions = read_portions(path, SIGNATURE, {})
    (portion,) = portions
    assert portion.lines == [1, 4, 6]
    assert [line for line, _ in portion.refused] == [3, 5]
    checked = Checker(SIGNATURE).check(portion.given, EventTime(0))
    assert checked.refused == [(2, "the feature 'age' is missing")]


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet", "rows.jsonl"])
def test_ids_may_be_numbers(tmp_path: Path, name: str):
    rows = [{**row, "request_id": 1_000 + number, "entity_key": 7} for number, row in enumerate(ROWS)]
    found = entries(write(tmp_path / name, rows))
    assert [(entry.request_id, entry.entity_key) for entry in found] == [("1000", "7"), ("1001", "7"), ("1002", "7")]


def test_a_name_with_signs_is_one_file_and_no_pattern(tmp_path: Path):
    write(tmp_path / "rows1.parquet", ROWS)
    path = write(tmp_path / "rows.parquet", ROWS[:1]).rename(tmp_path / "rows[1]*.parquet")
    assert [entry.request_id for entry in entries(path)] == ["a"]


@pytest.mark.parametrize(("name", "content"), [("rows.xls", b""), ("rows.csv", b"\xff\xfe"), ("rows.parquet", b"PAR1")])
def test_a_file_that_cannot_be_read_says_so(tmp_path: Path, name: str, content: bytes):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError):
        list(read_portions(tmp_path / name, SIGNATURE, {})[1])
    with pytest.raises(InputError, match="no such file"):
        read_portions(tmp_path / "none.csv", SIGNATURE, {})
