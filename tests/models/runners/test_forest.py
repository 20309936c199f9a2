"""A forest says what LightGBM says, to the last bit, or there is none."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from gyroscope.models.runners import load_runner
from gyroscope.models.versions import Artifact
from gyroscope.records import Feature, Signature

lightgbm = pytest.importorskip("lightgbm", reason="needs the extra lightgbm")
pytest.importorskip("onnxruntime", reason="needs the extra onnx")
pytest.importorskip("onnx", reason="needs the extra onnx")

WIDTH = 5
SETTINGS = {"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5, "num_leaves": 15}
ZERO = float(np.float32(1e-35))


def _matrix(n, seed):
    """Numbers of which many are missing in one column, many zero in another, and none missing in a third."""
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(n, WIDTH))
    matrix[random.random(n) < 0.3, 1] = np.nan
    matrix[random.random(n) < 0.5, 2] = 0.0
    return matrix


def _train(trees=20, **settings):
    matrix = _matrix(600, 0)
    score = np.nan_to_num(matrix[:, 0] * 2 + matrix[:, 1] - (matrix[:, 2] == 0) + 0.3 * matrix[:, 3], nan=1.5)
    target = (score > 0).astype(float) if settings.get("objective", "binary") == "binary" else abs(score)
    data = lightgbm.Dataset(matrix, target, params={"zero_as_missing": settings.pop("zero_as_missing", False)})
    return lightgbm.train({**SETTINGS, "objective": "binary", **settings}, data, trees).model_to_string()


def _load(text, task="binary"):
    signature = Signature(task, tuple(Feature(f"x{at}") for at in range(WIDTH)))
    return load_runner("lightgbm", Artifact(Path("m.txt"), text.encode()), signature)


def _asked(text):
    """Rows of every kind but with missing values: near zero, of the thresholds themselves and of their neighbours."""
    random = np.random.default_rng(3)
    rows = np.nan_to_num(_matrix(400, 1))
    rows[1], rows[2] = np.inf, -np.inf
    near = [0.0, -0.0, ZERO, -ZERO, np.nextafter(-ZERO, -1), np.nextafter(ZERO, 1), 1e-36, -1e-36, 5e-324]
    rows[3:100] = random.choice(near, rows[3:100].shape)
    splits = np.array(" ".join(re.findall(r"^threshold=(.+)$", text, re.MULTILINE)).split(), float)
    edges = np.concatenate([near, splits, np.nextafter(splits, -np.inf), np.nextafter(splits, np.inf)])
    rows[100:300] = random.choice(edges, rows[100:300].shape)
    return [row.tobytes() for row in rows]


def _assert_alike(text, task="binary"):
    runner, rows = _load(text, task), _asked(text)
    assert runner.several_from > 1
    wanted = np.array([runner.one(row) for row in rows]).tobytes()
    for n in (1, 7, len(rows)):
        answers = [answer for at in range(0, len(rows), n) for answer in runner.several(rows[at : at + n])]
        assert np.array(answers).tobytes() == wanted, n


@pytest.mark.parametrize(
    ("task", "settings"),
    [
        ("binary", {}),
        ("binary", {"sigmoid": 0.7}),
        ("binary", {"use_missing": False}),
        ("binary", {"boosting": "dart"}),
        ("regression", {"objective": "regression"}),
    ],
)
def test_the_same_bits(task, settings):
    _assert_alike(_train(**settings), task)


def _edited(text, name, edit):
    """Each line of this name, edited; the sizes in the head, which no longer fit, are taken out."""
    text = re.sub(r"^tree_sizes=.+\n", "", text, flags=re.MULTILINE)
    return re.sub(rf"^{name}=(.+)$", lambda found: f"{name}={edit(found[1])}", text, flags=re.MULTILINE)


def test_thresholds_at_zero_are_those_of_lightgbm():
    text = _train()
    for split in ("0", "-0.0", "1e-36", "-1e-36", repr(ZERO), repr(-ZERO)):
        _assert_alike(_edited(text, "threshold", lambda line, split=split: re.sub(r"^\S+", split, line)))


def test_trees_without_a_node():
    text = _train(trees=3, min_data_in_leaf=1_000)
    assert "num_leaves=1\n" in text
    _assert_alike(text)


@pytest.fixture
def unplanted(monkeypatch):
    """No forest is even begun: it is not for the comparison to find that it would say something else."""
    from gyroscope.models.runners import forest

    monkeypatch.setattr(forest, "Forest", lambda *about: pytest.fail("a forest was begun"))


@pytest.mark.parametrize(
    "settings",
    [
        {"zero_as_missing": True},
        {"linear_tree": True},
        {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
        {"objective": "poisson"},
        {"objective": "regression", "reg_sqrt": True},
    ],
)
def test_what_it_cannot_say_has_none(settings, unplanted):
    task = "binary" if settings.get("objective", "binary") == "binary" else "regression"
    runner = _load(_train(**settings), task)
    assert (runner.takes_one, runner.several_from) == (True, 0)


def test_categories_have_none(unplanted):
    random = np.random.default_rng(0)
    matrix = random.integers(0, 9, (300, WIDTH)).astype(float)
    data = lightgbm.Dataset(matrix, (matrix[:, 0] % 2), categorical_feature=[0])
    text = lightgbm.train({**SETTINGS, "objective": "binary", "min_data_per_group": 1}, data, 3).model_to_string()
    assert "num_cat=0" not in text
    assert _load(text).several_from == 0


def test_a_difference_of_one_bit_has_none(monkeypatch):
    from gyroscope.models.runners import forest

    read = forest._read

    def misread(texts):
        trees = read(texts)
        trees.leaves[:] = np.nextafter(trees.leaves, 1)
        return trees

    text = _train()
    assert _load(text).several_from
    monkeypatch.setattr(forest, "_read", misread)
    assert _load(text).several_from == 0


def test_too_large_a_model_has_none(monkeypatch):
    from gyroscope.models.runners import lightgbm

    monkeypatch.setattr(lightgbm, "MOST_CHARACTERS", 1_000)
    assert _load(_train()).several_from == 0


def test_without_onnx_rows_are_asked_about_one_by_one(monkeypatch):
    text = _train()
    monkeypatch.setitem(sys.modules, "gyroscope.models.runners.forest", None)
    runner = _load(text)
    assert (runner.takes_one, runner.several_from) == (True, 0)


def test_sums_beyond_the_exponential_have_none():
    text = _edited(_train(), "leaf_value", lambda line: re.sub(r"\S+", "-999", line))
    assert _load(text).several_from == 0


def test_what_onnx_refuses_has_none(monkeypatch):
    from gyroscope.models.runners import forest

    text = _train()
    monkeypatch.setattr(forest, "_model", lambda trees, width: b"no model")
    assert _load(text).several_from == 0


def test_a_tree_too_deep_for_onnx_has_none(monkeypatch):
    from gyroscope.models.runners import forest

    monkeypatch.setattr(forest, "MOST_LEAVES", 3)
    assert _load(_train()).several_from == 0
