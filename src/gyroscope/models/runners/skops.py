"""Runs scikit-learn estimators as they are, saved with skops, whose files hold types and numbers and no code.

The registry loads it for the runner name `skops`: for estimators whose ONNX does not agree with them. A file with a
type outside the list of trusted ones is not opened. It reads no file: the estimator is made from verified bytes.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import skops.io
from numpy.typing import NDArray

from gyroscope.backends import missing_library
from gyroscope.errors import ModelError
from gyroscope.models.encoding import decode_column
from gyroscope.models.runners import Rows
from gyroscope.models.versions import Artifact
from gyroscope.records import Signature

TRUSTED = (
    "numpy.dtype",
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn._loss.link.HalfLogitLink",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.LogLink",
    "sklearn._loss.link.MultinomialLogit",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfMultinomialLoss",
    "sklearn._loss.loss.HalfSquaredError",
)
"""Beside what skops itself trusts (public types of scikit-learn, numpy, scipy): dtypes, parts of trees, losses."""


class SkopsRunner:
    """One estimator. What was trained on a data frame is given one, with texts as texts; else the matrix of codes."""

    def __init__(self, estimator: Any, signature: Signature) -> None:
        self._estimator = estimator
        self._signature = signature
        self._takes_frame = hasattr(estimator, "feature_names_in_")

    @classmethod
    def load(cls, artifact: Artifact, signature: Signature, threads: int = 1) -> Self:
        """Raises `ModelError` for types that are not trusted, and for what does not fit the signature."""
        where = str(artifact.path)
        strange = sorted(set(skops.io.get_untrusted_types(data=artifact.content)) - {*TRUSTED})
        if strange:
            raise ModelError(
                f"the file holds types that are not trusted: {', '.join(strange[:5])}",
                where=where,
                fix="convert it to ONNX, or serve a class of your own that loads it",
            )
        estimator = skops.io.loads(artifact.content, trusted=list(TRUSTED))
        _check(estimator, signature, where)
        if "n_jobs" in estimator.get_params(deep=False):
            estimator.set_params(n_jobs=threads)
        return cls(estimator, signature)

    def predict(self, rows: Rows) -> NDArray[np.float64]:
        """Values of a regression, else probabilities; of two classes, those of the second."""
        task = self._signature.task
        if not len(rows.matrix):
            return np.empty((0, self._signature.width))
        # A copy: steps with `copy=False` write into what they are given, and the rows are still to be logged.
        given = self._frame(rows) if self._takes_frame else rows.matrix.copy()
        if not self._signature.says_probabilities:
            return np.asarray(self._estimator.predict(given), np.float64)
        probabilities = np.asarray(self._estimator.predict_proba(given), np.float64)
        return np.ascontiguousarray(probabilities[:, 1]) if task == "binary" else probabilities

    def _frame(self, rows: Rows) -> Any:
        try:
            import pandas
        except ModuleNotFoundError as missing:
            raise missing_library(missing, what="an estimator that was trained on a data frame") from missing
        features = enumerate(self._signature.features)
        return pandas.DataFrame(
            {
                feature.name: decode_column(self._signature, at, rows)
                if feature.dtype == "string"
                else rows.matrix[:, at].copy()
                for at, feature in features
            }
        )


def _check(estimator: Any, signature: Signature, where: str) -> None:
    wanted = "predict_proba" if signature.says_probabilities else "predict"
    if not hasattr(estimator, wanted) or not hasattr(estimator, "get_params"):
        raise ModelError(
            f"a {type(estimator).__name__} has no {wanted}", where=where, fix="correct the task in the signature"
        )
    names = tuple(getattr(estimator, "feature_names_in_", ()))
    count = getattr(estimator, "n_features_in_", len(signature.features))
    if (names and names != signature.names) or count != len(signature.features):
        raise ModelError(
            f"the estimator takes {', '.join(names[:20]) or f'{count} features'}; the signature names "
            f"{', '.join(signature.names[:20])}",
            where=where,
            fix="name all features, in the order of training",
        )
    classes = tuple(str(one) for one in getattr(estimator, "classes_", ()))
    if signature.task == "multiclass" and classes != tuple(signature.classes):
        raise ModelError(
            f"the estimator's classes are {', '.join(classes[:20])}", where=where, fix="name them in that order"
        )
    if signature.task == "binary" and len(classes) != 2:
        raise ModelError(f"the estimator has {len(classes)} classes", where=where, fix="task: multiclass")
