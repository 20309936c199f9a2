"""A claim that falls short, or was never measured, must be seen: in the table, the JSON and the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from benchmarks.rows import Row, at_least, at_most, control, publish, unmeasured, with_control

FINE = at_most("L5", "CPU of an append", 2.5, 3.0, "us", 5)
SHORT = at_least("L6", "rows a second", 150_000, 200_000, "rows/s", 3, "nobody")


@pytest.mark.parametrize(("value", "holds"), [(2.9, True), (3.0, True), (3.1, False), (float("nan"), False)])
def test_at_most(value: float, holds: bool) -> None:
    assert at_most("L5", "CPU", value, 3.0, "us", 5).holds is holds


@pytest.mark.parametrize(("value", "holds"), [(9, False), (10, True), (11, True), (float("nan"), False)])
def test_at_least(value: float, holds: bool) -> None:
    assert at_least("L6", "rate", value, 10, "rows/s", 5).holds is holds


@pytest.mark.parametrize("make", [at_most, at_least])
def test_figures_of_numpy_can_be_written(make) -> None:
    row = make("P1", "delay", np.float64(2.0), np.float64(2.0), "x", 400)
    assert msgspec.json.decode(msgspec.json.encode(row), type=Row) == row


def test_all_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish("bench-x", [FINE], ["L5"], tmp_path) == 0
    said = capsys.readouterr().out
    assert "CPU of an append" in said
    assert "falls short" not in said


def test_one_falls_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish("bench-x", [SHORT, FINE], ["L5", "L6"], tmp_path) == 1
    assert "falls short: L6 rows a second" in capsys.readouterr().out


def test_a_missing_row_is_a_row_that_falls_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish("bench-x", [FINE], ["L5", "L8"], tmp_path) == 1
    assert "falls short: L8 missing" in capsys.readouterr().out
    assert [row["id"] for row in json.loads((tmp_path / "bench-x.json").read_text())] == ["L5", "L8"]


def test_the_file_has_the_shape_of_all_benchmarks(tmp_path: Path) -> None:
    publish("bench-x", [SHORT, unmeasured("L10", "it broke"), FINE], [], tmp_path)
    rows = json.loads((tmp_path / "bench-x.json").read_text())
    assert [row["id"] for row in rows] == ["L5", "L6", "L10"]
    assert rows[1] == {
        "id": "L6",
        "claim": "rows a second",
        "value": 150_000,
        "bound": 200_000,
        "holds": False,
        "unit": "rows/s",
        "n": 3,
        "peer": "nobody",
    }
    assert rows[2]["value"] is None
    assert rows[2]["holds"] is False


@pytest.mark.parametrize(("seen", "holds"), [(0, False), (1, True), (7, True)])
def test_a_control_must_fail_or_its_rows_are_void(seen: int, holds: bool) -> None:
    rows = with_control([FINE], control("L5", "the check switched off", seen, "records", 20))
    assert [row.holds for row in rows] == [holds, holds]
    assert isinstance(rows[0], Row)
    assert ("void" in rows[0].claim) is not holds
