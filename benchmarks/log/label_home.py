"""The stores that L8 works on, opened by its processes: models, table, labels, monitor, without any house around."""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from gyroscope.clock import EventTime, wall_now
from gyroscope.models.store import Candidate, ModelStore
from gyroscope.monitoring.loop import Monitor, Stores
from gyroscope.predictions.labels.labels import Labels
from gyroscope.predictions.recording.recorder import Recorder
from gyroscope.predictions.segments.log import LogPolicy, PredictionLog, segment_folder
from gyroscope.predictions.segments.wal import LogEntry
from gyroscope.predictions.tables.table import Table, table_path
from gyroscope.records import Feature, Signature, Version
from gyroscope.settings import Monitoring
from gyroscope.signals.store import Signals

MODEL = "probe"
SIGNATURE = Signature("binary", (Feature("number"),))
CODE = "class Model:\n    name = '{name}'\n    def predict(self, matrix, columns):\n        return matrix[:, :1]\n"


class LabelHome:
    """One home, as one process sees it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.models = ModelStore(folder)

    @cached_property
    def labels(self) -> Labels:
        return Labels(self.folder, lambda _: SIGNATURE)

    @cached_property
    def monitor(self) -> Monitor:
        signals = Signals(self.folder / "state.db")
        table = Table(table_path(self.folder, MODEL))
        cache = self.folder / "monitoring.db"
        return Monitor(Monitoring(), Stores(self.models, lambda _: table, self.labels, signals, cache))

    def measure(self, now: EventTime, *, final: bool = False) -> None:
        """A round of the monitor, which settles labels first."""
        done = self.monitor.run_once(now, final=final)
        if done.failures:
            raise RuntimeError(str(done.failures))

    def version(self, name: str) -> Version:
        """The version of a name, made when it is not there."""
        path = self.folder / f"{name}_model.py"
        path.write_text(CODE.format(name=name), encoding="utf-8")
        candidate = Candidate(MODEL, "python", SIGNATURE, path, entry=f"{name}_model:Model")
        return self.models.add(candidate, wall_now())

    def record(self, known: pl.DataFrame, versions: dict[str, Version]) -> None:
        """These predictions through log and recorder into the table."""
        shm = Path("/dev/shm")
        with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as runtime:
            for name, version in versions.items():
                replica = f"{MODEL}-{version.version}-0"
                log = PredictionLog(
                    segment_folder(Path(runtime), MODEL), replica, version, LogPolicy(cap_bytes=1 << 40)
                )
                for entry in _entries(known.filter(pl.col("version") == name)):
                    log.append(entry)
                log.close()
            recorder = Recorder(self.folder, Path(runtime), self.models.get, lambda _: "UTC")
            rows = recorder.drain()
            failures = recorder.failures
            recorder.close()
        if rows != len(known):
            raise RuntimeError(f"{rows} of {len(known)} rows were recorded: {failures}")

    def twin(self, folder: Path) -> LabelHome:
        """The same predictions in another home, with no labels yet."""
        for name in ("models", "tables", "ids"):
            shutil.copytree(self.folder / name, folder / name, copy_function=os.link)
        return LabelHome(folder)


def _entries(known: pl.DataFrame):  # type: ignore[no-untyped-def]
    grouped = known.group_by("request_id", maintain_order=True).agg("event_time", "output")
    for request_id, events, outputs in grouped.iter_rows():
        column = np.array(outputs).reshape(-1, 1)
        yield LogEntry(request_id, events[0], events[0], 500_000, 200, column, column)
