"""`gyro models convert`: a real joblib file of a real model, and files that are none."""

from __future__ import annotations

import json

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from gyroscope.models import read_signature


def test_a_model_is_converted_compared_and_told_about(gyro, here):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2))
    joblib.dump(LogisticRegression().fit(x, x[:, 0] + x[:, 1] > 0), here / "model.joblib")
    np.savetxt(here / "rows.csv", x, delimiter=",", header="age,income", comments="")
    ended = gyro("models", "convert", "model.joblib", "--data", "rows.csv", "-o", "out.onnx", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["agreement"]["max_abs_difference"] < 1e-5
    assert ended.json["artifact"] == "out.onnx"
    assert "throwaway process" in ended.json["said"][0]
    assert (here / "out.onnx").is_file()
    assert read_signature(here / "out.signature.yaml").names == ("age", "income")


@pytest.mark.parametrize("content", [b"hello", b"\x80\x04garbage"])
def test_what_is_no_model_fails_in_words(gyro, here, content):
    (here / "model.joblib").write_bytes(content)
    ended = gyro("models", "convert", "model.joblib", "--json")
    assert ended.code == 2
    assert json.loads(ended.err)["fix"]
    assert not (here / "model.onnx").exists()


def test_a_missing_file_fails_in_words(gyro):
    assert "no such file" in gyro("models", "convert", "nowhere.joblib").err
