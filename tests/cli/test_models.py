"""`gyro models add`, `list`, `show` and `serve`, with a real model of one's own code and real files."""

from __future__ import annotations

import json
import pickle

import duckdb
import numpy as np
import pytest

SIGNATURE = """\
task: binary
features:
  - {name: age, dtype: float64}
  - {name: plan, dtype: string, categories: [basic, plus]}
"""

CODE = """\
class Churn:
    def predict(self, matrix, columns):
        return 1 / (1 + 2.718281828 ** -((matrix[:, 0] - 40) / 10))
"""


@pytest.fixture
def shop(gyro, here):
    """A home with a model's code, its signature and held-out rows."""
    assert gyro("init").code == 0
    (here / "signature.yaml").write_text(SIGNATURE)
    (here / "churn.py").write_text(CODE)
    rng = np.random.default_rng(0)
    ages = rng.normal(40, 10, 300)
    rows = {"age": ages, "plan": rng.choice(["basic", "plus"], 300).astype(object)}
    rows |= {"churned": (ages > 42).astype(np.int64), "day": np.arange(300) % 10, "score": rng.uniform(0, 1, 300)}
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        query = "SELECT * EXCLUDE day, TIMESTAMP '2026-01-01' + to_days(day::int) AS happened FROM rows"
        connection.execute(f"COPY ({query}) TO '{here}/held_out.parquet' (FORMAT parquet)")
        connection.execute(f"COPY ({query}) TO '{here}/held_out.csv' (FORMAT csv, HEADER)")
    return here


ADD = ("models", "add", "churn", "churn.py:Churn", "--signature", "signature.yaml")
OUTCOMES = ("--label-column", "churned", "--time-column", "happened")


def test_a_first_version_is_added_and_served(gyro, shop):
    ended = gyro(*ADD, "--json")
    assert ended.code == 0, ended.err
    assert ended.json["added"]
    assert ended.json["served"]
    assert ended.json["version"]["runner"] == "python"
    listed = gyro("models", "list", "--json").json
    assert (listed["version"], listed["share"]) == (ended.json["version"]["version"], 1.0)


def test_without_a_reference_the_user_is_told_what_will_become_one(gyro, shop):
    assert "first 7 days" in gyro(*ADD).out


def test_the_same_content_again_is_the_same_version(gyro, shop):
    first, second = gyro(*ADD, "--json").json, gyro(*ADD, "--json").json
    assert first["version"]["version"] == second["version"]["version"]


def test_a_second_version_waits_until_it_is_told_to_serve(gyro, shop):
    gyro(*ADD)
    (shop / "churn.py").write_text(CODE.replace("40", "41"))
    second = gyro(*ADD, "--json").json
    name = second["version"]["version"]
    assert not second["served"]
    rehearsed = gyro("models", "serve", "churn", name, "--dry-run", "--json").json
    assert not rehearsed["changed"]
    assert rehearsed["before"] != rehearsed["after"]
    assert gyro("models", "serve", "churn", name, "--reason", "it is better", "--json").json["changed"]
    assert not gyro("models", "serve", "churn", "--json").json["changed"], "the newest is the one that is served"
    shown = gyro("models", "show", "churn").out
    assert "it is better" in shown
    assert "the first version of its model" in shown


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_promised_reference_is_kept_with_its_windows(gyro, shop, kind):
    ended = gyro(*ADD, "--reference", f"held_out.{kind}", *OUTCOMES, "--held-out", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["complaints"] == []
    assert "300 rows, 300 with an outcome, in 10 windows" in gyro("models", "show", "churn").out


def test_scores_of_folds_need_no_promise(gyro, shop):
    ended = gyro(*ADD, "--reference", "held_out.parquet", "--score-column", "score", *OUTCOMES, "--json")
    assert ended.code == 0, ended.err
    assert ended.json["added"]


def test_a_reference_that_looks_in_sample_stops_the_adding(gyro, shop):
    ended = gyro(*ADD, "--reference", "held_out.parquet", *OUTCOMES, "--json")
    assert ended.code == 1
    assert not ended.json["added"]
    assert "exactly what this version says" in ended.json["complaints"][0]
    assert gyro("models", "list", "--json").out == ""


def test_a_reference_without_times_is_told(gyro, shop):
    ended = gyro(*ADD, "--reference", "held_out.parquet", "--label-column", "churned", "--held-out")
    assert ended.code == 0
    assert "no event times" in ended.err


def test_training_rows_in_the_reference_are_told(gyro, shop):
    ended = gyro(
        *ADD, "--reference", "held_out.parquet", *OUTCOMES, "--score-column", "score", "--training-rows", "held_out.csv"
    )
    assert ended.code == 1
    assert "also training rows" in ended.err


def test_a_class_in_a_folder_is_added_with_the_folder(gyro, shop):
    (shop / "code").mkdir()
    (shop / "code" / "factor.py").write_text("HALF = 0.5\n")
    (shop / "code" / "model.py").write_text(
        "from factor import HALF\n"
        "class Churn:\n    def predict(self, matrix, columns):\n        return matrix[:, 0] * 0 + HALF\n"
    )
    ended = gyro("models", "add", "churn", "model:Churn", "--code", "code", "--signature", "signature.yaml", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["version"]["entry"] == "model:Churn"


WRONG = {
    "no such file": (("nowhere.onnx",), "no such file"),
    "no such class file": (("nowhere:Churn",), "to find the class 'Churn'"),
    "code without its class": (("churn.py",), "needs the name of its class"),
    "a file of no known kind": (("signature.yaml",), "neither ONNX nor LightGBM"),
    "an unknown runner": (("churn.py:Churn", "--runner", "pyhton"), "no runner is called 'pyhton'"),
    "a missing signature": (("churn.py:Churn", "--signature", "none.yaml"), "signature file cannot be read"),
    "a missing reference": (("churn.py:Churn", "--reference", "none.parquet"), "no such file"),
    "an unknown column": (
        ("churn.py:Churn", "--reference", "held_out.csv", "--label-column", "churn"),
        "no column 'churn'",
    ),
    "times that are none": (
        ("churn.py:Churn", "--reference", "held_out.csv", "--time-column", "plan"),
        "a time cannot be read",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_added_fails_in_words(gyro, shop, case):
    words, what = WRONG[case]
    given = [*words] if "--signature" in words else [*words, "--signature", "signature.yaml"]
    ended = gyro("models", "add", "churn", *given, "--json")
    assert ended.code == 2
    told = json.loads(ended.err)
    assert what in told["what"]
    assert told["fix"]
    assert gyro("models", "list").out.startswith("no models yet")


def test_a_pickle_is_not_loaded_and_the_way_out_is_named(gyro, shop):
    (shop / "model.onnx").write_bytes(pickle.dumps([1, 2, 3]))
    ended = gyro("models", "add", "churn", "model.onnx", "--signature", "signature.yaml")
    assert ended.code == 2
    assert "gyro models convert" in ended.err


@pytest.mark.parametrize(
    "words", [("show", "chrun"), ("serve", "chrun"), ("serve", "churn", "000000000000"), ("show", "churn", "x")]
)
def test_what_is_not_there_gets_a_near_name(gyro, shop, words):
    gyro(*ADD)
    ended = gyro("models", *words)
    assert ended.code == 2
    assert "known:" in ended.err


def test_a_model_served_elsewhere_has_a_signature_and_no_artifact(gyro, shop):
    words = ("models", "add", "scores", "--external", "--signature", "signature.yaml", "--version", "2026-05")
    ended = gyro(*words, "--json")
    assert ended.code == 0, ended.err
    version = ended.json["version"]
    assert (version["runner"], version["entry"], ended.json["served"]) == ("external", "2026-05", False)
    assert gyro(*words, "--json").json["version"] == version
    assert "gyro predictions add" in gyro(*words).out
    assert "2026-05" in gyro("models", "show", "scores").out
    refused = gyro("models", "serve", "scores")
    assert (refused.code, "served elsewhere" in refused.err) == (2, True)


def test_the_reference_of_a_model_served_elsewhere_brings_its_scores(gyro, shop):
    words = ("models", "add", "scores", "--external", "--signature", "signature.yaml", *OUTCOMES, "--held-out")
    missing = gyro(*words, "--reference", "held_out.parquet")
    assert (missing.code, "--score-column" in missing.err) == (2, True)
    ended = gyro(*words, "--reference", "held_out.parquet", "--score-column", "score")
    assert ended.code == 0, ended.err
    assert "300 rows, 300 with an outcome" in gyro("models", "show", "scores").out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("churn.py:Churn", "--external"), "has no artifact"),
        (("churn.py:Churn", "--version", "2026-05"), "named by its content"),
        ((), "which artifact?"),
    ],
)
def test_an_artifact_or_elsewhere_is_one_of_the_two(gyro, shop, words, complaint):
    ended = gyro("models", "add", "churn", *words, "--signature", "signature.yaml")
    assert (ended.code, complaint in ended.err) == (2, True)
