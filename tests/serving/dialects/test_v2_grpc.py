"""What a ModelInferRequest may hold, where it says a fault is, and the answer in the same form."""

from __future__ import annotations

import re

import numpy as np
import pytest

from gyroscope.errors import InputError
from gyroscope.records import Feature, Signature
from gyroscope.serving.dialects.v2_grpc import V2Grpc
from gyroscope.serving.intake import Intake
from gyroscope.serving.messages import message

REQUEST, RESPONSE = message("ModelInferRequest"), message("ModelInferResponse")
ONE = Signature("regression", (Feature("a"),), output="value")


def asked(*inputs, raw=(), model="flights", **more):
    """Inputs are (name, datatype, shape, field, values)."""
    request = REQUEST(model_name=model, raw_input_contents=raw, **more)
    for name, datatype, shape, field, values in inputs:
        tensor = request.inputs.add(name=name, datatype=datatype, shape=shape)
        if field:
            getattr(tensor.contents, field).extend(values)
    return request.SerializeToString()


@pytest.fixture
def dialect(version):
    return lambda signature: V2Grpc(version(signature), Intake(signature))


@pytest.mark.parametrize(
    ("datatype", "field", "values"),
    [
        ("FP64", "fp64_contents", [0.1, -1e300]),
        ("FP32", "fp32_contents", [0.5, -2.0]),
        ("INT8", "int_contents", [127, -128]),
        ("INT16", "int_contents", [1, -2]),
        ("INT32", "int_contents", [1, -2]),
        ("INT64", "int64_contents", [2**53, -(2**53)]),
        ("UINT8", "uint_contents", [0, 255]),
        ("UINT16", "uint_contents", [0, 65_535]),
        ("UINT32", "uint_contents", [0, 2**32 - 1]),
        ("UINT64", "uint64_contents", [0, 2**53]),
    ],
)
def test_contents_of_every_number(dialect, datatype, field, values):
    question = dialect(ONE).read(asked(("a", datatype, [2], field, values)))
    assert question.rows.matrix[:, 0].tolist() == values
    kind = {"FP": "f", "IN": "i", "UI": "u"}[datatype[:2]] + str(int(datatype.lstrip("FPUINT")) // 8)
    packed = np.array(values, dtype=f"<{kind}").tobytes()
    question = dialect(ONE).read(asked(("a", datatype, [2], "", ()), raw=[packed]))
    assert question.rows.matrix[:, 0].tolist() == values


def test_columns_with_texts_and_bools(dialect, mixed):
    question = dialect(mixed).read(
        asked(
            ("is_late", "BOOL", [2], "bool_contents", [True, False]),
            ("carrier", "BYTES", [2, 1], "bytes_contents", [b"UA", b"ZZ"]),
            ("hour", "INT32", [2], "int_contents", [7, 23]),
            ("distance", "FP32", [2], "fp32_contents", [500.5, 2]),
        )
    )
    np.testing.assert_array_equal(question.rows.matrix, [[500.5, 7, 2, 1], [2, 23, np.nan, 0]])
    assert question.rows.unseen == ((1, 2, "ZZ"),)


def test_what_came_raw_is_answered_raw(dialect, numbers):
    speaker = dialect(numbers)
    raw = np.arange(6, dtype="<f4").tobytes()
    question = speaker.read(asked(("x", "FP32", [2, 3], "", ()), raw=[raw], id="mine"))
    np.testing.assert_array_equal(question.rows.matrix, [[0, 1, 2], [3, 4, 5]])
    body, headers = speaker.answer(question, np.array([3.0, 12.0]), "r1")
    answer = RESPONSE.FromString(body)
    assert headers == ()
    assert (answer.model_name, answer.id, answer.parameters["request_id"].string_param) == ("flights", "mine", "r1")
    assert np.frombuffer(answer.raw_output_contents[0]).tolist() == [3.0, 12.0]
    assert not answer.outputs[0].HasField("contents")
    assert (answer.outputs[0].name, answer.outputs[0].datatype, list(answer.outputs[0].shape)) == ("value", "FP64", [2])


def test_what_came_in_contents_is_answered_in_contents(dialect, numbers):
    speaker = dialect(numbers)
    question = speaker.read(asked(("x", "FP64", [1, 3], "fp64_contents", [1, 2, 3])))
    answer = RESPONSE.FromString(speaker.answer(question, np.array([[0.25, 0.75]]), "r1")[0])
    assert list(answer.outputs[0].contents.fp64_contents) == [0.25, 0.75]
    assert (answer.id, list(answer.outputs[0].shape), len(answer.raw_output_contents)) == ("r1", [1, 2], 0)


def test_the_event_time_is_a_parameter(dialect, numbers):
    request = REQUEST.FromString(asked(("x", "FP64", [1, 3], "fp64_contents", [1, 2, 3])))
    request.parameters["event_time"].string_param = "1970-01-01T00:00:01Z"
    request.parameters["other"].int64_param = 7
    assert dialect(numbers).read(request.SerializeToString()).event_time == 1_000_000


FINE = ("x", "FP64", [1, 3], "fp64_contents", [1, 2, 3])
FAULTS = {
    "no message": (b"\xff\xff", 400, "no ModelInferRequest"),
    "nothing": (b"", 404, "no model ''"),
    "another model": (asked(FINE, model="flight"), 404, "did you mean 'flights'"),
    "another version": (asked(FINE, model_version="0"), 404, "no version '0'"),
    "no tensors": (asked(), 422, "there are no tensors"),
    "no such output": (asked(FINE, outputs=[{"name": "valu"}]), 422, r"outputs\[0\].name"),
    "both": (asked(FINE, raw=[b""]), 400, r"inputs\[0\].contents: contents beside"),
    "too few": (asked(FINE, FINE, raw=[b""]), 400, "1 raw contents for 2"),
    "wrong size": (asked(("x", "FP64", [1, 3], "", ()), raw=[b"123"]), 400, r"inputs\[0\]"),
    "wrong count": (asked(("x", "FP64", [1, 3], "fp64_contents", [1])), 422, r"inputs\[0\].data: 1 values"),
    "wrong field": (asked(("x", "FP64", [1, 3], "fp32_contents", [1, 2, 3])), 400, "belong into fp64_contents"),
    "out of range": (asked(("x", "INT8", [1, 3], "int_contents", [1, 2, 300])), 422, r"int_contents\[2\]: 300 is no"),
    "raw only": (asked(("x", "FP16", [1, 3], "fp32_contents", [1, 2, 3])), 422, "raw_input_contents"),
    "no datatype": (asked(("x", "FP6", [1, 3], "fp32_contents", [1, 2, 3])), 422, "did you mean 'FP64'"),
    "infinity": (asked(("x", "FP64", [1, 3], "fp64_contents", [1, 2, np.inf])), 422, "must be finite"),
    "shape": (asked(("x", "FP64", [3, 1], "fp64_contents", [1, 2, 3])), 422, r"inputs\[0\].shape"),
    "negative": (asked(("x", "FP64", [-1, 3], "fp64_contents", [1, 2, 3])), 422, "no rows"),
    "id": (asked(FINE, id="a\n"), 400, "id"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_refuses_with_a_path(dialect, numbers, name):
    body, status, said = FAULTS[name]
    with pytest.raises(InputError) as refused:
        dialect(numbers).read(body)
    assert refused.value.status == status
    text = f"{refused.value.where}: {refused.value.what}; {refused.value.fix}"
    assert re.search(said, text), text


def test_text_that_is_no_utf8_is_named(dialect, mixed):
    body = asked(
        ("is_late", "BOOL", [1], "bool_contents", [True]),
        ("carrier", "BYTES", [1], "bytes_contents", [b"\xff"]),
        ("hour", "INT32", [1], "int_contents", [7]),
        ("distance", "FP32", [1], "fp32_contents", [1]),
    )
    with pytest.raises(InputError, match="not UTF-8") as refused:
        dialect(mixed).read(body)
    assert refused.value.where == "inputs[1].contents.bytes_contents[0]"
