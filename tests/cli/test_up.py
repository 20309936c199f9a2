"""`gyro up`, `status`, `predict`, `labels add`, `link` and `down` with real processes on 127.0.0.1."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gyroscope.settings import read_settings

GYRO = str(Path(sys.executable).parent / "gyro")
SIGNATURE = "task: regression\noutput: minutes\nfeatures: [{name: distance}]\n"
CODE = "class Slow:\n    def predict(self, matrix, columns):\n        return matrix[:, 0] / 8 + 20\n"


@pytest.fixture
def house(gyro, here, free_port):
    """A home with one model and a free port; whatever runs is stopped at the end."""
    (here / "gyroscope.yaml").write_text(f"door: {{port: {free_port}}}\n")
    (here / "signature.yaml").write_text(SIGNATURE)
    (here / "slow.py").write_text(CODE)
    assert gyro("models", "add", "flights", "slow.py:Slow", "--signature", "signature.yaml").code == 0
    yield here
    subprocess.run([GYRO, "down"], cwd=here, check=True, capture_output=True)
    shutil.rmtree(read_settings(here / "gyroscope.yaml").runtime_path, ignore_errors=True)


@pytest.mark.journey
def test_a_model_is_served_asked_labelled_and_stopped(gyro, house):
    report = gyro("up", "--json").json
    assert report["models"] == ["flights"]
    assert "/login?code=" in report["link"]

    asked = gyro("predict", "flights", "--set", "distance=800", "--request-id", "trip-1", "--json")
    assert asked.code == 0, asked.err
    assert asked.json["predictions"] == [120.0]
    assert asked.json["request_id"] == "trip-1"
    assert asked.json["logged"] == "os"

    (house / "outcomes.csv").write_text("request_id,value\ntrip-1,130\ntrip-1,never\n")
    labelled = gyro("labels", "add", "outcomes.csv", "--model", "flights", "--json")
    assert labelled.code == 1
    assert labelled.json["received"] == 2
    assert [one["line"] for one in labelled.json["refused"]] == [3]

    assert gyro("link", "--json").json["link"] != report["link"]
    status = gyro("status", "--json")
    assert status.code == 0
    assert {one["state"] for one in status.json["processes"]} == {"ready"}
    assert "flights" in gyro("status").out

    refused = gyro("predict", "flights", "--set", "distance=far")
    assert (refused.code, "is not a float64" in refused.err) == (2, True)
    assert gyro("up").code == 2, "what is up cannot be started again"
    assert gyro("doctor", "--json").code == 0

    assert "control" in gyro("down", "--json").json["stopped"]
    assert gyro("down", "--json").json["stopped"] == []
    assert gyro("status").code == 1
    nobody = gyro("predict", "flights", "--set", "distance=1")
    assert (nobody.code, "gyro up" in nobody.err) == (2, True)


@pytest.mark.journey
def test_the_foreground_ends_in_order_when_told(gyro, house):
    process = _in_foreground(house)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert not json.loads(gyro("status", "--json").out)["running"]


@pytest.mark.journey
def test_the_foreground_ends_with_2_when_the_supervisor_is_killed_and_adopts_the_rest(gyro, house):
    process = _in_foreground(house)
    before = _replica(gyro)
    os.kill(_supervisor(house), signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "the supervisor has ended" in err
    again = _in_foreground(house)
    assert _replica(gyro) == before, "the replica went on and was adopted"
    again.send_signal(signal.SIGINT)
    again.communicate(timeout=60)
    assert again.returncode == 0


def _in_foreground(house: Path) -> subprocess.Popen[str]:
    """Started and ready: it has said where the predictions are."""
    words = [GYRO, "up", "--foreground"]
    process = subprocess.Popen(words, cwd=house, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], 90)
    assert ready, "nothing was said within 90 s"
    assert "predictions" in process.stdout.readline(), process.communicate()[1]
    return process


def _replica(gyro) -> int:
    processes = json.loads(gyro("status", "--json").out)["processes"]
    return next(one["pid"] for one in processes if one["kind"] == "replica")


def _supervisor(house: Path) -> int:
    from gyroscope.supervisor import client

    return int(client.status(house / ".gyroscope" / "run")["pid"])
