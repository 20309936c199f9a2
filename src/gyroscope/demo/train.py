"""Train the demo's model on January and February and predict the same days held out, a block of days at a time.

`run.py` calls `train`; the held-out scores become the reference. The final model never scores its own training rows.
"""

from __future__ import annotations

from pathlib import Path

import lightgbm
import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.demo.flights import CATEGORICAL, FEATURES, Flights
from gyroscope.records import Feature, Signature

TRAINING_MONTHS = (1, 2)
FOLDS = 5
PARAMETERS = {
    "objective": "binary",
    "num_leaves": 31,
    "learning_rate": 0.1,
    "min_data_in_leaf": 100,
    "min_data_per_group": 200,
    "seed": 2013,
    "num_threads": 1,  # two threads wait for each other as soon as anything else wants a core: 139 s instead of 3
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
ROUNDS = 100


class Trained(msgspec.Struct, frozen=True):
    """The artifact and signature to register, and the held-out scores of the labelled training flights, shape (n,)."""

    artifact: Path
    signature: Signature
    flights: Flights
    held_out: NDArray[np.float64]


def train(flights: Flights, folder: Path) -> Trained:
    """Fit the model and its held-out scores; writes `flights.txt` (LightGBM's text format) into `folder`."""
    known = flights.where(np.isin(flights.month, TRAINING_MONTHS) & (flights.late >= 0))
    signature = _signature(known)
    matrix = encode(known, signature)
    late = known.late.astype(np.float64)
    artifact = folder / "flights.txt"
    artifact.write_text(_fit(matrix, late).model_to_string(), encoding="utf-8")
    return Trained(artifact, signature, known, _held_out(matrix, late, known.day))


def encode(flights: Flights, signature: Signature) -> NDArray[np.float64]:
    """The model's matrix, shape (n, features): categories as codes, NaN where missing or never seen."""
    matrix = np.empty((len(flights), len(signature.features)))
    for at, feature in enumerate(signature.features):
        values = flights.columns[feature.name]
        if feature.categories:
            codes = {name: float(code) for code, name in enumerate(feature.categories)}
            matrix[:, at] = [codes.get(value, np.nan) for value in values]
        else:
            matrix[:, at] = values
    return matrix


def _signature(known: Flights) -> Signature:
    features = []
    for name in FEATURES:
        if name in CATEGORICAL:
            categories = tuple(sorted(set(known.columns[name])))
            features.append(Feature(name, "string", categories=categories, nullable=False))
        else:
            features.append(Feature(name, "float64", nullable=bool(name not in ("distance", "weekday"))))
    return Signature("binary", tuple(features), output="probability", threshold=0.5)


def _fit(matrix: NDArray[np.float64], late: NDArray[np.float64]) -> lightgbm.Booster:
    categorical = [FEATURES.index(name) for name in CATEGORICAL]
    data = lightgbm.Dataset(matrix, late, categorical_feature=categorical, free_raw_data=False)
    return lightgbm.train(PARAMETERS, data, num_boost_round=ROUNDS)


def _held_out(matrix: NDArray[np.float64], late: NDArray[np.float64], day: NDArray[np.object_]) -> NDArray[np.float64]:
    """Scores of each row by a model that saw no row of its day.

    Rows of a day share weather and delays: folds by row let a model see the day it is tested on and flatter it.
    """
    days, position = np.unique(day.astype(str), return_inverse=True)
    scores = np.empty(len(late))
    fold_of_day = np.random.default_rng(2013).permutation(len(days)) % FOLDS
    fold = fold_of_day[position]
    for held in range(FOLDS):
        rest = fold != held
        scores[~rest] = np.asarray(_fit(matrix[rest], late[rest]).predict(matrix[~rest], num_threads=1))
    return scores
