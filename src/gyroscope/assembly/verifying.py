"""`gyro predictions verify`: the log of some models, their labels and their versions, looked at whole.

`gyro restore` ends with it. It changes nothing and may run while everything does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from gyroscope.errors import ModelError, StoreError, did_you_mean
from gyroscope.models.store import ModelStore
from gyroscope.predictions.keeping.verify import Fault, known_damage, steps, verify
from gyroscope.predictions.labels.books import recount

Progress = Callable[[int, int, str], None]


class Verified(msgspec.Struct, frozen=True):
    """What was looked at and what is wrong. `damage` was found earlier by the recorder, and cannot be mended."""

    models: tuple[str, ...]
    segments: int
    records: int
    files: int
    rows: int
    faults: tuple[Fault, ...]
    damage: tuple[Fault, ...]

    @property
    def is_well(self) -> bool:
        return not self.faults


def verify_home(
    home: Path, runtime: Path, models: tuple[str, ...] = (), progress: Progress = lambda *_: None
) -> Verified:
    """Look at these models, or all; `progress(done, of, where)` is called after each step.

    Raises `ModelError` for a model that is not known.
    """
    chosen = models or _models(home)
    _check_known(home, chosen)
    total = sum(steps(home, runtime, model) for model in chosen)
    found: list[Fault] = []
    damage: list[Fault] = []
    counts = {"segment": [0, 0], "table": [0, 0], "index": [0, 0], "log": [0, 0]}
    done = 0
    for model in chosen:
        for looked in verify(home, runtime, model):
            done += 1
            counts[looked.part][0] += 1
            counts[looked.part][1] += looked.items
            found += looked.faults
            progress(min(done, total), total, looked.where)
        found += [*_versions(ModelStore(home), model), *_labels(home, model)]
        damage += known_damage(home, model)
    segments, tables = counts["segment"], counts["table"]
    return Verified(chosen, segments[0], segments[1], tables[0], tables[1], tuple(found), tuple(damage))


def _models(home: Path) -> tuple[str, ...]:
    tables = home / "tables"
    recorded = {path.name for path in tables.iterdir() if path.is_dir()} if tables.is_dir() else set()
    return tuple(sorted(recorded | set(ModelStore(home).models())))


def _check_known(home: Path, models: tuple[str, ...]) -> None:
    known = _models(home)
    for model in models:
        if model not in known:
            raise ModelError(f"no model is called {model!r}", where=str(home), fix=did_you_mean(model, known))


def _versions(store: ModelStore, model: str) -> list[Fault]:
    """Every artifact must hash to the name of its version."""
    if model not in store.models():
        return []
    try:
        versions = store.versions(model)
    except ModelError as error:
        return [Fault("model", error.where, error.what)]
    faults = []
    for version in versions:
        try:
            store.artifact(version)
        except ModelError as error:
            faults.append(Fault("model", error.where, error.what))
    return faults


def _labels(home: Path, model: str) -> list[Fault]:
    """Every label in one state, and the counts what they say."""
    path = home / "labels.db"
    if not path.exists():
        return []
    try:
        counted, kept = recount(home, model)
    except StoreError as error:
        return [Fault("labels", error.where, error.what)]
    return [
        Fault("labels", str(path), f"{model}: {counted[state]} {state} counted, {kept[state]} kept")
        for state in counted
        if counted[state] != kept[state]
    ]
