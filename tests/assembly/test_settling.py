"""What is still to be waited for before everything is settled: records, trainings, replicas, steps; then nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from gyroscope.assembly import House, settling
from gyroscope.assembly.retraining import RetrainingTurns
from gyroscope.assembly.rollouts import RolloutTurns
from gyroscope.assembly.ruling import rules
from gyroscope.assembly.settling import Settling
from gyroscope.clock import SECOND_US, EventTime, iso, wall_now
from gyroscope.predictions.recording.heartbeat import REPORT_FILE, RecorderReport, is_waited_for, write_report

LATER_US = 3_600 * SECOND_US


@pytest.fixture
def house(tmp_path: Path) -> House:
    (tmp_path / "gyroscope.yaml").write_text("home: home\nruntime_dir: run\n")
    house = House(tmp_path / "gyroscope.yaml")
    house.make_folders()
    return house


@pytest.fixture
def settled(house: House, monkeypatch: pytest.MonkeyPatch) -> Settling:
    monkeypatch.setattr(settling, "PATIENCE_S", 0.0)
    return Settling(house, rules(house), RetrainingTurns(house), RolloutTurns(house))


def report(house: House, lag_s: float = 0.0, ahead_us: int = LATER_US, **failures: str) -> None:
    at = EventTime(wall_now() + ahead_us)
    write_report(house.run_dir / REPORT_FILE, RecorderReport(iso(at), failures, lag_s={"m": lag_s}))


def test_nothing_is_settled_before_the_recorder_has_spoken(house: House, settled: Settling):
    assert settled.settle() == "the recorder has not reported yet"
    report(house, ahead_us=-1)
    assert settled.settle() == "answers of m are being recorded"
    report(house, lag_s=3_700.0)
    assert settled.settle() == "answers of m are being recorded"
    assert is_waited_for(house.run_dir), "the recorder is told that somebody waits"
    report(house)
    assert settled.settle() == ""
    assert not is_waited_for(house.run_dir)
    report(house, lag_s=3_700.0, m="the disk is full")
    assert settled.settle() == "answers of m are being recorded"
    assert not is_waited_for(house.run_dir), "what fails has pauses, and no other model commits more often for it"


def test_a_training_takes_no_event_time(house: House, settled: Settling):
    report(house)
    training = house.trainings.begin("m", "asked for", EventTime(0), "digest", 9)
    assert settled.settle() == "training 1 of m is running"
    house.trainings.end(training, "failed", "no")
    assert settled.settle() == ""


def test_neither_does_the_start_of_a_replica(house: House, settled: Settling, monkeypatch: pytest.MonkeyPatch):
    report(house)
    rows = [{"name": "m-v-0", "state": "ready"}, {"name": "m-v-1", "state": "starting"}]
    monkeypatch.setattr(settling.client, "status", lambda run_dir: {"processes": rows})
    assert settled.settle() == "m-v-1 is starting"


def test_what_a_step_changes_is_looked_at_again(house: House, settled: Settling, monkeypatch: pytest.MonkeyPatch):
    report(house)
    monkeypatch.setattr(settling, "PATIENCE_S", 5.0)
    turns: list[int] = []

    def look() -> None:
        turns.append(1)
        if len(turns) == 1:
            house.trainings.end(house.trainings.begin("m", "asked for", EventTime(0), "digest", 9), "failed", "no")

    monkeypatch.setattr(settled._retraining, "catch_up", look)
    assert settled.settle() == ""
    assert len(turns) == 2
    monkeypatch.setattr(settling, "PATIENCE_S", 0.0)
    turns.clear()
    assert settled.settle() == "a step was taken just now"
