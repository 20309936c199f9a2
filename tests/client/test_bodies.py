"""What goes over the wire, byte by byte, and what comes back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gyroscope.client.bodies import decode, encode
from gyroscope.client.wire import Reply
from gyroscope.errors import InputError, ProcessError


def parts(body):
    length = int(body.headers["Inference-Header-Content-Length"])
    return json.loads(body.content[:length]), body.content[length:]


def test_numbers_go_as_binary_tensors_of_their_own_kind():
    table = {"a": [1.5, None] * 4, "n": np.array([1, 2] * 4, dtype=">i4"), "b": [True, False] * 4}
    body = encode("churn", table)
    head, raw = parts(body)
    assert body.path == "/v2/models/churn/infer"
    assert head["parameters"] == {"binary_data_output": True}
    assert [(one["name"], one["datatype"], one["shape"]) for one in head["inputs"]] == [
        ("a", "FP64", [8]),
        ("n", "INT32", [8]),
        ("b", "BOOL", [8]),
    ]
    assert [one["parameters"]["binary_data_size"] for one in head["inputs"]] == [64, 32, 8]
    numbers = np.array([1.5, np.nan] * 4, "<f8").tobytes() + np.array([1, 2] * 4, "<i4").tobytes()
    assert raw == numbers + b"\x01\x00" * 4


def test_a_matrix_goes_as_one_tensor_row_by_row():
    head, raw = parts(encode("churn", np.asfortranarray(np.arange(6, dtype=np.float32).reshape(3, 2))))
    assert [(one["datatype"], one["shape"]) for one in head["inputs"]] == [("FP32", [3, 2])]
    assert raw == np.arange(6, dtype="<f4").tobytes()


@pytest.mark.parametrize("times", [1, 10])
def test_texts_and_gaps_go_as_json(times):
    ages = np.array([41.5, np.nan] * times)
    body = encode("a b", {"age": ages, "plan": ["basic", None] * times, "n": [1, None] * times})
    assert body.path == "/models/a%20b/invocations"
    data = [[41.5, "basic", 1], [None, None, None]] * times
    assert json.loads(body.content) == {"dataframe_split": {"columns": ["age", "plan", "n"], "data": data}}


def test_few_rows_go_as_json():
    body = encode("churn", {"a": np.array([1.5], np.float32), "b": [True]})
    assert json.loads(body.content)["dataframe_split"]["data"] == [[1.5, True]]


def test_what_json_would_turn_into_a_gap_is_refused():
    with pytest.raises(InputError, match="no infinity"):
        encode("churn", {"age": np.array([np.inf]), "plan": ["basic"]})


def test_numbers_without_a_datatype_are_refused():
    with pytest.raises(InputError, match="object cannot be sent"):
        encode("churn", {"n": [2**70] * 8})


def test_both_kinds_of_answers_are_read():
    head = b'{"model_name":"m","outputs":[{"name":"p","shape":[2,2],"datatype":"FP64"}]}'
    told = {"inference-header-content-length": str(len(head))}
    answer = decode(Reply(200, told, head + np.arange(4, dtype="<f8").tobytes()))
    np.testing.assert_array_equal(answer, [[0, 1], [2, 3]])
    assert decode(Reply(200, {}, b'{"predictions":[0.5,1]}')).tolist() == [0.5, 1.0]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b"<html>"),
        ({}, b'{"predictions":"none"}'),
        ({"inference-header-content-length": "x"}, b"{}"),
        ({"inference-header-content-length": "2"}, b"{}"),
        ({"inference-header-content-length": "45"}, b'{"outputs":[{"shape":[3],"datatype":"FP64"}]}\0\0\0\0\0\0\0\0'),
    ],
)
def test_the_answer_of_a_stranger_is_noticed(headers, body):
    with pytest.raises(ProcessError, match="cannot be read"):
        decode(Reply(200, headers, body))
