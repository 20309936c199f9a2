"""A plane with a real log and a real pulse; the models are a few lines each, because some must misbehave."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.serving.short_way import Sums

from gyroscope.clock import EventTime, machine_now
from gyroscope.models.runners import Checked, Rows
from gyroscope.predictions.segments.entries import entries_in
from gyroscope.predictions.segments.log import LogPolicy, PredictionLog
from gyroscope.predictions.segments.privacy import Privacy
from gyroscope.predictions.segments.scan import scan
from gyroscope.predictions.segments.wal import Layout, LogEntry
from gyroscope.records import Feature, Signature, Version
from gyroscope.serving.batching import CHEAP_NS
from gyroscope.serving.dialects.v2 import V2
from gyroscope.serving.express import Express, express
from gyroscope.serving.intake import Intake
from gyroscope.serving.line import Line
from gyroscope.serving.plane import Call, Limits, Plane
from gyroscope.supervisor.pulse import Pulse
from gyroscope.supervisor.quarantine import Quarantine

NUMBERS = Signature("regression", (Feature("a"), Feature("b"), Feature("c")), output="value")
MIXED = Signature(
    "binary",
    (
        Feature("distance", "float64", nullable=False),
        Feature("hour", "int64"),
        Feature("carrier", "string", ("AA", "B6", "UA")),
        Feature("is_late", "bool", nullable=False),
    ),
)


def sums(rows: Rows) -> np.ndarray:
    """Each row's sum, missing values as 0."""
    return np.nansum(rows.matrix, axis=1)


def version_of(signature: Signature) -> Version:
    return Version("flights", "0a1b2c3d4e5f", "python", "model", "", signature, EventTime(0))


class Bench:
    """One plane, and what it wrote down."""

    def __init__(
        self,
        folder: Path,
        predict: Callable[[Rows], object],
        limits: Limits,
        signature: Signature,
        segments: Path | None = None,
        privacy: Privacy | None = None,
        **log: object,
    ) -> None:
        self.signature = signature
        self.version = version_of(signature)
        self.folder = segments or folder / "segments"
        self.pulse = Pulse.create(folder / "replica.pulse")
        self.dialect = V2(self.version, Intake(signature), self.pulse)
        model = type("Model", (), {"predict": staticmethod(predict)})()
        policy, name = LogPolicy(**log), "flights-0a1b2c3d4e5f-0"  # type: ignore[arg-type]
        self.log = PredictionLog(self.folder, name, self.version, policy, privacy=privacy)
        self.quarantine = Quarantine(folder / "quarantine")
        limits = msgspec.structs.replace(limits, quarantine=self.quarantine)
        self.plane = Plane(self.version, Checked(model, signature), self.log, self.pulse, limits)

    def call(self, body: bytes, **headers: str) -> Call:
        return Call(self.dialect, machine_now(), EventTime(1_700_000_000_000_000), body, **headers)

    def written(self) -> list[LogEntry]:
        layout, found = Layout(self.signature), []
        for path in sorted(self.folder.glob("*.seg")):
            segment = int(path.stem.rpartition("-")[2], 16)
            result = scan(path.read_bytes(), sealed=False, segment=segment)
            assert not result.damages
            found += entries_in(result, layout)
        return found


@pytest.fixture
def bench(tmp_path):
    made = []

    def make(
        predict=sums,
        limits: Limits | None = None,
        signature: Signature = NUMBERS,
        **log: object,
    ) -> Bench:
        made.append(Bench(tmp_path, predict, limits or Limits(), signature, **log))
        return made[-1]

    yield make
    for bench in made:
        bench.log.close()


@pytest.fixture
def numbers() -> Signature:
    return NUMBERS


@pytest.fixture
def mixed() -> Signature:
    return MIXED


@pytest.fixture
def version():
    return version_of


@pytest.fixture
def v2(tmp_path, version):
    """The V2 service of a signature, with a pulse of its own."""

    def make(signature: Signature) -> V2:
        return V2(version(signature), Intake(signature), Pulse.create(tmp_path / "v2.pulse"))

    return make


@pytest.fixture
def open_line(bench):
    """A bench and its express, beside a line on which the model is known to be fast."""

    def make(**log):
        served = bench(**log)
        line = Line(served.plane)
        line._batcher.ended(1, 1, CHEAP_NS // 5, 0, 0)
        runner = Checked(Sums(), served.signature)
        served.plane._runner = runner
        short = express([served.dialect], runner, served.log, served.pulse, line)
        assert isinstance(short, Express)
        return served, line, short

    return make
