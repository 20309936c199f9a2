"""A small house: a real version, segments, recorder, Delta table, label store and signals, and the monitor on top."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from gyroscope.alerts import Incidents
from gyroscope.clock import SECOND_US, EventTime, parse_event_time
from gyroscope.models import Blocks, Candidate, ModelStore, ReferenceProfile, build_reference
from gyroscope.monitoring import Monitor, Round, Stores
from gyroscope.predictions.labels.labels import Labels
from gyroscope.predictions.recording.recorder import Recorder
from gyroscope.predictions.segments.log import PredictionLog, segment_folder
from gyroscope.predictions.segments.wal import LogEntry
from gyroscope.predictions.tables.table import Table, table_path
from gyroscope.records import Feature, Label, Signal, Signature, Task, Version, Window
from gyroscope.settings import Monitoring
from gyroscope.settings_models import ModelPolicy
from gyroscope.signals import Signals

ZONE = "America/New_York"
CARRIERS = ("AA", "UA", "B6")
FAR_FUTURE = parse_event_time("2030-01-01")
FEATURES = (Feature("distance"), Feature("carrier", "string", CARRIERS), Feature("hour", "int64"))
CODE = "class Model:\n    def predict(self, rows):\n        return rows[:, 0] / 3000\n"


class Rows:
    """Made-up rows of one stretch of time: `outputs` say something about `labels`, as a fair model's do."""

    def __init__(
        self, start: str, n: int, *, seed: int = 0, hours: float = 24.0, shift: float = 0.0, task: Task = "binary"
    ):
        rng = np.random.default_rng(seed)
        self.times = parse_event_time(start) + np.sort(rng.integers(0, int(hours * 3600 * SECOND_US), n))
        self.ids = [f"{start}-{seed}-{k}" for k in range(n)]
        self.distance = np.where(rng.random(n) < 0.03, np.nan, rng.gamma(3, 300, n) + shift)
        self.carrier = rng.integers(0, len(CARRIERS), n)
        self.hour = rng.integers(0, 24, n)
        if task == "multiclass":
            self.outputs = rng.dirichlet((1.0, 1.0, 1.0), n)
            self.labels = np.where(rng.random(n) < 0.6, self.outputs.argmax(axis=1), rng.integers(0, 3, n)).astype(
                float
            )
        elif task == "ranking":
            self.hour = np.arange(n) // 4
            self.outputs = rng.normal(0, 3, n)
            self.labels = np.clip(np.round(self.outputs + rng.normal(0, 2, n)), 0, 3)
        elif task == "regression":
            self.outputs = rng.normal(10, 3, n)
            self.labels = self.outputs + rng.normal(1, 2, n)
        else:
            self.outputs = rng.beta(2, 5, n)
            self.labels = (rng.random(n) < self.outputs).astype(float)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def matrix(self) -> NDArray[np.float64]:
        return np.column_stack([self.distance, self.carrier, self.hour])

    @property
    def columns(self) -> dict[str, NDArray[Any]]:
        names = np.array(CARRIERS, dtype=object)
        return {"distance": self.distance, "carrier": names[self.carrier], "hour": self.hour}


class House:
    """What control, a replica and the recorder would hold between them."""

    def __init__(self, root: Path, settings: Monitoring, task: Task = "binary", group: str = "hour") -> None:
        self.home, self.runtime, self.settings = root / "home", root / "run", settings
        classes = CARRIERS if task == "multiclass" else ()
        group = group if task == "ranking" else ""
        self.signature = Signature(task, FEATURES, classes=classes, threshold=0.3, group=group)
        (root / "tiny.py").write_text(CODE)
        self.models = ModelStore(self.home)
        candidate = Candidate("flights", "python", self.signature, root / "tiny.py", "tiny:Model")
        self.version = self.models.add(candidate, EventTime(0))
        self.labels = Labels(self.home, lambda _: self.signature)
        self.signals = Signals(self.home / "state.db")
        self.incidents = Incidents(self.home / "state.db")
        self.policies: dict[str, ModelPolicy] = {}
        self.monitor = self.new_monitor()
        self._clock = int(FAR_FUTURE)
        self._calls = 0

    def add_version(self, *instead: Feature) -> Version:
        """Another version; features `instead` take the place of those of their name."""
        code = self.home / "other" / "tiny.py"
        code.parent.mkdir()
        code.write_text(CODE.replace("3000", "2000"))
        given = {feature.name: feature for feature in (*self.signature.features, *instead)}
        signature = msgspec.structs.replace(self.signature, features=tuple(given.values()))
        return self.models.add(Candidate("flights", "python", signature, code, "tiny:Model"), EventTime(1))

    def lose_cache(self) -> None:
        self.monitor.close()
        for path in self.home.glob("monitoring.db*"):
            path.unlink()
        self.monitor = self.new_monitor()

    def new_monitor(self) -> Monitor:
        """As after a restart of control."""
        stores = Stores(self.models, self.table, self.labels, self.signals, self.home / "monitoring.db")
        return Monitor(self.settings, stores, self.incidents, self.policies)

    def table(self, model: str) -> Table:
        return Table(table_path(self.home, model))

    def refer_to(self, rows: Rows) -> ReferenceProfile:
        blocks = Blocks(self.settings.timezone, "1d" if self.settings.window == "7d" else self.settings.window)
        reference = build_reference(self.signature, rows.columns, rows.outputs, rows.labels, rows.times, blocks)
        self.models.put_reference(self.version, reference)
        return reference

    def predict(
        self,
        rows: Rows,
        *,
        status: int = 200,
        places: range | None = None,
        version: Version | None = None,
        record: bool = True,
        weight: int = 1,
        variant: Literal["live", "canary", "shadow"] = "live",
        error: str = "",
        ahead_us: int = 0,
        latency_s: NDArray[np.float64] | None = None,
    ) -> None:
        """Log rows as a replica would, stamped `ahead_us` later than they came, and record all that was logged.

        Each was made in its `latency_s`, else in 1 ms.
        """
        version = version or self.version
        self._calls += 1
        log = PredictionLog(segment_folder(self.runtime, "flights"), f"flights-{version.version}-0", version)
        for k in places if places is not None else range(len(rows)):
            at = int(rows.times[k])
            # A repeated request arrives later than the first: the same record twice would be one.
            latency_ns = 1_000_000 if latency_s is None else int(1e9 * latency_s[k])
            entry = LogEntry(rows.ids[k], at + ahead_us, at + self._calls, latency_ns, status)
            entry.weight, entry.variant, entry.error = weight, variant, error
            if status == 200:
                entry.matrix, entry.outputs = rows.matrix[k : k + 1], np.atleast_2d(rows.outputs[k])
            log.append(entry)
        log.close()
        if record:
            self.record()

    def record(self) -> None:
        recorder = Recorder(
            self.home, self.runtime, self.models.get, lambda _: self.settings.timezone, commit_every_s=0
        )
        while recorder.run_once():
            pass
        assert recorder.failures == {}
        recorder.close()

    def label(self, rows: Rows, places: range | None = None, values: NDArray[np.float64] | None = None) -> None:
        known = rows.labels if values is None else values
        chosen = places if places is not None else range(len(rows))
        classes = self.signature.classes
        labels = [Label(rows.ids[k], classes[int(known[k])] if classes else float(known[k])) for k in chosen]
        self.labels.add("flights", labels, FAR_FUTURE)

    def label_at(self, rows: Rows, moments: NDArray[np.int64], places: Iterable[int] | None = None) -> None:
        """True labels that say when they were known."""
        chosen = places if places is not None else range(len(rows))
        labels = [Label(rows.ids[k], float(rows.labels[k]), labeled_at=EventTime(int(moments[k]))) for k in chosen]
        self.labels.add("flights", labels, FAR_FUTURE)

    def restatement(self, rows: Rows, k: int) -> Label:
        """The true label with a time later than any so far."""
        self._clock += 1
        return Label(rows.ids[k], float(rows.labels[k]), labeled_at=EventTime(self._clock))

    def label_again(self, rows: Rows) -> None:
        self.labels.add("flights", [self.restatement(rows, k) for k in range(len(rows))], FAR_FUTURE)

    def measure(self, now: EventTime = FAR_FUTURE) -> Round:
        done = self.monitor.run_once(now, final=True)
        assert (done.failures, done.left) == ({}, 0)
        return done

    def values(self, name: str, window: Window | None = None, **labels: str) -> list[Any]:
        return [signal.value for signal in self.points(name, window, **labels)]

    def points(self, name: str, window: Window | None = None, **labels: str) -> list[Signal]:
        start, end = (EventTime(0), FAR_FUTURE) if window is None else (window.start, EventTime(window.start + 1))
        return self.signals.query(name, labels, start, end)


@pytest.fixture
def house(tmp_path: Path) -> House:
    """One binary model without a reference; windows of a day in New York."""
    return House(tmp_path, Monitoring(timezone=ZONE))


@pytest.fixture
def make_house(tmp_path: Path) -> Callable[..., House]:
    """A house of another task or with other settings."""

    def make(task: Task = "binary", folder: str = "", **settings: Any) -> House:
        root = tmp_path / folder
        root.mkdir(exist_ok=True)
        return House(root, msgspec.convert({"timezone": ZONE, **settings}, Monitoring), task)

    return make


@pytest.fixture
def make_rows() -> type[Rows]:
    return Rows
