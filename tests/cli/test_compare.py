"""`gyro profile` and `gyro compare`: two tables, no server."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.cli.compare import DRIFT_EFFECT
from gyroscope.settings import Thresholds


@pytest.fixture
def tables(here):
    rng = np.random.default_rng(0)
    for name, shift in (("before", 0.0), ("after", 0.0), ("moved", 1.0)):
        values = rng.normal(shift, 1, 2_000)
        (here / f"{name}.csv").write_text("x\n" + "\n".join(map(str, values)) + "\n")
    return here


def test_tables_alike_end_with_0(gyro, tables):
    ended = gyro("compare", "before.csv", "after.csv", "--json")
    assert ended.code == 0
    assert ended.json["moved"] == []
    assert ended.json["columns"][0]["name"] == "x"


def test_a_moved_column_ends_with_1_and_a_report(gyro, tables):
    ended = gyro("compare", "before.csv", "moved.csv", "-o", "report.html")
    assert ended.code == 1
    assert "moved by more than 0.3: x" in ended.out
    assert "<html" in (tables / "report.html").read_text()


def test_the_threshold_is_that_of_the_settings():
    assert Thresholds().drift_effect == DRIFT_EFFECT


def test_the_threshold_is_the_users(gyro, tables):
    assert gyro("compare", "before.csv", "moved.csv", "--threshold", "9").code == 0


def test_a_profile_stands_for_its_rows(gyro, tables):
    written = gyro("profile", "before.csv", "-o", "before.profile", "--json").json
    assert (written["rows"], written["columns"]) == (2_000, ["x"])
    by_rows = gyro("compare", "before.csv", "moved.csv", "--json").json
    by_profile = gyro("compare", "before.profile", "moved.csv", "--json").json
    assert by_profile == by_rows


@pytest.mark.parametrize("words", [("none.csv", "after.csv"), ("bad.profile", "after.csv"), ("before.csv", "x.txt")])
def test_what_cannot_be_compared_fails_in_words(gyro, tables, words):
    (tables / "bad.profile").write_bytes(b"hello")
    ended = gyro("compare", *words)
    assert ended.code == 2
    assert "fix:" in ended.err
    assert "Traceback" not in ended.err


def test_a_profile_needs_its_ending(gyro, tables):
    assert gyro("profile", "before.csv", "-o", "before.bin").code == 2
