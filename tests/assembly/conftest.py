"""A home with everything in it: a model, predictions in tables and in segments, labels, signals, keys."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gyroscope.assembly import House
from gyroscope.assembly.labelled import LabelledDays
from gyroscope.assembly.loss_days import LossDays
from gyroscope.clock import EventTime
from gyroscope.models import Candidate
from gyroscope.predictions.recording.recorder import Recorder
from gyroscope.predictions.segments.file import segment_folder
from gyroscope.predictions.segments.log import PredictionLog
from gyroscope.predictions.segments.wal import LogEntry
from gyroscope.records import Feature, Label, Route, Signal, Signature, Version

MARCH_1_US = 1362114000000000
SIGNATURE = Signature("binary", (Feature("distance"), Feature("carrier", "string", ("AA", "UA"))))


class Lived:
    """A house that has been lived in."""

    def __init__(self, root: Path, runtime: Path) -> None:
        root.mkdir(exist_ok=True)
        settings = root / "gyroscope.yaml"
        settings.write_text(f"home: home\nruntime_dir: {runtime}\nmonitoring: {{timezone: America/New_York}}\n")
        self.house = House(settings)
        self.house.make_folders()
        (root / "tiny.py").write_text("class Model:\n    pass\n")
        self.version: Version = self.house.models.add(
            Candidate("flights", "python", SIGNATURE, root / "tiny.py", "tiny:Model"), EventTime(0)
        )
        self.logs: list[PredictionLog] = []

    @property
    def home(self) -> Path:
        return self.house.home

    def log(self) -> PredictionLog:
        self.logs.append(
            PredictionLog(
                segment_folder(self.house.runtime, "flights"), f"flights-{self.version.version}-0", self.version
            )
        )
        return self.logs[-1]

    def predict(self, log: PredictionLog, *numbers: int, output: float = 0.25, late_us: int = 0, **more: str) -> None:
        for number in numbers:
            entry = LogEntry(
                request_id=f"r-{number:06d}",
                event_time=MARCH_1_US + number * 3_600_000_000 + late_us,
                arrival_time=1_700_000_000_000_000 + number,
                latency_ns=1_000,
                status=200,
                matrix=np.array([[float(number), number % 2]]),
                outputs=np.array([[output]]),
                **more,
            )
            assert log.append(entry) == "os"

    def record(self) -> int:
        return record(self.house)

    def drain_once(self) -> None:
        """As a recorder that is killed after a cycle."""
        recorder = Recorder(
            self.house.home, self.house.runtime, self.house.models.get, self.house.zone_of, commit_every_s=0
        )
        recorder.run_once()
        recorder.close()

    def fill(self) -> PredictionLog:
        """Rows 0 to 49 in the table, 50 to 59 in a segment that is still written to, labels, a route, a signal."""
        first = self.log()
        self.predict(first, *range(50))
        first.close()
        assert self.record() == 50
        live = self.log()
        self.predict(live, *range(50, 60))
        self.house.labels.add("flights", [Label(f"r-{k:06d}", 1.0) for k in range(70)], EventTime(10**15))
        self.house.routes.set_route(Route("flights", self.version.version), reason="first", now=EventTime(1))
        self.house.signals.put([Signal("drift", EventTime(5), 0.5)])
        self.house.keys.create_first()
        return live

    def close(self) -> None:
        for log in self.logs:
            log.close()
        self.house.labels.close()
        self.house.signals.close()


def record(house: House) -> int:
    """One recorder's whole life; the number of rows it wrote."""
    recorder = Recorder(house.home, house.runtime, house.models.get, house.zone_of, commit_every_s=0)
    rows = recorder.drain()
    assert recorder.failures == {}
    recorder.close()
    return rows


@pytest.fixture
def lived(tmp_path: Path) -> Iterator[Lived]:
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as runtime:
        made = Lived(tmp_path / "here", Path(runtime) / "run")
        yield made
        made.close()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The days of a log whose sums are read, as they are."""
    found: list[str] = []

    def noting(read: Callable[..., Mapping[str, Any]]) -> Callable[..., Mapping[str, Any]]:
        def noted(mine: object, days: Sequence[str], asked: str) -> Mapping[str, Any]:
            found.extend(days)
            return read(mine, days, asked)

        return noted

    for sums in (LabelledDays, LossDays):
        monkeypatch.setattr(sums, "_read", noting(sums._read))
    return found
