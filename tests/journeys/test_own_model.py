"""A user's path by the real command line alone: from a joblib file to a served, asked, labelled and measured model."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import joblib
import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier
from tests.journeys.conftest import free_port, leftovers
from tests.journeys.own import call, until

from gyroscope.assembly import House

pytestmark = pytest.mark.journey

GYRO = Path(sys.executable).with_name("gyro")
NAMES = ("age", "income", "visits")
ASKED = 60
DAY_S = 86_400
FIRST_S = 1_767_225_600  # 2026-01-01


class Ended:
    """How a command ended: exit code and both streams."""

    def __init__(self, ended: subprocess.CompletedProcess[str]) -> None:
        self.code, self.out, self.err = ended.returncode, ended.stdout, ended.stderr

    @property
    def json(self) -> Any:
        """The one object on stdout, or that on stderr when it failed."""
        return json.loads(self.out or self.err)


class Shell:
    """A folder in which `gyro` is run as a user runs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *words: object) -> Ended:
        argv = [str(GYRO), *map(str, words)]
        return Ended(subprocess.run(argv, cwd=self.folder, capture_output=True, text=True, timeout=120))

    def fine(self, *words: object) -> Any:
        """A command that must succeed, with its JSON."""
        ended = self(*words, "--json")
        assert ended.code == 0, (words, ended.err)
        return ended.json

    def failed(self, *words: object) -> dict[str, str]:
        """A command that must end with 2; its error in fields, and no traceback either way."""
        plain, ended = self(*words), self(*words, "--json")
        assert (plain.code, ended.code) == (2, 2), (words, plain.out, ended.out)
        assert "Traceback" not in plain.err
        assert set(ended.json) == {"error", "what", "where", "fix"}
        assert ended.json["what"] in plain.err
        return dict(ended.json)


@pytest.fixture
def gyro(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    yield shell
    settings = tmp_path / "gyroscope.yaml"
    shell("down")
    house = House(settings)
    assert not leftovers(house), "processes were left behind"
    shutil.rmtree(house.runtime, ignore_errors=True)


def draw(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and outcomes, noisy enough that no model is perfect."""
    rng = np.random.default_rng(seed)
    x = np.stack([rng.integers(18, 90, n), rng.normal(50, 15, n).round(2), rng.poisson(4, n)], axis=1).astype(float)
    return x, (x[:, 0] / 40 + x[:, 2] / 4 + rng.normal(0, 0.7, n) > 2.3).astype(int)


def write_rows(path: Path, x: np.ndarray) -> None:
    np.savetxt(path, x, delimiter=",", header=",".join(NAMES), comments="", fmt="%.17g")


def write_reference(path: Path) -> None:
    """Ten days of held-out rows with outcome and time."""
    x, y = draw(2, 3_000)
    columns = {name: x[:, at].copy() for at, name in enumerate(NAMES)}
    columns |= {"churned": y, "happened_at": FIRST_S + np.arange(len(y)) * 10 * DAY_S / len(y)}
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT * FROM columns) TO '{path}' (FORMAT parquet)")


def set_port(gyro: Shell, port: int) -> None:
    settings = gyro.folder / "gyroscope.yaml"
    text = settings.read_text(encoding="utf-8")
    assert "port: 8080" in text
    settings.write_text(text.replace("port: 8080", f"port: {port}"), encoding="utf-8")


def convert_and_add(gyro: Shell) -> GradientBoostingClassifier:
    """From a joblib file to a served version; each wrong turn on the way is refused in words."""
    model = GradientBoostingClassifier(n_estimators=30, random_state=0).fit(*draw(1, 2_000))
    joblib.dump(model, gyro.folder / "model.joblib")
    write_rows(gyro.folder / "some.csv", draw(3, 300)[0])
    write_reference(gyro.folder / "held_out.parquet")

    signature = ("--signature", "model.signature.yaml")
    converted = gyro.fine("models", "convert", "model.joblib", "-o", "model.onnx", "--data", "some.csv")
    assert converted["agreement"]["max_abs_difference"] < 1e-4
    assert "pickle" in gyro.failed("models", "add", "churn", "model.joblib", *signature)["what"]
    assert gyro.failed("models", "add", "churn", "modell.onnx", *signature)["where"].endswith("modell.onnx")

    add = ("models", "add", "churn", "model.onnx", *signature, "--reference", "held_out.parquet")
    columns = ("--label-column", "churned", "--time-column", "happened_at")
    doubted = gyro(*add, *columns, "--json")
    assert (doubted.code, doubted.json["added"]) == (1, False), "nobody promised that the rows were held out"
    assert gyro("models", "list", "--json").out == "", "nothing was added"
    assert "'churned'" in gyro.failed(*add, "--label-column", "churnd")["fix"]
    added = gyro.fine(*add, *columns, "--held-out")
    assert added["added"] and added["served"]
    return model


def test_from_a_joblib_file_to_a_measured_model(gyro: Shell) -> None:
    gyro.fine("init")
    assert "there is one already" in gyro.failed("init")["what"]
    port = free_port()
    set_port(gyro, port)
    model = convert_and_add(gyro)

    with socket.create_server(("127.0.0.1", port)):
        taken = gyro.failed("up")
        assert str(port) in taken["what"] + taken["where"]
        print(f"port taken: {taken}")
        assert gyro("status").code == 1, "nothing was started"
    report = gyro.fine("up")
    assert report["address"].endswith(f":{port}")
    assert report["models"] == ["churn"]
    assert {one["state"] for one in gyro.fine("status")["processes"]} == {"ready"}
    assert gyro.failed("up")["what"].startswith("a supervisor already runs")

    x, y = draw(4, ASKED)
    write_rows(gyro.folder / "rows.csv", x)
    asked = gyro.fine("predict", "churn", "--rows", "rows.csv", "--request-id", "visit-1", "--event-time", "2026-02-01")
    assert (asked["request_id"], asked["logged"]) == ("visit-1", "os")
    wanted = model.predict_proba(x)[:, 1]
    assert np.abs(np.array(asked["predictions"]) - wanted).max() < 1e-4
    mistyped = gyro.failed("predict", "churn", "--set", "age=41", "--set", "incom=3", "--set", "visits=1")
    assert "'income'" in mistyped["fix"]

    label(gyro, y)
    measured(gyro, port, Path(report["api_key_path"]).read_text().strip(), float(np.mean((wanted >= 0.5) == y)))
    assert "control" in gyro.fine("down")["stopped"]
    assert gyro.fine("down")["stopped"] == []
    assert gyro("status").code == 1
    assert "gyro up" in gyro.failed("predict", "churn", "--rows", "rows.csv")["fix"]
    with socket.create_server(("127.0.0.1", port)):
        pass


def label(gyro: Shell, y: np.ndarray) -> None:
    """All outcomes from a file, once more, and one that cannot be: each counted, the wrong one named with its line."""
    lines = ["request_id,row,value", *(f"visit-1,{row},{value}" for row, value in enumerate(y))]
    (gyro.folder / "outcomes.csv").write_text("\n".join(lines) + "\n")
    first = gyro.fine("labels", "add", "outcomes.csv", "--model", "churn")
    assert first["received"] == ASKED == first["joined"] + first["pending"]
    assert gyro.fine("labels", "add", "outcomes.csv", "--model", "churn")["duplicate"] == ASKED
    (gyro.folder / "wrong.csv").write_text("request_id,value\nvisit-2,1\nvisit-1,perhaps\n")
    wrong = gyro("labels", "add", "wrong.csv", "--model", "churn")
    assert (wrong.code, "wrong.csv:3: " in wrong.err) == (1, True)
    assert "did you mean" in gyro.failed("labels", "add", "outcomes.csv", "--model", "chrn")["fix"]

    def labels() -> Any:
        return gyro.fine("status")["models"][0]["labels"]

    until(lambda: labels()["joined"] == ASKED, "every label is joined")
    found = {state: count for state, count in labels().items() if count}
    assert found == {"joined": ASKED, "duplicate": ASKED, "pending": 1, "refused": 1}


def measured(gyro: Shell, port: int, key: str, accuracy: float) -> None:
    """The day's accuracy is there for programs, and /metrics wants the one replica that the settings ask for."""
    bearer = {"Authorization": f"Bearer {key}"}

    def points() -> list[dict[str, Any]]:
        found = call(port, "GET", "/v1/signals?name=performance&model=churn&metric=accuracy", headers=bearer).said
        return [point for point in found["points"] if point["n"] == ASKED]

    until(points, "the labelled day is measured")
    assert points()[0]["value"] == accuracy
    text = call(port, "GET", "/metrics", headers=bearer).text
    assert 'gyroscope_replicas{model="churn",state="wanted"} 1\n' in text
    print(f"accuracy of the {ASKED} labelled rows: {accuracy:.4f}")


def test_a_wrong_setting_is_named_with_its_line(gyro: Shell) -> None:
    gyro.fine("init")
    settings = gyro.folder / "gyroscope.yaml"
    right = settings.read_text(encoding="utf-8")
    for wrong, key in (("prot: 8080", "door.prot"), ("port: many", "door.port"), ("port: 99999", "door.port")):
        text = right.replace("port: 8080", wrong)
        line = next(number for number, one in enumerate(text.splitlines(), 1) if wrong in one)
        settings.write_text(text, encoding="utf-8")
        told = gyro.failed("status")
        assert f"gyroscope.yaml:{line}" in told["where"]
        assert key in told["what"] + told["where"]
    settings.write_text(right, encoding="utf-8")
