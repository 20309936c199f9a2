"""Runs LightGBM models saved as text.

The registry loads it for the runner name `lightgbm`. Categories travel as the codes of the signature.
It reads no file: the model is made from the bytes that were verified.
"""

from __future__ import annotations

from typing import Self

import lightgbm
import numpy as np
from numpy.typing import NDArray

from gyroscope.errors import ModelError
from gyroscope.models.runners import Rows
from gyroscope.models.versions import Artifact
from gyroscope.records import Signature


class LightgbmRunner:
    """One booster; threads are given with every call, because LightGBM keeps them per prediction."""

    def __init__(self, booster: lightgbm.Booster, threads: int) -> None:
        self._booster = booster
        self._threads = threads

    @classmethod
    def load(cls, artifact: Artifact, signature: Signature, threads: int = 1) -> Self:
        """Raises `ModelError` when features, outputs or categories do not fit the signature."""
        where = str(artifact.path)
        booster = lightgbm.Booster(model_str=artifact.content.decode("utf-8"))
        _check_features(booster.feature_name(), signature, where)
        _check_outputs(booster.num_model_per_iteration(), signature, where)
        _check_categories(booster.pandas_categorical, signature, where)
        return cls(booster, threads)

    def predict(self, rows: Rows) -> NDArray[np.float64]:
        """Probabilities or values, as the objective of the model has them."""
        if not len(rows.matrix):
            return np.empty((0, self._booster.num_model_per_iteration()))
        return np.asarray(self._booster.predict(rows.matrix, num_threads=self._threads))


def _check_features(names: list[str], signature: Signature, where: str) -> None:
    if len(names) != len(signature.features):
        raise ModelError(
            f"the model takes {len(names)} features and the signature names {len(signature.features)}",
            where=where,
            fix="name all features, in the order of training",
        )
    is_unnamed = names == [f"Column_{at}" for at in range(len(names))]
    # LightGBM itself turns blanks in names into underscores.
    pairs = zip(names, signature.names, strict=True)
    wrong = next(((theirs, ours) for theirs, ours in pairs if theirs != ours.replace(" ", "_")), None)
    if wrong and not is_unnamed:
        raise ModelError(
            f"the model has the feature {wrong[0]!r} where the signature has {wrong[1]!r}",
            where=where,
            fix="put the features in the order of training: " + ", ".join(names[:20]),
        )


def _check_outputs(outputs: int, signature: Signature, where: str) -> None:
    if outputs != signature.width:
        raise ModelError(
            f"the model gives {outputs} numbers a row and the signature says {signature.task} with {signature.width}",
            where=where,
            fix="correct task or classes in the signature",
        )


def _check_categories(trained: list[list[object]] | None, signature: Signature, where: str) -> None:
    """A model trained on pandas categories wrote them down: other codes would silently mean other categories."""
    texts = [feature for feature in signature.features if feature.dtype == "string"]
    if not trained or len(trained) != len(texts):
        return
    for feature, categories in zip(texts, trained, strict=True):
        if tuple(str(category) for category in categories) != feature.categories:
            raise ModelError(
                f"the categories of {feature.name!r} are not those of training, in that order",
                where=where,
                fix=f"categories: {[str(category) for category in categories[:20]]}",
            )
