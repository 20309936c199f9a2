"""Runs XGBoost models saved as JSON or UBJSON.

The registry loads it for the runner name `xgboost`. Categories travel as the codes of the signature, a missing value as
NaN. It reads no file: the model is made from the bytes that were verified.
"""

from __future__ import annotations

import json
from typing import Any, Self

import numpy as np
import xgboost
from numpy.typing import NDArray

from gyroscope.errors import ModelError
from gyroscope.models.runners import Rows
from gyroscope.models.versions import Artifact
from gyroscope.records import Signature


class XgboostRunner:
    """One booster, predicting in place: no copy of the rows is made, no `DMatrix`."""

    def __init__(self, booster: xgboost.Booster, width: int) -> None:
        self._predict = booster.inplace_predict
        self._width = width
        self._rounds = _rounds(booster)

    @classmethod
    def load(cls, artifact: Artifact, signature: Signature, threads: int = 1) -> Self:
        """Raises `ModelError` when features or outputs do not fit the signature."""
        where = str(artifact.path)
        booster = xgboost.Booster()
        booster.load_model(bytearray(artifact.content))
        booster.set_param({"nthread": threads})
        _check_features(booster, signature, where)
        _check_outputs(json.loads(booster.save_config())["learner"], signature, where)
        return cls(booster, signature.width)

    def predict(self, rows: Rows) -> NDArray[np.float64]:
        """Probabilities or values, as the objective of the model has them."""
        if not len(rows.matrix):
            return np.empty((0, self._width))
        raw = self._predict(rows.matrix, iteration_range=self._rounds, missing=np.nan, validate_features=False)
        return np.asarray(raw, np.float64)


def _rounds(booster: xgboost.Booster) -> tuple[int, int]:
    """Which rounds of trees predict, as offline: XGBoost's estimators stop at the best one, a bare booster uses all."""
    best = booster.attr("best_iteration")
    return (0, int(best) + 1) if best is not None and booster.attr("scikit_learn") else (0, 0)


def _check_features(booster: xgboost.Booster, signature: Signature, where: str) -> None:
    if booster.num_features() != len(signature.features):
        raise ModelError(
            f"the model takes {booster.num_features()} features and the signature names {len(signature.features)}",
            where=where,
            fix="name all features, in the order of training",
        )
    names = booster.feature_names
    wrong = next((pair for pair in zip(names or (), signature.names, strict=False) if pair[0] != pair[1]), None)
    if wrong:
        raise ModelError(
            f"the model has the feature {wrong[0]!r} where the signature has {wrong[1]!r}",
            where=where,
            fix="put the features in the order of training: " + ", ".join((names or [])[:20]),
        )


def _check_outputs(learner: dict[str, Any], signature: Signature, where: str) -> None:
    shape, objective = learner["learner_model_param"], learner["objective"]["name"]
    outputs = max(int(shape["num_class"]), int(shape.get("num_target", 1)), 1)
    if outputs != signature.width or objective == "multi:softmax":
        raise ModelError(
            f"the model ({objective}) gives {outputs} numbers a row; the signature says {signature.task} with "
            f"{signature.width}",
            where=where,
            fix="correct task or classes in the signature; several classes need the objective multi:softprob",
        )
