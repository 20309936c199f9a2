"""Runs LightGBM models saved as text.

The registry loads it for the runner name `lightgbm`. Categories travel as the codes of the signature. A single row goes
through LightGBM's own fast path, at a tenth of the price and with the same bits; single rows that came together through
a `forest.py` where there is one. It reads no file: the model is made from the bytes that were verified.
"""

from __future__ import annotations

import ctypes
import weakref
from typing import Self

import lightgbm
import numpy as np
from lightgbm.basic import _LIB  # type: ignore[attr-defined]
from numpy.typing import NDArray

from gyroscope.errors import ModelError
from gyroscope.models.runners import Rows
from gyroscope.models.versions import Artifact
from gyroscope.records import Signature

# Of LightGBM's C API: the kind of prediction, and the type of the row.
_NORMAL, _FLOAT64 = 0, 1

MOST_CHARACTERS = 4 * 1024 * 1024
"""Of a model whose trees are said in ONNX too, some 1,000 of 31 leaves: more would take a quarter of a second."""


class LightgbmRunner:
    """One booster; threads are given with every call, because LightGBM keeps them per prediction."""

    def __init__(self, booster: lightgbm.Booster, threads: int) -> None:
        self._booster = booster
        self._threads = threads
        self._one = _SingleRow(booster, threads)
        self.takes_one = booster.num_model_per_iteration() == 1
        self.one = self._one.number
        self.several_from = 0

    @classmethod
    def load(cls, artifact: Artifact, signature: Signature, threads: int = 1) -> Self:
        """Raises `ModelError` when features, outputs or categories do not fit the signature."""
        where = str(artifact.path)
        text = artifact.content.decode("utf-8")
        booster = lightgbm.Booster(model_str=text)
        _check_features(booster.feature_name(), signature, where)
        _check_outputs(booster.num_model_per_iteration(), signature, where)
        _check_categories(booster.pandas_categorical, signature, where)
        runner = cls(booster, threads)
        if runner.takes_one:
            runner._grow(text)
        return runner

    def predict(self, rows: Rows) -> NDArray[np.float64]:
        """Probabilities or values, as the objective of the model has them."""
        n = len(rows.matrix)
        if n == 1:
            return self._one.predict(rows.matrix)
        if not n:
            return np.empty((0, self._booster.num_model_per_iteration()))
        return np.asarray(self._booster.predict(rows.matrix, num_threads=self._threads))

    def _grow(self, text: str) -> None:
        """Have several rows answered by a forest where one can be had."""
        if len(text) > MOST_CHARACTERS or not _adds_up(text[: text.find("\nTree=") + 1]):
            return
        try:
            from gyroscope.models.runners.forest import FROM_ROWS, forest
        except ImportError:  # without the extra `onnx`, or with one that is broken, every row is asked about by itself
            return
        grown = forest(text, self._booster.num_feature(), self.one)
        if grown is not None:
            self.several, self.several_from = grown.numbers, FROM_ROWS


class _SingleRow:
    """LightGBM's C function for one row, whose settings and buffers are made once.

    The package itself offers it to nobody, so its handle and its library are taken from inside; the contract suite
    compares every bit with the ordinary way.
    """

    def __init__(self, booster: lightgbm.Booster, threads: int) -> None:
        self._booster = booster  # it owns what the settings point into
        self._ask = _LIB.LGBM_BoosterPredictForMatSingleRowFast
        self._row = np.empty(booster.num_feature(), np.float64)
        self._bytes = self._row.data.cast("B")
        self._answer = np.empty((1, booster.num_model_per_iteration()), np.float64)
        self._length = ctypes.c_int64()
        self._settings = ctypes.c_void_p()
        _must(
            _LIB.LGBM_BoosterPredictForMatSingleRowFastInit(
                booster._handle,
                ctypes.c_int(_NORMAL),
                ctypes.c_int(0),
                ctypes.c_int(booster.best_iteration),
                ctypes.c_int(_FLOAT64),
                ctypes.c_int32(len(self._row)),
                f"num_threads={threads}".encode(),
                ctypes.byref(self._settings),
            )
        )
        weakref.finalize(self, _LIB.LGBM_FastConfigFree, self._settings)
        places = (self._row.ctypes.data, ctypes.addressof(self._length), self._answer.ctypes.data)
        self._arguments = (self._settings, *map(ctypes.c_void_p, places))

    def number(self, numbers: bytes) -> float:
        """The one number of a row that comes as bytes."""
        self._bytes[:] = numbers
        _must(self._ask(*self._arguments))
        return self._answer.item(0)

    def predict(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        self._row[:] = matrix[0]
        _must(self._ask(*self._arguments))
        return self._answer.ravel().copy() if self._answer.size == 1 else self._answer.copy()


def _adds_up(head: str) -> bool:
    """Whether the answer is the sum of the trees, as `forest.py` can say it: only then is ONNX worth its memory."""
    return ("\nobjective=binary " in head or "\nobjective=regression\n" in head) and "\naverage_output" not in head


def _must(code: int) -> None:
    if code:
        raise lightgbm.basic.LightGBMError(_LIB.LGBM_GetLastError().decode())


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
