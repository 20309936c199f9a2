"""`gyro demo` as a user runs it: all flights answered, labels balance, nothing left; and stopped at several moments."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from tests.journeys.conftest import free_port

pytestmark = pytest.mark.journey

DAYS = 6
GYRO = str(Path(sys.executable).with_name("gyro"))


def start(folder: Path, *more: str, days: int = DAYS) -> subprocess.Popen[str]:
    argv = [GYRO, "demo", "--json", "--port", str(free_port()), "--days", str(days), *more]
    return subprocess.Popen(argv, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def still_there(folder: Path) -> list[str]:
    return [
        line
        for process in psutil.process_iter(["cmdline"])
        if str(folder) in (line := " ".join(process.info["cmdline"] or []))
    ]


def test_every_flight_is_answered_and_the_labels_balance(tmp_path: Path) -> None:
    demo = start(tmp_path)
    out, err = demo.communicate(timeout=240)
    assert demo.returncode == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    assert all({"type", "at", "reason"} <= line.keys() for line in lines)
    done = lines[-1]
    assert done["type"] == "done"
    assert done["sent"] == done["answered"] > DAYS * 800
    assert done["labels"]["joined"] == sum(done["labels"].values()) > DAYS * 700
    report = (tmp_path / "gyroscope-demo.html").read_text(encoding="utf-8")
    assert "March" in report or "2013-03" in report
    assert not still_there(tmp_path)
    assert not (tmp_path / ".gyroscope-demo").exists()


@pytest.mark.parametrize("moment", ["loaded", "registered", "up", "progress"])
def test_interrupted_at_any_moment_it_leaves_nothing(tmp_path: Path, moment: str) -> None:
    demo = start(tmp_path, days=20)
    assert demo.stdout is not None
    reached = next((line for line in demo.stdout if json.loads(line)["type"] == moment), None)
    assert reached, f"the demo ended before {moment}: {demo.communicate()[1]}"
    demo.send_signal(signal.SIGINT)
    demo.communicate(timeout=90)
    assert demo.returncode not in (0, None)
    assert not still_there(tmp_path)
    assert not (tmp_path / ".gyroscope-demo").exists()
    assert not (tmp_path / "gyroscope-demo.html").exists()


def test_kept_it_goes_on_until_told(tmp_path: Path) -> None:
    demo = start(tmp_path, "--keep")
    _, err = demo.communicate(timeout=240)
    assert demo.returncode == 0, err
    settings = tmp_path / ".gyroscope-demo" / "gyroscope.yaml"
    assert still_there(tmp_path)
    down = subprocess.run(
        [GYRO, "down", "--settings", str(settings)],
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert down.returncode == 0, down.stderr
    assert not still_there(tmp_path)
