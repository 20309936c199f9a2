"""`gyroscope.predictions` and `gyroscope.log`: a home from a script, with nothing running."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from tests.alerts.causes import cause, judged

import gyroscope
from gyroscope.assembly import House
from gyroscope.clock import EventTime, wall_now
from gyroscope.errors import InputError, ModelError, SettingsError
from gyroscope.models import Candidate
from gyroscope.records import Feature, Label, Signature

SIGNATURE = Signature("binary", (Feature("age"), Feature("plan", "string", ("basic", "plus"))))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "gyroscope.yaml").write_text("home: home\nruntime_dir: runtime\n")
    House(tmp_path / "gyroscope.yaml").models.add(Candidate("churn", "external", SIGNATURE), wall_now())
    monkeypatch.delenv("GYROSCOPE_SETTINGS", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(model: str = "churn") -> pl.DataFrame:
    return gyroscope.predictions(model).window().polars().sort("request_id")


INPUTS = [
    {"age": [41.0, 29.0], "plan": ["plus", None], "other": [1, 2]},
    {"age": np.array([41.0, 29.0]), "plan": np.array(["plus", None], dtype=object)},
    pd.DataFrame({"age": [41, 29], "plan": ["plus", None]}),
    pl.DataFrame({"age": [41.0, 29.0], "plan": ["plus", None]}),
    [{"age": 41, "plan": "plus"}, {"age": 29}],
]


@pytest.mark.parametrize("inputs", INPUTS, ids=["lists", "arrays", "pandas", "polars", "records"])
@pytest.mark.parametrize("outputs", [[0.7, 0.1], np.array([[0.7], [0.1]]), pd.Series([0.7, 0.1])])
def test_any_table_can_be_logged(home: Path, inputs: object, outputs: object):
    ids = gyroscope.log("churn", inputs, outputs, ["a", "b"], ["2026-03-01T12:00:00+01:00", 1772366400])
    assert ids == ["a", "b"]
    found = rows().select("request_id", "feature_age", "feature_plan", "output_0").rows()
    assert found == [("a", 41.0, "plus", 0.7), ("b", 29.0, None, 0.1)]
    assert rows()["event_time"].to_list()[0] == datetime(2026, 3, 1, 11, tzinfo=UTC)


def test_one_row_is_a_record_and_its_answer(home: Path):
    (made,) = gyroscope.log("churn", {"age": 41, "plan": "plus"}, 0.7, entity_keys=["customer 7"])
    assert rows().select("request_id", "entity_key", "output_0").rows() == [(made, "customer 7", 0.7)]


def test_ids_are_made_where_there_are_none_and_a_row_under_its_id_is_recorded_once(home: Path):
    made = gyroscope.log("churn", {"age": [1.0, 2.0], "plan": ["plus", "plus"]}, [0.1, 0.2])
    assert len(set(made)) == 2
    for _ in range(2):
        gyroscope.log("churn", {"age": [1.0, 2.0], "plan": ["plus", "plus"]}, [0.1, 0.2], request_ids=made)
    assert rows()["request_id"].to_list() == sorted(made)


def test_ids_may_be_a_column_of_numbers(home: Path):
    frame = pd.DataFrame({"id": [7, 8], "age": [1.0, 2.0], "plan": ["plus", "plus"]})
    assert gyroscope.log("churn", frame, [0.1, 0.2], frame["id"], entity_keys=frame["id"]) == ["7", "8"]
    assert rows().select("request_id", "entity_key").rows() == [("7", "7"), ("8", "8")]


def test_a_row_that_does_not_fit_stops_all_of_them(home: Path):
    with pytest.raises(InputError, match=r"1 rows do not fit.*row 1: output 0 is no probability"):
        gyroscope.log("churn", {"age": [1.0, 2.0], "plan": ["plus", "plus"]}, [0.1, 7])
    with pytest.raises(InputError, match="outputs has 3 rows"):
        gyroscope.log("churn", {"age": [1.0, 2.0], "plan": ["plus", "plus"]}, [0.1, 0.2, 0.3], ["a", "b"])
    with pytest.raises(gyroscope.GyroscopeError, match="no predictions"):
        rows()


def test_a_word_that_log_does_not_know_is_refused(home: Path):
    with pytest.raises(InputError, match="takes no 'event_time'") as refused:
        gyroscope.log("churn", {"age": [1.0], "plan": ["basic"]}, [0.5], event_time=["2026-01-01"])  # type: ignore[call-arg]
    assert "event_times" in refused.value.fix


def test_a_model_is_registered_only_when_asked(home: Path, capsys: pytest.CaptureFixture[str]):
    inputs = {"size": [1.5, 2.5], "color": ["red", "blue"]}
    with pytest.raises(ModelError, match="no model is called 'price'"):
        gyroscope.log("price", inputs, [150.0, 250.0])
    gyroscope.log("price", inputs, [150.0, 250.0], ["a", "b"], register=True)
    assert "added price" in capsys.readouterr().err
    (version,) = House(home / "gyroscope.yaml").models.versions("price")
    assert (version.runner, version.signature.task) == ("external", "regression")
    assert version.signature.names == ("size", "color")
    gyroscope.log("price", inputs, [150.0, 250.0], ["c", "d"], register=True)
    assert capsys.readouterr().err == ""
    assert rows("price")["output_0"].to_list() == [150.0, 250.0, 150.0, 250.0]


def test_a_window_bounds_event_time_and_shows_labels(home: Path):
    times = [datetime(2026, 3, day, tzinfo=UTC) for day in (1, 2, 3)]
    ages = {"age": [1.0, 2.0, 3.0], "plan": ["plus"] * 3}
    gyroscope.log("churn", ages, [0.1, 0.2, 0.3], ["a", "b", "c"], times)
    House(home / "gyroscope.yaml").labels.add("churn", [Label("b", 1.0)], wall_now())
    chosen = gyroscope.predictions("churn").window("2026-03-02", datetime(2026, 3, 4), labels=True)  # noqa: DTZ001
    assert chosen.polars().select("request_id", "label").sort("request_id").rows() == [("b", 1.0), ("c", None)]
    assert chosen.sql("SELECT avg(label) AS rate FROM predictions").polars().item() == 1.0
    with pytest.raises(InputError, match="is no time"):
        gyroscope.predictions("churn").window("soon")


def test_a_home_is_named_by_its_folder_or_its_settings(home: Path, monkeypatch: pytest.MonkeyPatch):
    gyroscope.log("churn", {"age": 1, "plan": "plus"}, 0.5, ["a"])
    elsewhere = home / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir("/")
    for place in (home, str(home / "gyroscope.yaml")):
        assert gyroscope.predictions("churn", place).window().arrow().num_rows == 1
    with pytest.raises(SettingsError, match=r"no gyroscope\.yaml"):
        gyroscope.predictions("churn")
    with pytest.raises(ModelError, match="did you mean 'churn'"):
        gyroscope.predictions("chrun", home)


def test_the_function_and_the_room_of_its_name_are_one():
    program = (
        "import gyroscope, sys\n"
        "assert not [name for name in ('numpy', 'duckdb', 'polars', 'pandas') if name in sys.modules]\n"
        "first = gyroscope.predictions\n"
        "import gyroscope.predictions.tables.table\n"
        "from gyroscope import predictions\n"
        "assert first is predictions is gyroscope.predictions and callable(first)\n"
        "assert gyroscope.predictions.tables.table.Table\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_incidents_and_a_rehearsal_from_a_script(home):
    at = EventTime(0)
    broken = cause("quality", 0, "age", model="churn", since=at, seen=at)
    House(home / "gyroscope.yaml").incidents.take("churn", judged(broken))
    assert [one.subjects for one in gyroscope.incidents("churn")] == [("age",)]
    assert gyroscope.incidents() == gyroscope.incidents("churn")
    assert gyroscope.rehearse("churn").incidents == ()
    with pytest.raises(ModelError, match="chrun"):
        gyroscope.incidents("chrun")
    with pytest.raises(InputError, match="seldom"):
        gyroscope.rehearse("churn", "seldom")
