"""`gyro predictions tail`, `query` and `export` on a table that is there."""

from __future__ import annotations

import csv
import json

import duckdb
import pytest
from tests.predictions.written import row, write

SIGNATURE = """\
task: binary
features:
  - {name: distance, dtype: float64}
  - {name: carrier, dtype: string, categories: [AA, UA]}
"""
CODE = "class Model:\n    def predict(self, matrix, columns):\n        return matrix[:, 0] * 0\n"


@pytest.fixture
def shop(gyro, here):
    """A home with 72 hourly predictions of one model; one text is hostile to terminals and spreadsheets."""
    assert gyro("init").code == 0
    (here / "signature.yaml").write_text(SIGNATURE)
    (here / "model.py").write_text(CODE)
    assert gyro("models", "add", "flights", "model.py:Model", "--signature", "signature.yaml").code == 0
    rows = [row(number) for number in range(72)]
    rows[70] |= {"feature_carrier": "=1+1\x1b[31m\x07", "request_id": "evil"}
    rows[71] |= {"status": 500, "error": "model_raised: \x1b]0;owned\x07 " + "x" * 200, "output_0": None}
    write(here / ".gyroscope" / "tables" / "flights", rows)
    return here


def test_tail_shows_the_newest_and_obeys_no_control_character(gyro, shop):
    ended = gyro("predictions", "tail", "flights", "-n", "3")
    assert ended.code == 0, ended.err
    assert "\x1b" not in ended.out
    assert "\x07" not in ended.out
    lines = ended.out.rstrip().splitlines()
    assert "r-69" in lines[-3]
    assert "\\x1b" in lines[-2]
    assert "r-71" in lines[-1]
    assert "x" * 100 not in ended.out


def test_tail_of_errors_as_json(gyro, shop):
    found = gyro("predictions", "tail", "flights", "--errors", "--json").json
    assert (found["request_id"], found["status"], found["outputs"]) == ("r-71", 500, [None])
    assert found["arrival_time"] == "2013-03-03T23:00:01+00:00"


def test_tail_of_a_model_that_is_not_there_says_so(gyro, shop):
    ended = gyro("predictions", "tail", "flight")
    assert ended.code == 2
    assert "did you mean 'flights'" in ended.err


def test_tail_of_a_model_that_was_never_asked_is_no_error(gyro, shop):
    assert gyro("models", "add", "quiet", "model.py:Model", "--signature", "signature.yaml").code == 0
    ended = gyro("predictions", "tail", "quiet")
    assert (ended.code, "nothing yet" in ended.out) == (0, True)


def test_a_query_prints_a_table(gyro, shop):
    ended = gyro("predictions", "query", "SELECT count(*) AS n, min(request_id) AS first FROM predictions")
    assert ended.code == 0, ended.err
    assert ended.out.split()[-2:] == ["72", "evil"]


def test_a_query_prints_csv_that_no_spreadsheet_runs(gyro, shop):
    sql = "SELECT feature_carrier, output_0 FROM predictions WHERE request_id = 'evil'"
    ended = gyro("predictions", "query", sql, "--format", "csv")
    assert ended.code == 0, ended.err
    assert list(csv.reader(ended.out.splitlines()))[1] == ["'=1+1\x1b[31m\x07", repr(1 / 71)]


def test_a_query_prints_json_lines_and_writes_files(gyro, shop):
    sql = "SELECT day, count(*) AS n FROM predictions GROUP BY day ORDER BY day"
    ended = gyro("predictions", "query", sql, "--format", "json", "--first-day", "2013-03-02")
    assert [json.loads(line) for line in ended.out.splitlines()] == [
        {"day": "2013-03-02", "n": 24},
        {"day": "2013-03-03", "n": 24},
    ]
    assert gyro("predictions", "query", sql, "-o", "days.parquet").code == 0
    assert duckdb.sql(f"SELECT sum(n) FROM '{shop}/days.parquet'").fetchall() == [(72,)]
    assert "there already" in gyro("predictions", "query", sql, "-o", "days.parquet").err


@pytest.mark.parametrize(
    "sql", ["SELECT * FROM read_csv('/etc/passwd')", "DELETE FROM predictions", "SELECT 1; SELECT 2"]
)
def test_a_query_can_do_no_harm(gyro, shop, sql):
    ended = gyro("predictions", "query", sql)
    assert (ended.code, ended.out) == (2, "")


def test_with_two_models_a_query_names_one(gyro, shop):
    assert gyro("models", "add", "quiet", "model.py:Model", "--signature", "signature.yaml").code == 0
    assert "which model?" in gyro("predictions", "query", "SELECT 1").err
    assert gyro("predictions", "query", "SELECT 1 FROM predictions", "--model", "flights").code == 0
    assert "did you mean" in gyro("predictions", "query", "SELECT 1", "--model", "flight").err


def test_labels_stand_beside_predictions_in_a_query(gyro, shop):
    sql = "SELECT count(*) AS n, count(label) AS known FROM predictions"
    ended = gyro("predictions", "query", sql, "--labels", "--format", "csv")
    assert ended.out == "n,known\n72,0\n", ended.err


def test_export_writes_days_and_columns_and_replaces_nothing(gyro, shop):
    words = ("predictions", "export", "flights", "--columns", "request_id, output_0", "-o", "out.csv")
    ended = gyro(*words, "--first-day", "2013-03-01", "--last-day", "2013-03-01", "--json")
    assert ended.json == {"rows": 24, "file": "out.csv"}
    with (shop / "out.csv").open(newline="") as lines:
        found = {cells["request_id"]: float(cells["output_0"]) for cells in csv.DictReader(lines)}
    assert found == {f"r-{number}": 1 / (number + 1) for number in range(24)}
    assert gyro(*words).code == 2
    assert gyro(*words, "--force").code == 0
    with (shop / "out.csv").open(newline="") as lines:
        assert len(list(csv.DictReader(lines))) == 72


def test_export_of_what_is_not_there_says_so(gyro, shop):
    assert (
        "did you mean 'output_0'" in gyro("predictions", "export", "flights", "--columns", "output", "-o", "o.csv").err
    )
    assert not (shop / "o.csv").exists()


def test_export_of_days_without_predictions_is_a_file_without_rows(gyro, shop):
    ended = gyro("predictions", "export", "flights", "--first-day", "2014-01-01", "--columns", "row", "-o", "o.csv")
    assert (ended.out, (shop / "o.csv").read_text()) == ("0 rows in o.csv\n", "row\n")
