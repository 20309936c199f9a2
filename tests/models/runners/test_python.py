"""What own code can get wrong, and that two versions of one module do not mix."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from gyroscope.errors import ModelError, OutputError
from gyroscope.models.runners import Rows, open_runner
from gyroscope.models.store import Candidate, ModelStore
from gyroscope.records import Feature, Signature

SIGNATURE = Signature("binary", (Feature("a"),))
ROWS = Rows(np.zeros((3, 1)))


@pytest.fixture
def open_code(tmp_path):
    store = ModelStore(tmp_path / "home")

    def opened(text, entry="churn:Model", **others):
        code = tmp_path / f"code{len(list(tmp_path.iterdir()))}"
        code.mkdir()
        (code / "churn.py").write_text(text)
        for name, content in others.items():
            (code / f"{name}.py").write_text(content)
        return open_runner(store, store.add(Candidate("own", "python", SIGNATURE, code, entry=entry), 1))

    return opened


def _predicting(body):
    return f"class Model:\n    def predict(self, matrix, columns):\n        {body}\n"


@pytest.mark.parametrize(
    ("body", "where", "complaint"),
    [
        ("raise KeyError('x')", "model_raised", "KeyError: 'x'"),
        ("return None", "model_output_invalid", "the shape|no numbers"),
        ("return 'text'", "model_output_invalid", "no numbers"),
        ("return [0.5]", "model_output_invalid", r"shape \(1,\), the signature says \(3,\)"),
        ("return [[0.5, 0.5]] * 3", "model_output_invalid", r"shape \(3, 2\)"),
        ("return [0.5, float('nan'), 0.5]", "model_output_invalid", "nan for row 1"),
        ("return [0.5, 2, 0.5]", "model_output_invalid", "from 0.5 to 2"),
    ],
)
def test_wrong_answers_are_output_errors(open_code, body, where, complaint):
    runner = open_code(_predicting(body))
    with pytest.raises(OutputError, match=complaint) as caught:
        runner.predict(ROWS)
    assert caught.value.where == where


def test_rounding_beyond_one_is_taken_off(open_code):
    outputs = open_code(_predicting("return [1.0000001, -1e-9, 0.25]")).predict(ROWS)
    assert outputs.tolist() == [1.0, 0.0, 0.25]


def test_the_cause_is_kept(open_code):
    with pytest.raises(OutputError) as caught:
        open_code(_predicting("return 1 / 0")).predict(ROWS)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    ("text", "entry", "complaint"),
    [
        ("import nothing_like_this", "churn:Model", "cannot be imported: ModuleNotFoundError"),
        ("x = 1", "churn:Model", "no class 'Model'"),
        ("class Model: ...", "churn:Model", "no method predict"),
        (
            "class Model:\n    def __init__(self, a): ...\n    def predict(self, m, c): ...",
            "churn:Model",
            "cannot be loaded",
        ),
        ("", "other:Model", "cannot be imported"),
    ],
)
def test_what_cannot_be_loaded_is_a_model_error(open_code, text, entry, complaint):
    with pytest.raises(ModelError, match=complaint) as caught:
        open_code(text, entry)
    assert entry in caught.value.where


def test_two_versions_of_one_module_answer_for_themselves(open_code):
    text = "from weight import WEIGHT\n" + _predicting("return matrix[:, 0] * 0 + WEIGHT")
    one = open_code(text, weight="WEIGHT = 0.1")
    two = open_code(text, weight="WEIGHT = 0.2")
    assert (one.predict(ROWS) == 0.1).all()
    assert (two.predict(ROWS) == 0.2).all()


def test_loading_leaves_the_version_as_it_was(open_code, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    open_code(_predicting("return [0.5] * len(matrix)"), weight="W = 1").predict(ROWS)
    (folder,) = (path for path in (tmp_path / "home" / "models" / "own").iterdir() if path.is_dir())
    assert not list(folder.rglob("__pycache__"))


def test_an_installed_module_of_the_same_name_is_not_taken_for_it(open_code):
    before = sys.modules["json"]
    with pytest.raises(ModelError, match="name of one that is in use"):
        open_code("", "json:Model", json=_predicting("return [0.5]"))
    assert sys.modules["json"] is before
