"""Every runner keeps the same promises, each with a real model of its kind that was made from the same data."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope import backends
from gyroscope.errors import InputError, ModelError, OutputError
from gyroscope.models.encoding import encode_columns
from gyroscope.models.runners import open_runner, rehearse
from gyroscope.models.store import Candidate, ModelStore
from gyroscope.records import Feature, Signature

SIGNATURE = Signature(
    "binary",
    (Feature("distance"), Feature("hour", "int64"), Feature("carrier", "string", ("AA", "B6", "UA"))),
)
MAX_ULP = 4

CODE = """
import numpy as np
from weights import WEIGHTS


class Model:
    def load(self, folder):
        self.offset = float((folder / "offset.txt").read_text())

    def predict(self, matrix, columns):
        assert columns == ["distance", "hour", "carrier"]
        known = np.nan_to_num(matrix, nan=-1.0)
        return 1 / (1 + np.exp(-(known @ WEIGHTS + self.offset)))
"""


def _columns(n: int, seed: int = 0):
    random = np.random.default_rng(seed)
    return {
        "distance": random.normal(0, 1, n),
        "hour": random.integers(0, 24, n),
        "carrier": random.choice(np.array(["AA", "B6", "UA"], dtype=object), n),
    }


def _lightgbm(folder):
    lightgbm = pytest.importorskip("lightgbm", reason="needs the extra lightgbm")
    matrix = encode_columns(SIGNATURE, _columns(400)).matrix
    labels = (matrix[:, 0] + 0.2 * (matrix[:, 2] == 1) > 0).astype(float)
    settings = {"objective": "binary", "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5}
    booster = lightgbm.train(settings, lightgbm.Dataset(matrix, labels, categorical_feature=[2]), 10)
    path = folder / "trees.txt"
    path.write_text(booster.model_to_string())
    return Candidate("flights", "lightgbm", SIGNATURE, path)


def _onnx_matrix(folder):
    """(n, 3) -> fill NaN, a linear layer, a sigmoid; answers for both classes as converters do."""
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    path = folder / "matrix.onnx"
    path.write_bytes(_onnx_model(per_column=False))
    return Candidate("flights", "onnx", SIGNATURE, path)


def _onnx_columns(folder):
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    path = folder / "columns.onnx"
    path.write_bytes(_onnx_model(per_column=True))
    return Candidate("flights", "onnx", SIGNATURE, path)


def _onnx_model(*, per_column: bool) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    nodes, names = [], ["distance", "hour", "carrier"]
    constants = {"zero": np.zeros(1, np.float32), "weights": np.array([[-1.5], [0.01], [0.3]], np.float32)}
    if per_column:
        inputs = [
            helper.make_tensor_value_info("distance", TensorProto.FLOAT, [None, 1]),
            helper.make_tensor_value_info("hour", TensorProto.FLOAT, [None, 1]),
            helper.make_tensor_value_info("carrier", TensorProto.STRING, [None, 1]),
        ]
        nodes.append(
            helper.make_node(
                "LabelEncoder", ["carrier"], ["code"], domain="ai.onnx.ml",
                keys_strings=["AA", "B6", "UA"], values_floats=[0.0, 1.0, 2.0], default_float=0.0,
            )
        )  # fmt: skip
        nodes.append(helper.make_node("Concat", ["distance", "hour", "code"], ["rows"], axis=1))
    else:
        assert len(names) == 3
        inputs = [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, 3])]
    nodes += [
        helper.make_node("IsNaN", ["rows"], ["gaps"]),
        helper.make_node("Where", ["gaps", "zero", "rows"], ["filled"]),
        helper.make_node("MatMul", ["filled", "weights"], ["score"]),
        helper.make_node("Sigmoid", ["score"], ["positive"]),
        helper.make_node("Neg", ["score"], ["other"]),
        helper.make_node("Sigmoid", ["other"], ["negative"]),
        helper.make_node("Concat", ["negative", "positive"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes, "test", inputs,
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def _xgboost(folder):
    xgboost = pytest.importorskip("xgboost", reason="needs the extra xgboost")
    matrix = encode_columns(SIGNATURE, _columns(400)).matrix
    labels = (matrix[:, 0] + 0.2 * (matrix[:, 2] == 1) > 0).astype(float)
    data = xgboost.DMatrix(matrix, labels, feature_names=list(SIGNATURE.names))
    booster = xgboost.train({"objective": "binary:logistic", "nthread": 1, "max_depth": 4}, data, 10)
    path = folder / "trees.ubj"
    booster.save_model(path)
    return Candidate("flights", "xgboost", SIGNATURE, path)


def _skops(folder):
    skops = pytest.importorskip("skops.io", reason="needs the extra skops")
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline

    matrix = encode_columns(SIGNATURE, _columns(400)).matrix
    labels = (matrix[:, 0] + 0.2 * (matrix[:, 2] == 1) > 0).astype(int)
    path = folder / "pipeline.skops"
    skops.dump(make_pipeline(SimpleImputer(), RandomForestClassifier(10, random_state=0)).fit(matrix, labels), path)
    return Candidate("flights", "skops", SIGNATURE, path)


def _python(folder):
    code = folder / "code"
    code.mkdir()
    (code / "churn.py").write_text(CODE)
    (code / "weights.py").write_text("import numpy as np\n\nWEIGHTS = np.array([-1.5, 0.01, 0.3])\n")
    (code / "offset.txt").write_text("0.5")
    return Candidate("flights", "python", SIGNATURE, code, entry="churn:Model")


CASES = {
    "lightgbm": _lightgbm,
    "onnx, one matrix": _onnx_matrix,
    "onnx, a column per feature": _onnx_columns,
    "xgboost": _xgboost,
    "skops": _skops,
    "python": _python,
}


@pytest.fixture(params=CASES)
def candidate(request, tmp_path):
    return CASES[request.param](tmp_path)


@pytest.fixture
def runner(candidate, tmp_path):
    store = ModelStore(tmp_path / "home")
    return open_runner(store, store.add(candidate, 1, check=rehearse))


def test_every_runner_of_the_registry_is_here():
    assert {name.partition(",")[0] for name in CASES} == set(backends.known("runners"))


@pytest.mark.parametrize("n", [1, 100])
def test_one_finite_probability_per_row(runner, n):
    outputs = runner.predict(encode_columns(SIGNATURE, _columns(n)))
    assert outputs.shape == (n,)
    assert outputs.dtype == np.float64
    assert outputs.flags.c_contiguous
    assert ((outputs >= 0) & (outputs <= 1)).all()
    assert n == 1 or len(np.unique(outputs)) > 2


def test_no_rows_give_no_outputs(runner):
    assert runner.predict(encode_columns(SIGNATURE, _columns(0))).shape == (0,)


def test_missing_and_unseen_values_are_answered(runner):
    columns = {
        "distance": np.array([np.nan, 1.0, 1.0]),
        "hour": np.ma.masked_array([1, 2, 3], mask=[False, True, False]),
        "carrier": np.array([None, "UA", "ZZ"], dtype=object),
    }
    outputs = runner.predict(encode_columns(SIGNATURE, columns))
    assert np.isfinite(outputs).all()


def test_the_same_rows_get_the_same_answer(runner):
    rows = encode_columns(SIGNATURE, _columns(100))
    assert (runner.predict(rows) == runner.predict(rows)).all()


def test_a_batch_equals_its_rows(runner, candidate):
    columns = _columns(100, seed=7)
    batch = runner.predict(encode_columns(SIGNATURE, columns))
    alone = [{name: values[at : at + 1] for name, values in columns.items()} for at in range(100)]
    single = np.concatenate([runner.predict(encode_columns(SIGNATURE, row)) for row in alone])
    if candidate.runner in ("lightgbm", "xgboost"):
        assert (batch == single).all()
    else:
        precision = np.float32 if candidate.runner == "onnx" else np.float64
        np.testing.assert_array_max_ulp(batch.astype(precision), single.astype(precision), MAX_ULP)


def test_an_answer_outlives_the_next_one(runner):
    """Runners keep memory for one row; what they gave away is still to be logged and sent."""
    rows = [encode_columns(SIGNATURE, _columns(1, seed)) for seed in range(5)]
    kept = [runner.predict(one) for one in rows]
    assert len({one.item() for one in kept}) > 1
    assert [one.item() for one in kept] == [runner.predict(one).item() for one in rows]


def test_one_row_again_is_the_same_to_the_last_bit(runner):
    """The first row alone may go another way than those after it, and a row between two batches than a batch."""
    one, many = encode_columns(SIGNATURE, _columns(1)), encode_columns(SIGNATURE, _columns(3))
    answers = []
    for _ in range(3):
        answers.append(runner.predict(one).item())
        runner.predict(many)
    assert len(set(answers)) == 1


def test_one_row_as_bytes_is_answered_to_the_last_bit_or_not_at_all(runner):
    for seed in range(50):
        rows = encode_columns(SIGNATURE, _columns(1, seed))
        said = runner.predict(rows).item()
        assert runner.one(rows.matrix.tobytes()) == (said if runner.takes_one else None)
    assert runner.one(b"") is None


def test_predicting_leaves_the_rows_alone(runner):
    rows = encode_columns(SIGNATURE, _columns(20))
    before = rows.matrix.copy()
    runner.predict(rows)
    assert (rows.matrix == before).all()


def test_threads_do_not_change_the_answer(candidate, tmp_path):
    store = ModelStore(tmp_path / "home")
    version = store.add(candidate, 1)
    rows = encode_columns(SIGNATURE, _columns(50))
    assert (
        open_runner(store, version, threads=1).predict(rows) == open_runner(store, version, threads=2).predict(rows)
    ).all()


def test_a_signature_with_another_width_is_refused(candidate, tmp_path):
    narrow = Signature("binary", SIGNATURE.features[:2])
    wrong = Candidate(candidate.model, candidate.runner, narrow, candidate.artifact, candidate.entry)
    with pytest.raises((ModelError, OutputError)):
        ModelStore(tmp_path / "home").add(wrong, 1, check=rehearse)
    assert ModelStore(tmp_path / "home").models() == []


def test_content_that_is_no_model_is_a_model_error(candidate, tmp_path):
    if candidate.runner == "python":
        (candidate.artifact / "churn.py").write_text("this is no Python")
    else:
        candidate.artifact.write_bytes(b"no model at all")
    with pytest.raises(ModelError) as caught:
        ModelStore(tmp_path / "home").add(candidate, 1, check=rehearse)
    assert caught.value.where


def test_a_missing_value_that_the_signature_forbids_is_an_input_error():
    strict = Signature("binary", (Feature("distance", nullable=False),))
    with pytest.raises(InputError, match="row 1"):
        encode_columns(strict, {"distance": np.array([1.0, np.nan])})
