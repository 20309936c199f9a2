"""V9: one round of monitoring over 100 models of 50 features whose 24 windows all have new rows.

The rows are folded already, as they are file by file while they come; the round reads the folds, measures every column
of every window against the reference, and judges every model. A first round without rows loads the references.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from benchmarks.profile.tables import FLOATS, LEVELS, TEXTS, columns
from benchmarks.rows import Row, at_most
from benchmarks.target import Options
from gyroscope.alerts import Incidents
from gyroscope.clock import DAY_US, EventTime, parse_event_time
from gyroscope.models import Candidate, ModelStore, ReferenceProfile, build_reference
from gyroscope.monitoring import Monitor, Round, Stores
from gyroscope.monitoring.cache import Cache
from gyroscope.monitoring.fold import Cell, Fold
from gyroscope.predictions.labels.labels import Labels
from gyroscope.predictions.tables.table import TableFile
from gyroscope.records import Feature, Signature
from gyroscope.settings import Monitoring
from gyroscope.signals import Signals
from gyroscope.stats.profiles import profile

MODELS, QUICK_MODELS = 100, 20
WINDOWS, WINDOW_ROWS, REFERENCE_DAYS = 24, 1_000, 30
LEVEL_NAMES = tuple(f"level_{level:02d}" for level in range(LEVELS))
BEGIN = parse_event_time("2024-01-01")
NOW = EventTime(BEGIN + (REFERENCE_DAYS + WINDOWS + 1) * DAY_US)
SIGNATURE = Signature(
    "binary",
    (
        *(Feature(f"f{at:02d}") for at in range(FLOATS)),
        *(Feature(f"s{at}", "string", LEVEL_NAMES) for at in range(TEXTS)),
    ),
)


class Still:
    """A table whose files are folded and stay as they are."""

    def __init__(self, path: Path, files: list[TableFile]) -> None:
        self.path = path
        self._files = files

    def version(self) -> int:
        return len(self._files)

    def files(self) -> list[TableFile]:
        return self._files


def measure(options: Options) -> list[Row]:
    """The row; a quick run takes a fifth of the models and is judged by the time of as many."""
    models = QUICK_MODELS if options.is_quick else MODELS
    home = options.folder
    store, cache, files = ModelStore(home), home / "monitoring.db", list[TableFile]()
    reference = _reference(options.seed)
    for at in range(models):
        version = store.add(Candidate(f"model-{at}", "external", SIGNATURE, entry="1"), EventTime(0))
        store.put_reference(version, reference)
    stores = Stores(
        store,
        lambda model: Still(home / model, files),  # type: ignore[arg-type, return-value]
        Labels(home, lambda _: SIGNATURE),
        Signals(home / "state.db"),
        cache,
    )
    monitor = Monitor(Monitoring(), stores, Incidents(home / "state.db"))
    _check(monitor.run_once(NOW, final=True))
    files += _fold(store, Cache(cache), reference, options.seed)
    began, used = time.perf_counter(), time.process_time()
    done = monitor.run_once(NOW, final=True)
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    _check(done)
    assert done.windows == models * WINDOWS
    monitor.close()
    claim = f"a round of {models} models, 50 features, {WINDOWS} windows ({cpu:.1f} s of processor time)"
    return [at_most("V9", claim, seconds, 5.0 * models / MODELS, "s", models * WINDOWS)]


def _check(done: Round) -> None:
    assert not done.failures, done.failures


def _reference(seed: int) -> ReferenceProfile:
    rows = REFERENCE_DAYS * WINDOW_ROWS
    rng = np.random.default_rng(seed)
    outputs = rng.beta(2, 5, rows)
    labels = (rng.random(rows) < outputs).astype(float)
    times = BEGIN + np.arange(rows, dtype=np.int64) * (DAY_US // WINDOW_ROWS)
    return build_reference(SIGNATURE, columns(rows, seed), outputs, labels, times)


def _fold(store: ModelStore, cache: Cache, reference: ReferenceProfile, seed: int) -> list[TableFile]:
    """The same 24 windows for every model."""
    files, folds = [], []
    for at in range(WINDOWS):
        rng = np.random.default_rng(seed + at + 1)
        rows = {**columns(WINDOW_ROWS, seed + at + 1), "probability": rng.beta(2, 5, WINDOW_ROWS)}
        start = EventTime(BEGIN + (REFERENCE_DAYS + at) * DAY_US)
        n = WINDOW_ROWS
        counted = profile(rows, reference.layout)
        sums = dict.fromkeys(("answered", "scored", "answered_squares", "scored_squares"), n)
        folds.append((start, Fold(profile=counted, newest=start + DAY_US - 1, **sums)))
        files.append(TableFile(f"part-{at}", str(np.datetime64(start, "us").astype("M8[D]")), n))
    for model in store.models():
        (version,) = store.versions(model)
        new = [
            (file.path, file.day, {Cell(version.version, start, file.day): fold})
            for file, (start, fold) in zip(files, folds, strict=True)
        ]
        with cache.transaction():
            cache.replace(model, (), new)
    cache.close()
    return files
