"""L6: segments into the table and from there into profiles, on one core; what it costs, keeps and holds in memory.

A writer's process fills segments with single-row records of 20 features; another process, bound to one core, runs the
real recorder and then the real monitor over them, and says what processor time and memory that took. The size of the
table against JSON is measured on the flights, as their requests and replies are sent.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np
import orjson

from benchmarks.log.l05_append import FEATURES
from benchmarks.rows import Row, at_least, at_most
from benchmarks.target import Options
from gyroscope.clock import EventTime, wall_now
from gyroscope.demo.flights import CATEGORICAL, ZONE, Flights, load_flights
from gyroscope.demo.flights import FEATURES as FLIGHT_FEATURES
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
DAY_US = 86_400_000_000
START_US = 1_700_006_400_000_000
CODE = "class Model:\n    def predict(self, matrix, columns):\n        return matrix[:, :1]\n"


class Cost(msgspec.Struct, frozen=True):
    """What one process used."""

    rows: int
    cpu_s: float
    peak_bytes: int


def measure(options: Options) -> list[Row]:
    """Rate, size and memory."""
    n = 300_000 if options.is_quick else 2_000_000
    recorded, folded = [], []
    for repeat in range(1 if options.is_quick else 3):
        place = options.folder / str(repeat)
        _child("fill", place, n, options.seed)
        recorded.append(_child("record", place, n, options.seed))
        folded.append(_child("fold", place, n, options.seed))
        shutil.rmtree(_Place(place).runtime, ignore_errors=True)
    rates = [n / (one.cpu_s + other.cpu_s) for one, other in zip(recorded, folded, strict=True)]
    for one, other in zip(recorded, folded, strict=True):
        print(f"L6: recorder {one.cpu_s / n * 1e6:.2f} us/row, monitor {other.cpu_s / n * 1e6:.2f} us/row, of {n:,}")
    peak = max(one.peak_bytes for one in (*recorded, *folded))
    table, json = flights_bytes(options.folder / "flights", 30_000 if options.is_quick else 0)
    claim = "recorder into table and profiles, 20 features, one core"
    return [
        at_least("L6", claim, float(np.median(rates)), 200_000, "rows/s", n),
        at_most("L6", "table bytes / JSON bytes, flights", table / json, 1 / 3, "share", json),
        at_most("L6", "peak memory of recorder and monitor", peak / 1e6, 500, "MB", n),
    ]


def flights_bytes(folder: Path, most: int) -> tuple[int, int]:
    """(bytes of the table's files, bytes of the requests and replies in V2) of the same flights."""
    flights = load_flights()
    n = min(most or len(flights), len(flights))
    signature = _flights_signature(flights)
    version = Version("flights", "0a1b2c3d4e5f", "python", "model.py", "0", signature, EventTime(0))
    runtime = Path(tempfile.mkdtemp(dir=_memory()))
    log = PredictionLog(
        segment_folder(runtime, "flights"), "flights-0a1b2c3d4e5f-0", version, LogPolicy(cap_bytes=1 << 40)
    )
    json = sum(_sent_bytes(log, entry, row) for entry, row in _flight_entries(flights, signature, n))
    log.close()
    recorder = Recorder(folder / "home", runtime, lambda *_: version, lambda _: ZONE)
    recorder.drain()
    recorder.close()
    shutil.rmtree(runtime, ignore_errors=True)
    files = Table(table_path(folder / "home", "flights")).files()
    if sum(file.rows for file in files) != n:
        raise RuntimeError(f"{n} flights were sent, {sum(file.rows for file in files)} are in the table")
    return sum(Path(file.path).stat().st_size for file in files), json


def _sent_bytes(log: PredictionLog, entry: LogEntry, row: list[object]) -> int:
    """Log one flight; the bytes of its request and reply."""
    log.append(entry)
    inputs = [
        {"name": name, "shape": [1], "datatype": "BYTES" if name in CATEGORICAL else "FP64", "data": [value]}
        for name, value in zip(FLIGHT_FEATURES, row, strict=True)
    ]
    asked = orjson.dumps({"id": entry.request_id, "inputs": inputs})
    output = {"name": "probability", "shape": [1], "datatype": "FP64", "data": entry.outputs[0].tolist()}
    given = orjson.dumps(
        {"model_name": "flights", "model_version": "0a1b2c3d4e5f", "id": entry.request_id, "outputs": [output]}
    )
    return len(asked) + len(given)


def _flights_signature(flights: Flights) -> Signature:
    features = [
        Feature(name, "string", tuple(sorted(set(flights.columns[name])))) if name in CATEGORICAL else Feature(name)
        for name in FLIGHT_FEATURES
    ]
    return Signature("binary", tuple(features))


def _flight_entries(flights: Flights, signature: Signature, n: int):  # type: ignore[no-untyped-def]
    codes = {feature.name: {value: at for at, value in enumerate(feature.categories)} for feature in signature.features}
    columns = [flights.columns[name].tolist() for name in FLIGHT_FEATURES]
    rng = np.random.default_rng(0)
    outputs = rng.beta(1, 4, size=n)
    for at in range(n):
        row = [column[at] for column in columns]
        numbers = [codes[name].get(value, value) for name, value in zip(FLIGHT_FEATURES, row, strict=True)]
        departs = int(flights.departs[at])
        yield (
            LogEntry(
                request_id=str(flights.ids[at]),
                event_time=departs,
                arrival_time=START_US + at * 1_400 + int(rng.integers(0, 500)),
                latency_ns=int(rng.integers(300_000, 900_000)),
                status=200,
                matrix=np.array([numbers], dtype=np.float64),
                outputs=outputs[at : at + 1].reshape(1, 1),
            ),
            row,
        )


def _child(step: str, place: Path, n: int, seed: int) -> Cost:
    argv = [sys.executable, "-m", "benchmarks.log.l06_recorder", step, str(place), str(n), str(seed)]
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE)
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Cost)


class _Place:
    """The folders and stores of one run, as each of its processes opens them."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.runtime = Path(_memory() or folder) / f"gyroscope-l06-{folder.parent.name}-{folder.name}"
        self.models = ModelStore(self.home)

    def version(self) -> Version:
        known = self.models.versions(MODEL)
        if known:
            return known[-1]
        self.home.mkdir(parents=True)
        (self.home / "probe_model.py").write_text(CODE)
        signature = Signature("regression", tuple(Feature(f"x{at:02d}") for at in range(FEATURES)), output="y")
        candidate = Candidate(MODEL, "python", signature, self.home / "probe_model.py", entry="probe_model:Model")
        return self.models.add(candidate, wall_now())


def _fill(place: _Place, n: int, seed: int) -> None:
    version = place.version()
    rng = np.random.default_rng(seed)
    log = PredictionLog(
        segment_folder(place.runtime, MODEL), f"{MODEL}-{version.version}-0", version, LogPolicy(cap_bytes=1 << 40)
    )
    matrix = rng.normal(size=(n, FEATURES)).round(4)
    outputs = rng.normal(size=(n, 1))
    for at in range(n):
        moment = START_US + at * 40_000
        log.append(
            LogEntry(f"{seed:08x}{at:024x}", moment, moment, 500_000, 200, matrix[at : at + 1], outputs[at : at + 1])
        )
    log.close()


def _record(place: _Place, n: int) -> None:
    recorder = Recorder(place.home, place.runtime, place.models.get, lambda _: "UTC")
    rows = recorder.drain()
    recorder.close()
    if rows != n:
        raise RuntimeError(f"{rows} of {n} rows were recorded: {recorder.failures}")


def _fold(place: _Place, n: int) -> None:
    labels = Labels(place.home, lambda _: place.version().signature)
    tables = {}

    def table(model: str) -> Table:
        return tables.setdefault(model, Table(table_path(place.home, model)))

    signals = Signals(place.home / "state.db")
    monitor = Monitor(Monitoring(), Stores(place.models, table, labels, signals, place.home / "monitoring.db"))
    done = monitor.run_once(wall_now())
    while done.files or done.windows:
        if done.failures:
            raise RuntimeError(str(done.failures))
        done = monitor.run_once(wall_now())
    monitor.close()


def _memory() -> str | None:
    shm = Path("/dev/shm")
    return str(shm) if shm.is_dir() else None


def _main(step: str, folder: str, n: str, seed: str) -> None:
    place = _Place(Path(folder))
    if step == "fill":
        _fill(place, int(n), int(seed))
    else:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    began = time.process_time()
    if step == "record":
        _record(place, int(n))
    elif step == "fold":
        _fold(place, int(n))
    cost = Cost(int(n), time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024)
    print(msgspec.json.encode(cost).decode())


if __name__ == "__main__":
    _main(*sys.argv[1:])
