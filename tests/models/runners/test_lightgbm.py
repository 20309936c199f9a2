"""What only LightGBM models can get wrong: names, classes, categories of pandas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gyroscope.errors import ModelError
from gyroscope.models.encoding import encode_columns
from gyroscope.models.runners import Rows, load_runner
from gyroscope.models.versions import Artifact
from gyroscope.records import Feature, Signature

lightgbm = pytest.importorskip("lightgbm", reason="needs the extra lightgbm")
pd = pytest.importorskip("pandas", reason="needs pandas")

SETTINGS = {"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5, "min_data_per_group": 1, "cat_smooth": 1}


def _load(booster, signature):
    return load_runner("lightgbm", Artifact(Path("m.txt"), booster.model_to_string().encode()), signature)


@pytest.fixture(scope="module")
def frame():
    random = np.random.default_rng(0)
    carriers = pd.Categorical(random.choice(["UA", "AA", "B6"], 300))
    return pd.DataFrame({"air time": random.normal(size=300), "carrier": carriers})


@pytest.fixture(scope="module")
def booster(frame):
    late = (frame["carrier"] == "B6").astype(float)
    return lightgbm.train({**SETTINGS, "objective": "binary"}, lightgbm.Dataset(frame, late), 5)


def _signature(*categories):
    return Signature("binary", (Feature("air time"), Feature("carrier", "string", categories)))


def test_codes_mean_the_categories_of_training(booster, frame):
    signature = _signature("AA", "B6", "UA")
    columns = {"air time": frame["air time"].to_numpy(), "carrier": frame["carrier"].to_numpy(dtype=object)}
    outputs = _load(booster, signature).predict(encode_columns(signature, columns))
    assert (outputs == booster.predict(frame)).all()


def test_other_categories_are_refused(booster):
    with pytest.raises(ModelError, match="not those of training") as caught:
        _load(booster, _signature("UA", "AA", "B6"))
    assert "['AA', 'B6', 'UA']" in caught.value.fix


def test_other_names_are_refused(booster):
    features = (Feature("distance"), Feature("carrier", "string", ("AA", "B6", "UA")))
    with pytest.raises(ModelError, match="'air_time' where the signature has 'distance'"):
        _load(booster, Signature("binary", features))


def test_classes_and_values_come_in_the_signatures_shape():
    random = np.random.default_rng(1)
    matrix, kind = random.normal(size=(300, 2)), random.integers(0, 3, 300)
    features = (Feature("a"), Feature("b"))
    three = lightgbm.train({**SETTINGS, "objective": "multiclass", "num_class": 3}, lightgbm.Dataset(matrix, kind), 3)
    runner = _load(three, Signature("multiclass", features, classes=("x", "y", "z")))
    assert runner.predict(Rows(matrix)).shape == (300, 3)
    assert runner.predict(Rows(matrix[:0])).shape == (0, 3)
    np.testing.assert_array_equal(runner.predict(Rows(matrix[5:6])), runner.predict(Rows(matrix))[5:6])
    with pytest.raises(ModelError, match="3 numbers a row"):
        _load(three, Signature("binary", features))
    value = lightgbm.train({**SETTINGS, "objective": "regression"}, lightgbm.Dataset(matrix, matrix[:, 0] * 9), 3)
    assert np.ptp(_load(value, Signature("regression", features)).predict(Rows(matrix))) > 1
