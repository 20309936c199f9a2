"""What the settings make of a replica's log, and when there is no room to start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gyroscope.assembly import House, replica
from gyroscope.assembly.plan import check_room
from gyroscope.assembly.replica import open_log
from gyroscope.clock import EventTime
from gyroscope.errors import ModelError
from gyroscope.models.store import Candidate
from gyroscope.predictions.segments.log import PredictionLog
from gyroscope.predictions.segments.wal import LogEntry
from gyroscope.records import Feature, Signature, Version

NAME = "flights-0a1b2c3d4e5f-0"
MakeHouse = Callable[[str], House]  # of what its settings say


@pytest.fixture
def house(tmp_path: Path) -> MakeHouse:
    def make(text: str) -> House:
        (tmp_path / "gyroscope.yaml").write_text(f"home: home\nruntime_dir: runtime\n{text}\n")
        made = House(tmp_path / "gyroscope.yaml")
        made.make_folders()
        return made

    return make


def version(*features: Feature) -> Version:
    return Version("flights", "0a1b2c3d4e5f", "python", "m", "0", Signature("binary", features), EventTime(0))


def write(log: PredictionLog, columns: int = 1, requests: int = 40) -> list[str]:
    said = []
    for number in range(requests):
        matrix, outputs = np.zeros((1, columns)), np.zeros((1, 1))
        said.append(log.append(LogEntry(f"r-{number}", 0, 0, 0, 200, matrix, outputs)))
    log.close()
    return said


@pytest.mark.parametrize(("mode", "place"), [("os", "runtime"), ("full", "home")])
def test_segments_lie_where_they_are_safe(house: MakeHouse, tmp_path: Path, mode: str, place: str) -> None:
    log = open_log(house(f"serving: {{log: {mode}}}"), NAME, version(Feature("x")))
    assert set(write(log)) == {mode}
    assert [path.parent for path in tmp_path.rglob("*.seg")] == [tmp_path / place / "segments" / "flights"]


@pytest.mark.parametrize(
    ("text", "is_sampled"),
    [
        ("serving: {keep_one_in: 4}", True),
        ("models: {flights: {keep_one_in: 4}}", True),
        ("serving: {keep_one_in: 4}\nmodels: {flights: {keep_one_in: 1}}", False),
        ("models: {others: {keep_one_in: 4}}", False),
    ],
)
def test_a_model_is_sampled_as_its_policy_says(house: MakeHouse, text: str, is_sampled: bool) -> None:
    assert ("sampled" in write(open_log(house(text), NAME, version(Feature("x"))))) == is_sampled


def test_a_key_is_made_only_where_it_is_needed(house: MakeHouse) -> None:
    plain = house("")
    open_log(plain, NAME, version(Feature("x")))
    assert not (plain.home / "keys" / "privacy").exists()
    log = open_log(plain, NAME, version(Feature("x", role="hash")))
    assert write(log, requests=1) == ["os"]
    assert (plain.home / "keys" / "privacy").stat().st_size == 32


@pytest.mark.parametrize(("mode", "asked"), [("os", "runtime"), ("full", "home"), ("off", "")])
def test_there_must_be_room_where_the_log_lies(
    house: MakeHouse, monkeypatch: pytest.MonkeyPatch, mode: str, asked: str
) -> None:
    made = house(f"serving: {{log: {mode}}}")
    monkeypatch.setattr(
        "shutil.disk_usage", lambda path: type("Usage", (), {"free": 0 if path.name == asked else 2**40})
    )
    if not asked:
        check_room(made)
        return
    with pytest.raises(ModelError, match="no room") as told:
        check_room(made)
    assert f"/{asked}" in str(told.value)


@pytest.mark.parametrize(
    ("text", "threads", "batch_calls"),
    [
        ("", 1, 64),
        ("serving: {batch_calls: 8}\nmodels: {flights: {threads: 3}}", 3, 8),
        ("serving: {batch_calls: 8}\nmodels: {flights: {batch_calls: 2}, others: {threads: 3}}", 1, 2),
    ],
)
def test_how_large_a_replica_is(
    house: MakeHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, threads: int, batch_calls: int
) -> None:
    """What would serve is looked at instead: a served replica ends with a signal only."""
    made = house(text)
    (tmp_path / "model.py").write_text(
        "class Model:\n    def predict(self, matrix, columns):\n        return matrix[:, 0]\n"
    )
    candidate = Candidate(
        "flights", "python", Signature("regression", (Feature("x"),)), tmp_path / "model.py", "model:Model"
    )
    added = made.models.add(candidate, EventTime(0))
    opened, planned = [], []
    monkeypatch.setattr(replica, "open_runner", lambda store, version, threads: opened.append(threads))
    monkeypatch.setattr(replica, "serve_replica", planned.append)
    replica.run_replica(made.settings_path, "flights", added.version, 0)
    assert (opened, [plan.batch_calls for plan in planned]) == ([threads], [batch_calls])
    planned[0].log.close()
    planned[0].pulse.close()
