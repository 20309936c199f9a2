"""Requests and answers whose tensors lie as bytes behind their JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gyroscope.errors import InputError
from gyroscope.records import Feature, Signature
from gyroscope.serving.dialects.v2 import V2

MATRIX = np.array([[1, 2, 3], [4.5, 5, 6]], np.float32)
LENGTH = b"inference-header-content-length"


def piece(name, shape, datatype, raw=None, size=None, **more):
    parameters = {} if raw is None else {"parameters": {"binary_data_size": len(raw) if size is None else size}}
    return {"name": name, "shape": shape, "datatype": datatype, **parameters, **more}


def ask(service: V2, inputs, *raws, length=None, **more):
    head = json.dumps({"inputs": inputs, **more}).encode()
    sent = str(len(head) if length is None else length).encode()
    dialect = service.dialect({LENGTH: sent, b"content-type": b"application/octet-stream"})
    return dialect, dialect.read(head + b"".join(raws))


def packed(*texts):
    return b"".join(len(text.encode()).to_bytes(4, "little") + text.encode() for text in texts)


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64", "INT8", "UINT8", "INT64", "UINT64"])
def test_a_matrix_of_any_number(datatype, numbers, v2):
    kind = datatype.lower().replace("fp", "float")
    sent = MATRIX.astype(kind)
    _, question = ask(v2(numbers), [piece("x", [2, 3], datatype, sent.tobytes())], sent.tobytes())
    np.testing.assert_array_equal(question.rows.matrix, sent.astype(float))
    matrix = question.rows.matrix
    assert (matrix.dtype, matrix.flags.c_contiguous, matrix.flags.aligned) == (np.float64, True, True)


def test_columns_in_bytes_and_json_mixed(mixed, v2):
    hour, carrier, late = np.array([7, 23], "<i4").tobytes(), packed("UA", "ZZ"), bytes([1, 0])
    inputs = [
        piece("is_late", [2], "BOOL", late),
        piece("distance", [2, 1], "FP64", data=[[500.5], [2]]),
        piece("carrier", [2], "BYTES", carrier),
        piece("hour", [2, 1], "INT32", hour),
    ]
    _, question = ask(v2(mixed), inputs, late, carrier, hour)
    np.testing.assert_array_equal(question.rows.matrix, [[500.5, 7, 2, 1], [2, 23, np.nan, 0]])
    assert question.rows.unseen == ((1, 2, "ZZ"),)


def test_nan_is_null_where_null_may_be(numbers, v2):
    raw = np.array([1, np.nan, 3], "<f4").tobytes()
    _, question = ask(v2(numbers), [piece("x", [1, 3], "FP32", raw)], raw)
    np.testing.assert_array_equal(question.rows.matrix, [[1, np.nan, 3]])


WANTED = {
    "all": ({"parameters": {"binary_data_output": True}}, True),
    "this one": ({"outputs": [{"name": "value", "parameters": {"binary_data": True}}]}, True),
    "all but this one": (
        {
            "parameters": {"binary_data_output": True},
            "outputs": [{"name": "value", "parameters": {"binary_data": False}}],
        },
        False,
    ),
    "not said": ({}, False),
}


@pytest.mark.parametrize("name", WANTED)
def test_answers_in_bytes_when_asked(name, numbers, v2):
    more, is_binary = WANTED[name]
    dialect, question = ask(v2(numbers), [piece("x", [2, 3], "FP32", MATRIX.tobytes())], MATRIX.tobytes(), **more)
    outputs = np.array([0.1, 1 / 3])
    body, headers = dialect.answer(question, outputs, "r-1")
    if not is_binary:
        assert headers == ()
        assert json.loads(body)["outputs"][0]["data"] == [0.1, 1 / 3]
        return
    said = dict(headers)
    assert said[b"content-type"] == b"application/octet-stream"
    length = int(said[LENGTH])
    (output,) = json.loads(body[:length])["outputs"]
    assert output == {"name": "value", "shape": [2], "datatype": "FP64", "parameters": {"binary_data_size": 16}}
    np.testing.assert_array_equal(np.frombuffer(body[length:], "<f8"), outputs)


def test_a_json_request_may_want_bytes_back(numbers, v2):
    body = {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}]}
    service = v2(numbers)
    question = service.read(json.dumps(body | {"parameters": {"binary_data_output": True}}).encode())
    assert service.answer(question, np.array([1.0]), "r")[1]


F4 = np.array([1, 2, 3], "<f4").tobytes()
ONE = [piece("x", [1, 3], "FP32", F4)]
REFUSED = {
    "head longer than the body": ((ONE, F4), {"length": 10**6}, 400, "the head is said to have 1,000,000 bytes"),
    "head that is cut": ((ONE, F4), {"length": 10}, 400, "malformed JSON"),
    "size beyond the bytes": (([piece("x", [1, 3], "FP32", F4, 10**12)], F4), {}, 400, "are announced and 12 are left"),
    "negative size": (([piece("x", [1, 3], "FP32", F4, -4)], F4), {}, 400, "this is no size"),
    "size that is no number": (([piece("x", [1, 3], "FP32", F4, "12")], F4), {}, 400, "this is no size"),
    "true as a size": (([piece("x", [1, 3], "FP32", F4, True)], F4), {}, 400, "this is no size"),
    "bytes too many": ((ONE, F4, b"x"), {}, 400, "13 bytes came and 12 are announced"),
    "bytes too few": (([piece("x", [1, 3], "FP32", F4[:8])], F4[:8]), {}, 400, "8 bytes where 3 values of FP32 are 12"),
    "a shape that is too large": (([piece("x", [2**70, 3], "FP32", F4)], F4), {}, 413, "rows are more than"),
    "no data": (([piece("x", [1, 3], "FP32")],), {}, 422, "inputs[0]: there is no data"),
    "data twice": (
        ([piece("x", [1, 3], "FP32", F4, data=[1, 2, 3])], F4),
        {},
        422,
        "there is data and binary_data_size",
    ),
    "infinity": ((ONE, np.array([1, np.inf, 3], "<f4").tobytes()), {}, 422, "inputs[0].data[1]: 'b' must be finite"),
    "texts": (([piece("x", [1, 3], "BYTES", packed("a"))], packed("a")), {}, 422, "is of numbers, not 'BYTES'"),
    "beyond 2^53": (
        ([piece("x", [1, 3], "INT64", bytes(24))], np.array([0, 2**53 + 1, 0], "<i8").tobytes()),
        {},
        422,
        "inputs[0].data[1]: 9007199254740993 is not within",
    ),
    "far beyond 2^53": (
        ([piece("x", [1, 3], "UINT64", bytes(24))], np.array([0, 0, 2**64 - 1], "<u8").tobytes()),
        {},
        422,
        "inputs[0].data[2]: 18446744073709551615 is not",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_what_lies(name, numbers, v2):
    sent, more, status, said = REFUSED[name]
    with pytest.raises(InputError) as refusal:
        ask(v2(numbers), *sent, **more)
    error = refusal.value
    assert said in (f"{error.where}: {error.what}" if error.where else error.what)
    assert error.status == status


REFUSED_COLUMNS = {
    "a BOOL that is neither": ("is_late", "BOOL", bytes([2]), 422, "inputs[0].data[0]: 2 is not within 0 and 1"),
    "a number for a text": ("carrier", "FP32", bytes(4), 422, "inputs[0].datatype: 'carrier' is string"),
    "a float for a whole number": ("hour", "FP32", bytes(4), 422, "inputs[0].datatype: 'hour' is int64"),
    "NaN where null may not be": (
        "distance",
        "FP64",
        np.array([np.nan]).tobytes(),
        422,
        "inputs[0].data[0]: 'distance' may not be null",
    ),
    "texts too many": ("carrier", "BYTES", packed("UA", "AA"), 400, "inputs[0]: 2 texts where the shape says 1"),
}


@pytest.mark.parametrize("name", REFUSED_COLUMNS)
def test_refuses_what_a_feature_is_not(name, mixed, v2):
    feature, datatype, raw, status, said = REFUSED_COLUMNS[name]
    fine = {"distance": [1.5], "hour": [7], "carrier": ["UA"], "is_late": [True]}
    kinds = {"distance": "FP64", "hour": "INT64", "carrier": "BYTES", "is_late": "BOOL"}
    others = [piece(name, [1], kinds[name], data=data) for name, data in fine.items() if name != feature]
    with pytest.raises(InputError) as refusal:
        ask(v2(mixed), [piece(feature, [1], datatype, raw), *others], raw)
    assert f"{refusal.value.where}: {refusal.value.what}".startswith(said)
    assert refusal.value.status == status


@pytest.mark.parametrize("length", [b"-1", b"x", b"", b"9" * 13, b"1.5"])
def test_a_length_that_is_none(length, numbers, v2):
    with pytest.raises(InputError) as refusal:
        v2(numbers).dialect({LENGTH: length})
    assert (refusal.value.status, refusal.value.where) == (400, "Inference-Header-Content-Length")


def test_bytes_need_their_header(numbers, v2):
    with pytest.raises(InputError, match="where does the JSON end"):
        v2(numbers).dialect({b"content-type": b"application/octet-stream"})


def test_a_lone_text_feature(v2):
    lone = Signature("regression", (Feature("carrier", "string", ("AA",)),), output="y")
    raw = packed("AA", "AA")
    _, question = ask(v2(lone), [piece("carrier", [2, 1], "BYTES", raw)], raw)
    np.testing.assert_array_equal(question.rows.matrix, [[0], [0]])
