"""XGBoost models, as JSON and UBJSON, held to the signature."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.errors import ModelError
from gyroscope.models.formats import format_of
from gyroscope.models.runners import Rows, load_runner
from gyroscope.models.versions import Artifact
from gyroscope.records import Feature, Signature

xgboost = pytest.importorskip("xgboost", reason="needs the extra xgboost")

TWO = (Feature("a"), Feature("b"))
RANDOM = np.random.default_rng(0)
MATRIX = RANDOM.normal(size=(300, 2))


def booster(objective, labels, names=("a", "b"), **more):
    data = xgboost.DMatrix(MATRIX, labels, feature_names=list(names) if names else None)
    return xgboost.train({"objective": objective, "nthread": 1, **more}, data, 5)


def load(made, signature, tmp_path, name="model.json"):
    path = tmp_path / name
    made.save_model(path)
    assert format_of(path) == "xgboost"
    return load_runner("xgboost", Artifact(path, path.read_bytes()), signature)


@pytest.mark.parametrize("name", ["model.json", "model.ubj"])
def test_answers_are_the_boosters_own(tmp_path, name):
    made = booster("binary:logistic", (MATRIX[:, 0] > 0).astype(float))
    runner = load(made, Signature("binary", TWO), tmp_path, name)
    theirs = made.predict(xgboost.DMatrix(MATRIX, feature_names=["a", "b"]))
    np.testing.assert_array_equal(runner.predict(Rows(MATRIX)), theirs.astype(float))


def test_classes_and_values_come_in_the_signatures_shape(tmp_path):
    three = booster("multi:softprob", RANDOM.integers(0, 3, 300), num_class=3)
    signature = Signature("multiclass", TWO, classes=("x", "y", "z"))
    runner = load(three, signature, tmp_path)
    assert runner.predict(Rows(MATRIX)).shape == (300, 3)
    assert runner.predict(Rows(MATRIX[:1])).shape == (1, 3)
    assert runner.predict(Rows(MATRIX[:0])).shape == (0, 3)
    value = load(booster("reg:squarederror", MATRIX[:, 0] * 9, names=None), Signature("regression", TWO), tmp_path)
    assert np.ptp(value.predict(Rows(MATRIX))) > 1
    ranker = load(
        booster("rank:pairwise", (MATRIX[:, 0] > 0).astype(float), names=None), Signature("ranking", TWO), tmp_path
    )
    assert ranker.predict(Rows(MATRIX)).min() < 0


@pytest.mark.parametrize(
    ("made", "signature", "complaint"),
    [
        (("multi:softprob", 3), Signature("binary", TWO), "3 numbers a row"),
        (("multi:softmax", 3), Signature("multiclass", TWO, classes=("x", "y", "z")), "multi:softmax"),
        (("reg:squarederror", 0), Signature("regression", TWO[::-1]), "'a' where the signature has 'b'"),
        (("reg:squarederror", 0), Signature("regression", TWO[:1]), "takes 2 features"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, made, signature, complaint):
    objective, classes = made
    more = {"num_class": classes} if classes else {}
    with pytest.raises(ModelError, match=complaint):
        load(booster(objective, RANDOM.integers(0, 3, 300), **more), signature, tmp_path)


def test_after_early_stopping_it_predicts_with_the_trees_that_it_would_offline(tmp_path):
    pytest.importorskip("sklearn")
    noise = RANDOM.integers(0, 2, 300)
    made = xgboost.XGBClassifier(n_estimators=60, early_stopping_rounds=3, n_jobs=1)
    made.fit(MATRIX, noise, eval_set=[(MATRIX[::-1], noise)], verbose=False)
    assert made.best_iteration + 1 < made.get_booster().num_boosted_rounds()
    runner = load(made, Signature("binary", TWO), tmp_path)
    np.testing.assert_array_equal(runner.predict(Rows(MATRIX)), made.predict_proba(MATRIX)[:, 1].astype(float))
    bare = load(made.get_booster(), Signature("binary", TWO), tmp_path, "bare.json")
    theirs = made.get_booster().predict(xgboost.DMatrix(MATRIX))
    np.testing.assert_array_equal(bare.predict(Rows(MATRIX)), theirs.astype(float))
