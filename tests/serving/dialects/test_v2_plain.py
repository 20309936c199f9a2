"""The short way of reading gives what the long one gives, or nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gyroscope.errors import InputError
from gyroscope.records import Feature, Signature
from gyroscope.serving.dialects.v2_plain import PlainReader
from gyroscope.serving.dialects.v2_request import REQUEST, pairs
from gyroscope.serving.intake import Intake
from gyroscope.serving.strict import decode, refuse_twin_keys
from gyroscope.serving.tensors import read_tensors

NULLABLE = Signature("regression", (Feature("a"), Feature("b")), output="y")
STRICT = Signature("regression", (Feature("a", nullable=False), Feature("b", nullable=False)), output="y")


def body(more: str = "", **changes: object) -> bytes:
    tensor = {"name": "x", "shape": [2, 2], "datatype": "FP64", "data": [1, 2.5, -3e10, 4], **changes}
    return f'{{"inputs": [{json.dumps(tensor)}]{more}}}'.encode()


PLAIN = {
    "ordinary": body(),
    "with an id": body(', "id": "mine"'),
    "with a null": body(data=[1, None, 3, 4]),
    "with whole numbers beyond 2^53": body(data=[2**53 + 1, 2**63, 2**64, 0]),
    "with blanks": body().replace(b",", b" ,\n "),
}
ELSE = {
    "another datatype": body(datatype="FP32"),
    "whole numbers": body(datatype="INT64", data=[1, 2, 3, 4]),
    "nested": body(data=[[1, 2], [3, 4]]),
    "parameters": body(', "parameters": {"a": 1}'),
    "a name with a colon": body(name="a:b"),
    "a key twice": body(', "id": "a", "id": "b"'),
    "a long id": body(f', "id": "{"x" * 129}"'),
    "too few": body(data=[1, 2, 3]),
    "too wide": body(shape=[1, 4]),
    "no rows": body(shape=[0, 2], data=[]),
    "negative rows": body(shape=[-2, 2]),
    "too many rows": body(shape=[10_001, 2], data=[0] * 20_002),
    "a text": body(data=[1, "2", 3, 4]),
    "not JSON": b'{"inputs": [',
    "not UTF-8": body(', "id": "?"').replace(b"?", b"\xff"),
    "nothing": b"",
    "numbers between marks": b"?[1,2]?",
    "numbers alone": b"[1,2]",
    "two tensors": b'{"inputs": [%b, %b]}' % ((json.dumps({"name": "a"}).encode(),) * 2),
}


def in_full(text: bytes, intake: Intake):
    request = decode(REQUEST, text)
    refuse_twin_keys(text, pairs(request))
    return read_tensors(request.inputs, intake).matrix, request.id if isinstance(request.id, str) else ""


@pytest.mark.parametrize("signature", [NULLABLE, STRICT], ids=["nullable", "strict"])
@pytest.mark.parametrize("name", [*PLAIN, *ELSE])
def test_both_ways_say_the_same(signature, name):
    intake, text = Intake(signature), {**PLAIN, **ELSE}[name]
    short = PlainReader(intake).read(text)
    assert (short is not None) == (name in PLAIN and not (name == "with a null" and signature is STRICT))
    if short is None:
        return
    matrix, client_id = in_full(text, intake)
    np.testing.assert_array_equal(short.rows.matrix, matrix)
    assert (short.client_id, short.rows.matrix.dtype, short.rows.matrix.flags.c_contiguous) == (client_id, "f8", True)


ONE_ROW = {
    "compact": b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[1.5,-2e-3]}]}',
    "blanks all over": b' {"inputs" : [{ "name":"x", "shape":[1,2], "datatype":"FP64", "data": [0.1 , 1e300 ] } ] }',
    "data in front": b'{"inputs":[{"data":[1,2],"datatype":"FP64","name":"][","shape":[1,2]}]}',
    "a name that looks like a key": rb'{"inputs":[{"name":"\"data\"","shape":[1,2],"datatype":"FP64","data":[5,6]}]}',
    "a blank behind the key": b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data" :[7,8]}]}',
}
ODD_DATA = ["[1]", "[1,2,3]", "[1,null]", "[1,true]", '[1,"2"]', "[1,1e999]", "[1,NaN]", "[[1,2]]", "[1,2],[3]", "1,2"]
ODD_DATA += ["[1,2]]", '[1,2],"id":"a"', '[1,2]}],"id":"a","inputs":[{"data":[1,2]', "[1,2", "[01,2]", "[1,\xff]"]
AROUND = {
    **{data: ONE_ROW["compact"].replace(b"[1.5,-2e-3]", data.encode("latin-1")) for data in ODD_DATA},
    "an id": ONE_ROW["compact"].replace(b'{"inputs', b'{"id":"a","inputs'),
    "two rows": ONE_ROW["compact"].replace(b"[1,2]", b"[2,2]").replace(b"[1.5,", b"[1,2,3,"),
    "only what is around": ONE_ROW["compact"].replace(b"[1.5,-2e-3]", b""),
    "less": ONE_ROW["compact"][:40],
    "more": ONE_ROW["compact"] + b"}",
    "another end as long": ONE_ROW["compact"][:-3] + b"]}}",
    "nothing": b"",
}


@pytest.mark.parametrize("signature", [NULLABLE, STRICT], ids=["nullable", "strict"])
@pytest.mark.parametrize("before", ONE_ROW)
def test_what_was_read_before_changes_nothing(signature, before):
    reader, intake = PlainReader(Intake(signature)), Intake(signature)
    assert reader.one(ONE_ROW[before]) == tuple(in_full(ONE_ROW[before], intake)[0].tolist()[0])
    for name, text in {**ONE_ROW, **AROUND, **PLAIN, **ELSE}.items():
        assert reader.one(text) == PlainReader(intake).one(text), name
        assert (reader.one(text) is not None) == (name in ONE_ROW or (name == "[1,null]" and signature is NULLABLE))
        reader.one(ONE_ROW[before])


def test_the_numbers_alone_are_decoded_where_the_rest_is_known(monkeypatch):
    reader = PlainReader(Intake(NULLABLE))
    assert reader.one(ONE_ROW["compact"]) == (1.5, -0.002)
    monkeypatch.setattr(reader, "_decode", lambda text: pytest.fail("all of it was decoded"))
    assert reader.one(ONE_ROW["compact"].replace(b"1.5", b"3")) == (3, -0.002)


def test_a_long_body_is_not_remembered():
    reader = PlainReader(Intake(NULLABLE))
    assert reader.one(ONE_ROW["compact"] + b" " * 3_000) == (1.5, -0.002)
    assert not ONE_ROW["compact"].startswith(reader._start)


@pytest.mark.parametrize(
    "features",
    [(Feature("a"),), (Feature("a"), Feature("b", "float32")), (Feature("a"), Feature("b", "string", ("x",)))],
    ids=["one", "float32", "texts"],
)
def test_other_signatures_are_read_in_full(features):
    reader = PlainReader(Intake(Signature("regression", features, output="y")))
    assert reader.read(body(shape=[4 // len(features), len(features)])) is None


def test_what_is_not_ordinary_is_refused_by_the_long_way():
    with pytest.raises(InputError, match="twice"):
        in_full(ELSE["a key twice"], Intake(NULLABLE))
