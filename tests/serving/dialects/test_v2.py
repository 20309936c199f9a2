"""What the V2 dialect takes, and where it says the fault is in what it does not take."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gyroscope.errors import InputError


def tensor(name, shape, datatype, data, **more):
    return {"name": name, "shape": shape, "datatype": datatype, "data": data, **more}


def body(*inputs, **more):
    return json.dumps({"inputs": list(inputs), **more})


def columns(**changed):
    """The four tensors of the mixed signature, two rows, in another order than the signature's."""
    tensors = {
        "is_late": tensor("is_late", [2], "BOOL", [True, False]),
        "carrier": tensor("carrier", [2, 1], "BYTES", ["UA", "AA"]),
        "hour": tensor("hour", [2], "INT32", [7, 23]),
        "distance": tensor("distance", [2], "FP32", [500.5, 2]),
    }
    return body(*[tensors[name] | changed.get(name, {}) for name in tensors])


NAN = float("nan")
ACCEPTED = {
    "flat": (body(tensor("x", [2, 3], "FP64", [1, 2, 3, 4.5, 5, 6])), [[1, 2, 3], [4.5, 5, 6]]),
    "nested": (body(tensor("x", [2, 3], "FP32", [[1, 2, 3], [4.5, 5, 6]])), [[1, 2, 3], [4.5, 5, 6]]),
    "blanks": ('{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP64","data":[\n [1, 2, 3] ]}]}', [[1, 2, 3]]),
    "integers": (body(tensor("x", [1, 3], "UINT8", [0, 1, 255])), [[0, 1, 255]]),
    "null": (body(tensor("x", [1, 3], "FP64", [1, None, 3])), [[1, NAN, 3]]),
    "one row of one tensor each": (
        body(tensor("c", [1], "FP64", [3]), tensor("a", [1, 1], "FP64", [[1]]), tensor("b", [1], "INT8", [2])),
        [[1, 2, 3]],
    ),
    "named as a feature, shaped as all": (body(tensor("a", [1, 3], "FP64", [1, 2, 3])), [[1, 2, 3]]),
    "exact": (body(tensor("x", [1, 3], "FP64", [0.1, 1e-308, 2**53])), [[0.1, 1e-308, 2**53]]),
    "text with colons": (body(tensor("x", [1, 3], "FP64", [1, 2, 3]), id="at: 10:30"), [[1, 2, 3]]),
    "unknown extras": (body(tensor("x", [1, 3], "FP64", [1, 2, 3]), extra={"deep": [1]}), [[1, 2, 3]]),
    "wanted output": (body(tensor("x", [1, 3], "FP64", [1, 2, 3]), outputs=[{"name": "value"}]), [[1, 2, 3]]),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_takes(name, numbers, v2):
    text, matrix = ACCEPTED[name]
    rows = v2(numbers).read(text.encode()).rows
    np.testing.assert_array_equal(rows.matrix, np.array(matrix, dtype=float))
    assert rows.matrix.flags.c_contiguous
    assert rows.matrix.dtype == np.float64


def test_takes_columns_in_any_order_with_strings_by_their_codes(mixed, v2):
    question = v2(mixed).read(columns(hour={"data": [7, None]}).encode())
    np.testing.assert_array_equal(question.rows.matrix, [[500.5, 7, 2, 1], [2, NAN, 0, 0]])
    assert question.rows.unseen == ()


def test_an_unseen_category_is_missing_for_the_model_and_kept_as_text(mixed, v2):
    rows = v2(mixed).read(columns(carrier={"data": ["ZZ", "B6"]}).encode()).rows
    np.testing.assert_array_equal(rows.matrix[:, 2], [NAN, 1])
    assert rows.unseen == ((0, 2, "ZZ"),)


ONE = tensor("x", [1, 3], "FP64", [1, 2, 3])
REFUSED = {
    "nothing": ("", 400, "malformed JSON"),
    "not JSON": ('{"inputs": [}', 400, "(byte 12)"),
    "NaN": (body(ONE).replace("2", "NaN"), 400, "malformed JSON"),
    "infinity": (body(ONE).replace("[1, 2", "[1, 1e999"), 422, "inputs[0].data[1]: number out of range"),
    "byte order mark": ("\ufeff" + body(ONE), 400, "malformed JSON"),
    "lone surrogate": (body(ONE, id="x").replace('"x"}', '"\\ud800"}'), 400, "malformed JSON"),
    "cut": (body(ONE)[:-2], 400, "malformed JSON"),
    "depth": ("[" * 100_000, 422, "expected object, got array"),
    "deep parameters": (body(ONE)[:-1] + ',"parameters":' + '{"a":' * 100_000, 400, "nested too deeply"),
    "a list": ("[]", 422, "expected object, got array"),
    "null": ("null", 422, "expected object, got null"),
    "no inputs": ("{}", 422, "missing required field inputs"),
    "empty inputs": (body(), 422, "inputs: there are no tensors"),
    "doubled key": (body(ONE).replace('"name"', '"name": "y", "name"'), 400, "'name' appears twice"),
    "doubled escaped key": (body(ONE).replace('"name"', '"n\\u0061me": "y", "name"'), 400, "'name' appears twice"),
    "no data": (body({"name": "x", "shape": [1, 3], "datatype": "FP64"}), 422, "inputs[0]: object missing required"),
    "string": (body(ONE | {"data": [1, "2", 3]}), 422, "inputs[0].data[1]: expected float | null, got str"),
    "bool": (body(ONE | {"data": [1, True, 3]}), 422, "inputs[0].data[1]: expected float | null, got bool"),
    "too few": (body(ONE | {"data": [1, 2]}), 422, "inputs[0].data: 2 values where the shape says 3"),
    "ragged": (body(ONE | {"shape": [2, 3], "data": [[1, 2, 3], [4]]}), 422, "inputs[0].data[1]: 1 values"),
    "nested too far": (body(ONE | {"data": [[[1, 2, 3]]]}), 422, "inputs[0].data[0][0]: expected float"),
    "shape": (body(ONE | {"shape": [3]}), 422, "inputs[0].shape: the shape [3] does not fit; send one tensor [n, 3]"),
    "shape of many": (body(ONE | {"shape": [1] * 50}), 422, "the shape of 50 dimensions does not fit"),
    "negative shape": (body(ONE | {"shape": [-1, 3]}), 422, "inputs[0].shape[0]: there are no rows"),
    "no rows": (body(ONE | {"shape": [0, 3], "data": []}), 422, "there are no rows"),
    "too many rows": (body(ONE | {"shape": [10_001, 3]}), 413, "10,001 rows are more than the 10,000"),
    "datatype": (body(ONE | {"datatype": "FP23"}), 422, "inputs[0].datatype: one tensor for all"),
    "bytes": (body(ONE | {"datatype": "BYTES"}), 422, "not 'BYTES'"),
    "integer that is none": (body(ONE | {"datatype": "INT64", "data": [1, 2.5, 3]}), 422, "data[1]: expected int"),
    "beyond UINT8": (body(ONE | {"datatype": "UINT8", "data": [1, 256, 3]}), 422, "inputs[0].data[1]: expected int"),
    "below UINT8": (body(ONE | {"datatype": "UINT8", "data": [1, 2, -3]}), 422, "inputs[0].data[2]: expected int"),
    "beyond 2^53": (body(ONE | {"datatype": "INT64", "data": [2**53 + 1, 2, 3]}), 422, "inputs[0].data[0]"),
    "5,000 digits": (body(ONE).replace("[1, 2", f"[1, {'9' * 5_000}"), 422, "inputs[0].data[1]: number out of range"),
    "beyond FP32": (body(ONE | {"datatype": "FP32", "data": [1, 2, 1e39]}), 422, "inputs[0].data[2]: expected float"),
    "flag that is none": (
        body(ONE, parameters={"binary_data_output": 1}),
        422,
        "parameters.binary_data_output: expected",
    ),
    "bytes without a head": (body(ONE | {"datatype": "BF16"}), 422, "inputs[0].datatype: one tensor for all"),
    "unknown output": (body(ONE, outputs=[{"name": "valu"}]), 422, "outputs[0].name: no output is called 'valu'; did"),
    "number as id": (body(ONE, id=7), 422, "id: expected str, got int"),
    "long id": (body(ONE, id="x" * 129), 400, "id: this id cannot be kept"),
    "id with a newline": (body(ONE, id="a\nb"), 400, "id: this id cannot be kept"),
    "bad event time": (body(ONE, parameters={"event_time": "soon"}), 400, "parameters.event_time: this is no event"),
    "event time of another kind": (body(ONE, parameters={"event_time": [1]}), 422, "parameters.event_time: expected"),
    "unknown name": (
        body(tensor("a", [1], "FP64", [1]), tensor("b", [1], "FP64", [1]), tensor("d", [1], "FP64", [1])),
        422,
        "inputs[2].name: no feature is called 'd'",
    ),
    "missing name": (
        body(tensor("a", [1], "FP64", [1]), tensor("c", [1], "FP64", [1])),
        422,
        "inputs: missing 'b'",
    ),
    "doubled name": (
        body(tensor("a", [1], "FP64", [1]), tensor("a", [1], "FP64", [1])),
        422,
        "inputs[1].name: the feature 'a' appears twice",
    ),
    "columns of two lengths": (
        body(tensor("a", [1], "FP64", [1]), tensor("b", [2], "FP64", [1, 2]), tensor("c", [1], "FP64", [1])),
        422,
        "inputs[1].shape: the shape [2] is neither [1] nor [1, 1]",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_with_the_path_of_the_fault(name, numbers, v2):
    text, status, said = REFUSED[name]
    with pytest.raises(InputError) as refusal:
        v2(numbers).read(text.encode())
    assert_says(refusal.value, status, said)


REFUSED_MIXED = {
    "number for a string": (columns(carrier={"data": ["UA", 3]}), "inputs[1].data[1]: expected str | null, got int"),
    "number tensor for a string": (columns(carrier={"datatype": "FP64"}), "inputs[1].datatype: 'carrier' is string"),
    "string for a number": (columns(distance={"data": [1, "2"]}), "inputs[3].data[1]: expected float, got str"),
    "null where it may not be": (columns(distance={"data": [1, None]}), "inputs[3].data[1]: expected float, got null"),
    "null for a bool": (columns(is_late={"data": [None, True]}), "inputs[0].data[0]: expected bool, got null"),
    "number for a bool": (columns(is_late={"data": [1, True]}), "inputs[0].data[0]: expected bool, got int"),
    "fraction for an integer": (columns(hour={"data": [7.5, 1]}), "inputs[2].data[0]: expected int | null, got float"),
    "float tensor for an integer": (columns(hour={"datatype": "FP64"}), "inputs[2].datatype: 'hour' is int64"),
    "all as one": (body(tensor("x", [1, 4], "FP64", [1, 2, 3, 4])), "inputs[0]: one tensor cannot hold"),
}


@pytest.mark.parametrize("name", REFUSED_MIXED)
def test_refuses_what_a_feature_is_not(name, mixed, v2):
    text, said = REFUSED_MIXED[name]
    with pytest.raises(InputError) as refusal:
        v2(mixed).read(text.encode())
    assert_says(refusal.value, 422, said)


def test_not_utf8_is_malformed(numbers, v2):
    with pytest.raises(InputError) as refusal:
        v2(numbers).read(body(ONE, id="abc").encode().replace(b"abc", b"\xff"))
    assert_says(refusal.value, 400, "malformed JSON: not UTF-8")


def test_answers_with_names_shape_and_exact_numbers(numbers, v2):
    dialect = v2(numbers)
    outputs = np.array([0.1, 1 / 3])
    text, headers = dialect.answer(dialect.read(body(ONE, id="mine").encode()), outputs, "r-1")
    assert headers == ()
    answer = json.loads(text)
    assert answer == {
        "model_name": "flights",
        "model_version": "0a1b2c3d4e5f",
        "id": "mine",
        "outputs": [{"name": "value", "shape": [2], "datatype": "FP64", "data": [0.1, 1 / 3]}],
        "parameters": {"request_id": "r-1"},
    }
    unnamed = json.loads(dialect.answer(dialect.read(body(ONE).encode()), np.array([[0.25, 0.75]]), "r-2")[0])
    assert unnamed["id"] == "r-2"
    assert unnamed["outputs"][0]["shape"] == [1, 2]
    assert unnamed["outputs"][0]["data"] == [0.25, 0.75]


def assert_says(error: InputError, status: int, said: str) -> None:
    text = f"{error.where}: {error.what}; {error.fix}" if error.where else f"{error.what}; {error.fix}"
    assert said in text
    assert error.status == status
