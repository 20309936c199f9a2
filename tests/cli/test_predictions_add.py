"""`gyro predictions add`: files of a model served elsewhere, into the log of this home, where nothing runs."""

from __future__ import annotations

import csv
import json
import shutil

import duckdb
import pytest

from gyroscope.settings import read_settings

SIGNATURE = """\
task: binary
features:
  - {name: age, dtype: float64}
  - {name: plan, dtype: string, categories: [basic, plus]}
"""
COUNT = "SELECT count(*) AS n, count(DISTINCT request_id) AS ids FROM attempts"


@pytest.fixture
def shop(gyro, here):
    """A model that is served elsewhere and a file of what it answered."""
    assert gyro("init").code == 0
    (here / "signature.yaml").write_text(SIGNATURE)
    assert gyro("models", "add", "scores", "--external", "--signature", "signature.yaml", "--version", "v7").code == 0
    with (here / "scored.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "age", "plan", "score", "happened", "note"])
        writer.writerows([f"c-{n}", n / 3, "plus", (n % 10) / 10, f"2026-03-{1 + n % 28:02d}", "x"] for n in range(500))
    yield here
    # What is added lies in memory until it is recorded.
    shutil.rmtree(read_settings(here / "gyroscope.yaml").runtime_path, ignore_errors=True)


ADD = ("predictions", "add", "scored.csv", "--model", "scores", "--map", "request_id=id,output_0=score")
ADD = (*ADD, "--event-time-column", "happened")


def counted(gyro) -> str:
    ended = gyro("predictions", "query", COUNT, "--format", "csv")
    assert ended.code == 0, ended.err
    return ended.out.splitlines()[1]


def test_a_file_is_added_and_recorded_though_nothing_runs(gyro, shop):
    ended = gyro(*ADD, "--json")
    assert ended.code == 0, ended.err
    told = ended.json
    assert (told["received"], told["written"], told["refused"], told["left_out"]) == (500, 500, 0, ["note"])
    assert counted(gyro) == "500,500"
    sql = "SELECT day, feature_age, feature_plan, output_0 FROM predictions WHERE request_id = 'c-100'"
    ended = gyro("predictions", "query", sql, "--format", "json")
    assert json.loads(ended.out) == {
        "day": "2026-03-17", "feature_age": 100 / 3, "feature_plan": "plus", "output_0": 0.0,
    }  # fmt: skip


def test_the_same_file_again_doubles_nothing(gyro, shop):
    assert [gyro(*ADD).code for _ in range(3)] == [0, 0, 0]
    assert counted(gyro) == "500,500"


def test_what_is_refused_is_named_with_its_line(gyro, shop):
    text = (shop / "scored.csv").read_text().splitlines()
    text[3], text[7] = "c-2,old,plus,0.5,2026-03-01,x", "c-6,1"
    (shop / "scored.csv").write_text("\n".join(text) + "\n")
    ended = gyro(*ADD)
    assert ended.code == 1
    assert "500 received, 498 written, 2 refused" in ended.out
    assert "scored.csv:4: 'age' must be a number, not 'old'" in ended.err
    assert "scored.csv:8: this line has 2 cells, the header 6" in ended.err
    assert counted(gyro) == "498,498"


def test_parquet_goes_the_same_way_and_an_export_comes_back(gyro, shop):
    duckdb.sql("COPY (FROM 'scored.csv') TO 'scored.parquet'")
    assert gyro(*(word.replace(".csv", ".parquet") for word in ADD)).code == 0
    assert gyro("predictions", "export", "scores", "-o", "out.parquet").code == 0
    assert gyro("models", "add", "copy", "--external", "--signature", "signature.yaml").code == 0
    ended = gyro("predictions", "add", "out.parquet", "--model", "copy")
    assert ended.code == 0, ended.err
    assert gyro("predictions", "export", "copy", "-o", "copy.parquet").code == 0
    columns = "request_id, event_time::VARCHAR, feature_age, feature_plan, output_0, day"
    both = [
        duckdb.sql(f"SELECT {columns} FROM '{name}' ORDER BY ALL").fetchall()
        for name in ("out.parquet", "copy.parquet")
    ]
    assert len(both[0]) == 500
    assert both[0] == both[1]


def test_a_version_is_named_as_it_is_called_there(gyro, shop):
    assert gyro(*ADD, "--version", "v7").code == 0
    ended = gyro(*ADD, "--version", "v8")
    assert (ended.code, "known: v7" in ended.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--model", "score"), "did you mean 'scores'"),
        (("--model", "scores"), "there is no column for 'request_id'"),
        (("--model", "scores", "--map", "request_id"), "maps nothing"),
        (("--model", "scores", "--map", "request_id=ident"), "there is no column 'ident'"),
        (("--model", "scores", "--map", "request=id"), "nothing is called 'request'"),
    ],
)
def test_wrong_words_are_told_before_anything_is_written(gyro, shop, words, complaint):
    ended = gyro("predictions", "add", "scored.csv", *words)
    assert (ended.code, complaint in ended.err) == (2, True), ended.err
    assert "no predictions" in gyro("predictions", "query", COUNT).err


def test_a_model_that_is_served_elsewhere_is_said_to_be(gyro, shop):
    model = gyro("status", "--json").json["models"][0]
    assert (model["name"], model["elsewhere"], model["replicas_wanted"]) == ("scores", True, 0)
    assert "served elsewhere" in gyro("status").out
    asked = gyro("predict", "scores", "--set", "age=1")
    assert asked.code == 2 and "is asked there" in asked.err
