"""Estimators served as they are: from the list of trusted types only, and given what they were trained on."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.errors import ModelError
from gyroscope.models.encoding import encode_columns
from gyroscope.models.formats import format_of
from gyroscope.models.runners import Rows, load_runner
from gyroscope.models.versions import Artifact
from gyroscope.records import Feature, Signature

skops = pytest.importorskip("skops.io", reason="needs the extra skops")
pytest.importorskip("sklearn", reason="needs the extra skops")
from sklearn.base import BaseEstimator  # noqa: E402
from sklearn.ensemble import (  # noqa: E402
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.svm import SVC  # noqa: E402

TWO = (Feature("a"), Feature("b"))
RANDOM = np.random.default_rng(0)
MATRIX = RANDOM.normal(size=(200, 2))
KIND = (MATRIX[:, 0] > 0).astype(int) + (MATRIX[:, 1] > 0)


class Own(BaseEstimator):
    """Somebody's own type: it could do anything when it is made."""

    def predict(self, rows):
        return rows[:, 0]


def load(estimator, signature, tmp_path):
    path = tmp_path / "model.skops"
    skops.dump(estimator, path)
    assert format_of(path) == "skops"
    return load_runner("skops", Artifact(path, path.read_bytes()), signature)


@pytest.mark.parametrize(
    "estimator",
    [LogisticRegression(), RandomForestClassifier(5, n_jobs=2), HistGradientBoostingClassifier(max_iter=5)],
    ids=lambda one: type(one).__name__,
)
def test_answers_are_the_estimators_own(tmp_path, estimator):
    estimator.fit(MATRIX, KIND)
    runner = load(estimator, Signature("multiclass", TWO, classes=("0", "1", "2")), tmp_path)
    np.testing.assert_array_equal(runner.predict(Rows(MATRIX)), estimator.predict_proba(MATRIX))
    two = type(estimator)(**estimator.get_params()).fit(MATRIX, KIND > 0)
    binary = load(two, Signature("binary", TWO), tmp_path)
    np.testing.assert_array_equal(binary.predict(Rows(MATRIX)), two.predict_proba(MATRIX)[:, 1])


@pytest.mark.parametrize("task", ["regression", "ranking"])
def test_a_regression_gives_values(task, tmp_path):
    estimator = GradientBoostingRegressor(n_estimators=3).fit(MATRIX, MATRIX[:, 0] * 9)
    runner = load(estimator, Signature(task, TWO), tmp_path)
    np.testing.assert_array_equal(runner.predict(Rows(MATRIX)), estimator.predict(MATRIX))


def test_what_was_trained_on_a_frame_is_given_one(tmp_path):
    pandas = pytest.importorskip("pandas", reason="estimators trained on frames need pandas")
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    frame = pandas.DataFrame({"a": MATRIX[:, 0], "plan": RANDOM.choice(["basic", "plus"], 200)})
    encoder = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["plan"]), remainder="passthrough")
    estimator = make_pipeline(encoder, LogisticRegression()).fit(frame, KIND > 0)
    signature = Signature("binary", (Feature("a"), Feature("plan", "string", ("basic", "plus"))))
    rows = encode_columns(signature, {name: frame[name].to_numpy() for name in frame})
    runner = load(estimator, signature, tmp_path)
    np.testing.assert_array_equal(runner.predict(rows), estimator.predict_proba(frame)[:, 1])


REFUSED = {
    "a strange type": (Own(), Signature("regression", TWO), "types that are not trusted: .*Own"),
    "other features": (
        LogisticRegression().fit(MATRIX, KIND > 0),
        Signature("binary", TWO[:1]),
        "takes 2 features",
    ),
    "other classes": (
        LogisticRegression().fit(MATRIX, KIND),
        Signature("multiclass", TWO, classes=("0", "2", "1")),
        "classes are 0, 1, 2",
    ),
    "three classes": (LogisticRegression().fit(MATRIX, KIND), Signature("binary", TWO), "has 3 classes"),
    "no probabilities": (SVC().fit(MATRIX, KIND > 0), Signature("binary", TWO), "no predict_proba"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_trusted_or_does_not_fit_is_refused(tmp_path, name):
    estimator, signature, complaint = REFUSED[name]
    with pytest.raises(ModelError, match=complaint):
        load(estimator, signature, tmp_path)


def test_an_estimator_that_writes_into_its_input_does_not_touch_the_rows(tmp_path):
    made = make_pipeline(StandardScaler(copy=False), LogisticRegression()).fit(MATRIX.copy(), KIND > 0)
    runner = load(made, Signature("binary", TWO), tmp_path)
    rows = MATRIX[:3].copy()
    runner.predict(Rows(rows))
    np.testing.assert_array_equal(rows, MATRIX[:3])
