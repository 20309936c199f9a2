"""The commands about labels that need no running house; `add` with one is a journey."""

from __future__ import annotations

import pytest

CODE = """\
class Churn:
    def predict(self, matrix, columns):
        return matrix[:, 0] * 0
"""


@pytest.fixture
def shop(gyro, here):
    """A home with a model and a source of labels: the states of what it brings are known."""
    assert gyro("init").code == 0
    (here / "signature.yaml").write_text("task: binary\nfeatures:\n  - {name: age, dtype: float64}\n")
    (here / "churn.py").write_text(CODE)
    assert gyro("models", "add", "churn", "churn.py:Churn", "--signature", "signature.yaml").code == 0
    (here / "labels.csv").write_text("request_id,value\na,1\na,1\nb,0\nc,perhaps\n")
    settings = here / "gyroscope.yaml"
    settings.write_text(
        settings.read_text().replace("label_sources: {}", "label_sources: {shop: {model: churn, path: '*.csv'}}")
    )
    return here


def test_a_source_is_pulled_once_and_its_refused_rows_are_named(gyro, shop):
    ended = gyro("labels", "pull", "shop")
    assert ended.code == 1
    assert "4 received" in ended.out
    assert "labels.csv:5: 'perhaps' is not a number" in ended.err
    again = gyro("labels", "pull", "shop", "--json")
    assert (again.code, again.json["received"]) == (0, 0)


def test_counts_add_up_now_and_as_of_then(gyro, shop):
    gyro("labels", "pull", "shop")
    now = gyro("labels", "counts", "churn", "--json").json
    assert {state: count for state, count in now.items() if count} == {
        "received": 4, "pending": 2, "duplicate": 1, "refused": 1,
    }  # fmt: skip
    assert "pending" in gyro("labels", "counts", "churn").out
    assert gyro("labels", "counts", "churn", "--as-of", "2020-01-01", "--json").json["received"] == 0
    assert gyro("labels", "counts", "churn", "--as-of", "2100-01-01", "--json").json["received"] == 4


def test_refused_labels_are_listed(gyro, shop):
    assert gyro("labels", "refused", "churn").out == "no label was refused\n"
    gyro("labels", "pull", "shop")
    ended = gyro("labels", "refused", "churn")
    assert (ended.code, "perhaps" in ended.out) == (1, True)
    assert gyro("labels", "refused", "churn", "--json").json[0]["row"] == 5


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        (("labels", "pull", "shpo"), "shop"),
        (("labels", "counts", "chrun"), "churn"),
        (("labels", "refused", "chrun"), "churn"),
        (("labels", "counts", "churn", "--as-of", "noon"), "2026"),
        (("labels", "add", "labels.txt", "--model", "churn"), ".parquet"),
        (("labels", "add", "none.csv", "--model", "churn"), "whole"),
    ],
)
def test_what_cannot_be_done_is_told_with_its_fix(gyro, shop, words, fix):
    ended = gyro(*words)
    assert ended.code == 2
    assert fix in ended.err
