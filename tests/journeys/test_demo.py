"""`gyro demo` as a user runs it: a short story of real incidents, all answered, nothing left; stopped at any moment."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from benchmarks.loop.lawful import broken_laws
from tests.journeys.conftest import free_port

pytestmark = pytest.mark.journey

DAYS, STORY_DAYS = 6, 18
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


def test_a_few_weeks_tell_a_true_story_and_everything_balances(tmp_path: Path) -> None:
    demo = start(tmp_path, days=STORY_DAYS)
    out, err = demo.communicate(timeout=400)
    assert demo.returncode == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    assert all({"type", "at", "reason"} <= line.keys() for line in lines)
    assert broken_laws(lines) == []
    broken = [line for line in lines if line["type"] == "incident_opened" and line["evidence"]["kind"] == "quality"]
    assert "departure_minute" in [name for line in broken for name in line["evidence"]["columns"]], "seed 0 breaks it"
    (poisoned,) = [line["version"] for line in lines if line["reason"] == "offered by somebody"]
    assert poisoned in [line["version"] for line in lines if line["type"] == "shadow_started"]
    assert not [line for line in lines if line["type"] == "promoted"]
    sizes = [line["evidence"]["action"] for line in lines if line["type"] == "scaled"]
    assert sizes[0] == "1 -> 2", "the crowd"
    assert sizes[-1] == "2 -> 1", "it went"
    ways = {line["name"]: line for line in lines if line["type"] == "way"}
    assert ways["this loop"]["brier"] == pytest.approx(ways["never retrained"]["brier"], abs=1e-6)
    done = lines[-1]
    assert done["type"] == "done"
    assert done["sent"] == done["answered"] > STORY_DAYS * 800
    assert done["labels"]["joined"] == sum(done["labels"].values()) > STORY_DAYS * 700
    report = (tmp_path / "gyroscope-demo.html").read_text(encoding="utf-8")
    assert "March" in report or "2013-03" in report
    assert not still_there(tmp_path)
    assert not (tmp_path / ".gyroscope-demo").exists()


@pytest.mark.parametrize("moment", ["loaded", "version_registered", "up", "progress"])
def test_interrupted_at_any_moment_it_leaves_nothing(tmp_path: Path, moment: str) -> None:
    demo = start(tmp_path, days=14)
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
