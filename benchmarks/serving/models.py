"""The two models that everybody serves, made once a run from a seed, and the rows that everybody is asked about.

Peers get scikit-learn's and LightGBM's own files; our home gets what `gyro models convert` and `add` make of the same
files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import joblib
import lightgbm
import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from gyroscope.models.convert import from_sklearn
from gyroscope.records import Feature, Signature

FEATURES, ASKED = 20, 100
NAMES = tuple(f"x{at:02d}" for at in range(FEATURES))
Kind = Literal["lr", "lgb"]


class Served(msgspec.Struct, frozen=True):
    """A model as peers load it and as ours does; rows (100, 20) to ask about and what the model says of each."""

    path: Path
    runner: str
    artifact: Path
    signature: Signature
    rows: NDArray[np.float64]
    expected: NDArray[np.float64]


def make(kind: Kind, folder: Path, seed: int) -> Served:
    """Train and write the files."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(5_000, FEATURES))
    target = (matrix @ rng.normal(size=FEATURES) + rng.normal(size=len(matrix)) > 0).astype(np.int64)
    rows = rng.normal(size=(ASKED, FEATURES)).round(6)
    signature = Signature("binary", tuple(Feature(name) for name in NAMES), output="score")
    if kind == "lgb":
        options = {"objective": "binary", "num_leaves": 31, "num_threads": 1, "verbosity": -1, "seed": seed}
        booster = lightgbm.train(options, lightgbm.Dataset(matrix, target), num_boost_round=100)
        path = folder / "lgb.txt"
        booster.save_model(path)
        return Served(path, "lightgbm", path, signature, rows, np.asarray(booster.predict(rows)))
    estimator = LogisticRegression().fit(matrix, target)
    path = folder / "lr.joblib"
    joblib.dump(estimator, path)
    columns = {name: matrix[:, at] for at, name in enumerate(NAMES)}
    converted = from_sklearn(estimator, columns, folder / "lr.onnx")
    return Served(path, "onnx", converted.artifact, converted.signature, rows, estimator.predict_proba(rows)[:, 1])
