"""Train the demo's model on the months before the replay and predict them held out, a block of days at a time.

`run.py` calls `train`; the held-out scores become the reference. The final model never scores its own training rows.
What challengers are made of, and the poisoned one, is here too: the same rows, the same code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import lightgbm
import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.demo.flights import CATEGORICAL, FEATURES, Flights
from gyroscope.records import Feature, Signature

FOLDS = 5
PARAMETERS = {
    "objective": "binary",
    # Rows of a day share their delays: a bolder model learns those days by heart, and one day's luck is no other's.
    "num_leaves": 15,
    "learning_rate": 0.05,
    "min_data_in_leaf": 500,
    "min_data_per_group": 200,
    "feature_fraction": 0.5,
    "max_bin": 63,
    "seed": 2013,
    "num_threads": 1,  # two threads wait for each other as soon as anything else wants a core: 139 s instead of 3
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
ROUNDS = 100

EARLIER, ARTIFACT = "earlier.npz", "flights.txt"
"""In the demo's folder: the rows of before the replay, and the first model."""

Floats = NDArray[np.float64]
Poison = Literal["flipped labels", "shuffled labels"]


class Trained(msgspec.Struct, frozen=True):
    """The artifact and signature to register, and the held-out scores of the labelled training flights, shape (n,)."""

    artifact: Path
    signature: Signature
    flights: Flights
    held_out: Floats


def train(flights: Flights, months: Sequence[int], folder: Path) -> Trained:
    """Fit the model and its held-out scores; leaves the model and its rows in `folder`."""
    known = flights.where(np.isin(flights.month, months) & (flights.late >= 0))
    signature = _signature(known)
    matrix, late = encode(known.columns, signature), known.late.astype(np.float64)
    np.savez(folder / EARLIER, matrix=matrix, late=late)
    artifact = folder / ARTIFACT
    artifact.write_text(fit(matrix, late).model_to_string(), encoding="utf-8")
    return Trained(artifact, signature, known, _held_out(matrix, late, known.day))


def poisoned(folder: Path, kind: Poison, seed: int) -> Path:
    """A model of the same rows by the same code, that somebody gave the wrong labels."""
    with np.load(folder / EARLIER) as earlier:
        matrix, late = earlier["matrix"], earlier["late"]
    wrong = 1 - late if kind == "flipped labels" else np.random.default_rng(seed).permutation(late)
    artifact = folder / "poisoned.txt"
    artifact.write_text(fit(matrix, wrong).model_to_string(), encoding="utf-8")
    return artifact


def encode(columns: Mapping[str, Any], signature: Signature) -> Floats:
    """The model's matrix, shape (n, features): categories as codes, NaN where missing or never seen."""
    parts = []
    for feature in signature.features:
        values = columns[feature.name]
        if feature.categories:
            codes = {name: float(code) for code, name in enumerate(feature.categories)}
            values = [codes.get(value, np.nan) for value in values]
        parts.append(np.asarray(values, np.float64))
    return np.column_stack(parts)


def fit(matrix: Floats, late: Floats) -> lightgbm.Booster:
    """The demo's one kind of model."""
    categorical = [FEATURES.index(name) for name in CATEGORICAL]
    data = lightgbm.Dataset(matrix, late, categorical_feature=categorical, free_raw_data=False)
    return lightgbm.train(PARAMETERS, data, num_boost_round=ROUNDS)


def _signature(known: Flights) -> Signature:
    features = []
    for name in FEATURES:
        if name in CATEGORICAL:
            categories = tuple(sorted(set(known.columns[name])))
            features.append(Feature(name, "string", categories=categories, nullable=False))
        else:
            features.append(Feature(name, "float64", nullable=bool(name not in ("distance", "weekday"))))
    return Signature("binary", tuple(features), output="probability", threshold=0.5)


def _held_out(matrix: Floats, late: Floats, day: NDArray[np.object_]) -> Floats:
    """Scores of each row by a model that saw no row of its day.

    Rows of a day share weather and delays: folds by row let a model see the day it is tested on and flatter it.
    """
    days, position = np.unique(day.astype(str), return_inverse=True)
    scores = np.empty(len(late))
    fold_of_day = np.random.default_rng(2013).permutation(len(days)) % FOLDS
    fold = fold_of_day[position]
    for held in range(FOLDS):
        rest = fold != held
        scores[~rest] = np.asarray(fit(matrix[rest], late[rest]).predict(matrix[~rest], num_threads=1))
    return scores
