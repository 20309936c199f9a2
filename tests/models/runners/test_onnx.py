"""What only ONNX models can get wrong: inputs, outputs, weights beside the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="needs the extra onnx")
import onnx
from onnx import TensorProto, helper, numpy_helper

from gyroscope.errors import InputError, ModelError, OutputError
from gyroscope.models.runners import Rows, load_runner
from gyroscope.models.versions import Artifact
from gyroscope.records import Feature, Signature

TWO = Signature("binary", (Feature("a"), Feature("b")))


def _load(model, signature=TWO):
    return load_runner("onnx", Artifact(Path("m.onnx"), model.SerializeToString()), signature)


def _model(nodes, inputs, outputs, constants=()):
    graph = helper.make_graph(nodes, "test", inputs, outputs, [numpy_helper.from_array(v, k) for k, v in constants])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def _tensor(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def _sigmoid(output_shape, kind=TensorProto.FLOAT, axes=None):
    """Sigmoid of the sum of two columns, in the shape that is asked for."""
    keep = 1 if len(output_shape) == 2 else 0
    nodes = [
        helper.make_node("ReduceSum", ["rows", "axis"], ["sum"], keepdims=keep),
        helper.make_node("Sigmoid", ["sum"], ["positive"]),
    ]
    constants = [("axis", np.array([1]))]
    return _model(nodes, [_tensor("rows", kind, [None, 2])], [_tensor("positive", kind, output_shape)], constants)


@pytest.mark.parametrize("shape", [[None], [None, 1]])
@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.DOUBLE])
def test_one_probability_per_row_comes_in_any_shape(shape, kind):
    runner = _load(_sigmoid(shape, kind))
    outputs = runner.predict(Rows(np.array([[0.0, 0.0], [1.0, -1.0], [2.0, 1.0]])))
    np.testing.assert_allclose(outputs, [0.5, 0.5, 1 / (1 + np.exp(-3))], atol=1e-7)


def test_a_missing_value_in_an_integer_input_names_the_feature():
    nodes = [
        helper.make_node("Cast", ["rows"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["numbers", "axis"], ["sum"], keepdims=0),
        helper.make_node("Sigmoid", ["sum"], ["p"]),
    ]
    inputs, outputs = [_tensor("rows", TensorProto.INT64, [None, 2])], [_tensor("p", TensorProto.FLOAT, [None])]
    runner = _load(_model(nodes, inputs, outputs, [("axis", np.array([1]))]))
    assert runner.predict(Rows(np.array([[1.0, -1.0]]))) == [0.5]
    with pytest.raises(InputError, match="'b' has no value"):
        runner.predict(Rows(np.array([[1.0, np.nan]])))


def test_columns_are_found_by_name_in_any_order():
    nodes = [helper.make_node("Sub", ["b", "a"], ["gap"]), helper.make_node("Sigmoid", ["gap"], ["p"])]
    inputs = [_tensor("b", TensorProto.FLOAT, [None, 1]), _tensor("a", TensorProto.FLOAT, [None, 1])]
    runner = _load(_model(nodes, inputs, [_tensor("p", TensorProto.FLOAT, [None, 1])]))
    assert runner.predict(Rows(np.array([[0.0, 100.0]]))) == [1.0]


def test_maps_instead_of_probabilities_are_refused_with_the_option_to_use():
    skl2onnx = pytest.importorskip("skl2onnx", reason="needs the extra sklearn")
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.linear_model import LogisticRegression

    estimator = LogisticRegression().fit([[0.0, 1.0], [1.0, 0.0]], [0, 1])
    model = skl2onnx.to_onnx(estimator, initial_types=[("rows", FloatTensorType([None, 2]))], target_opset=17)
    with pytest.raises(ModelError, match="maps") as caught:
        _load(model)
    assert "zipmap=False" in caught.value.fix


@pytest.mark.parametrize(
    ("features", "complaint"),
    [((Feature("a"),), "takes 2 features"), ((Feature("a"), Feature("b"), Feature("c")), "takes 2 features")],
)
def test_another_number_of_features_is_refused(features, complaint):
    with pytest.raises(ModelError, match=complaint):
        _load(_sigmoid([None]), Signature("binary", features))


def test_several_outputs_need_a_name():
    nodes = [helper.make_node("Sigmoid", ["rows"], ["one"]), helper.make_node("Neg", ["rows"], ["two"])]
    outputs = [_tensor(name, TensorProto.FLOAT, [None, 1]) for name in ("one", "two")]
    model = _model(nodes, [_tensor("rows", TensorProto.FLOAT, [None, 1])], outputs)
    with pytest.raises(ModelError, match="which output"):
        _load(model, Signature("binary", (Feature("a"),)))
    named = _load(model, Signature("binary", (Feature("a"),), output="one"))
    assert named.predict(Rows(np.zeros((1, 1)))) == [0.5]


def test_values_that_are_no_probabilities_are_an_output_error():
    model = _model(
        [helper.make_node("Neg", ["rows"], ["p"])],
        [_tensor("rows", TensorProto.FLOAT, [None, 1])],
        [_tensor("p", TensorProto.FLOAT, [None, 1])],
    )
    runner = _load(model, Signature("binary", (Feature("a"),)))
    for value, complaint in ((5.0, "probabilities from -5"), (np.nan, "nan for row 0"), (1e300, "inf for row 0")):
        with pytest.raises(OutputError, match=complaint) as caught:
            runner.predict(Rows(np.array([[value]])))
        assert caught.value.where == "model_output_invalid"
    regression = _load(model, Signature("regression", (Feature("a"),)))
    assert regression.predict(Rows(np.array([[5.0]]))) == [-5.0]
    assert _load(model, Signature("ranking", (Feature("a"),))).predict(Rows(np.array([[5.0]]))) == [-5.0]


def test_weights_beside_the_file_are_never_read(tmp_path, monkeypatch):
    """They would come, unverified, from whatever folder the process works in."""
    model = _model(
        [helper.make_node("MatMul", ["rows", "weights"], ["p"])],
        [_tensor("rows", TensorProto.FLOAT, [None, 2])],
        [_tensor("p", TensorProto.FLOAT, [None, 1])],
        [("weights", np.ones((2, 1), np.float32))],
    )
    path = tmp_path / "m.onnx"
    onnx.save_model(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="weights-beside-the-model-are-not-verified"):
        load_runner("onnx", Artifact(path, path.read_bytes()), TWO)


@pytest.mark.parametrize("shape", [[None], [None, 1]])
@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.DOUBLE])
def test_single_rows_are_as_those_of_a_batch_also_beyond_float32(shape, kind):
    runner = _load(_sigmoid(shape, kind))
    matrix = np.array([[1e300, 0.5], [-1e300, 0.5], [0.25, -0.5], [1e-300, np.pi], [np.inf, 1.0]])
    batch = runner.predict(Rows(matrix))
    for _ in range(2):
        single = [runner.predict(Rows(matrix[at : at + 1])) for at in range(len(matrix))]
        np.testing.assert_array_equal(np.concatenate(single), batch)
