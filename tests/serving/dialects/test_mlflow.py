"""What MLflow's invocations take, and where they say the fault is in what they do not take."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gyroscope.errors import InputError
from gyroscope.records import Feature, Signature
from gyroscope.serving.dialects.mlflow import Mlflow
from gyroscope.serving.intake import Intake

NAN = float("nan")
RECORD = {"distance": 500.5, "hour": 7, "carrier": "UA", "is_late": True}
ROW = [500.5, 7, 2, 1]
NAMES = ["distance", "hour", "carrier", "is_late"]

ACCEPTED = {
    "split": {"dataframe_split": {"columns": NAMES, "data": [[500.5, 7, "UA", True]]}},
    "split with index": {"dataframe_split": {"index": [4], "columns": NAMES, "data": [[500.5, 7, "UA", True]]}},
    "split in another order": {"dataframe_split": {"columns": NAMES[::-1], "data": [[True, "UA", 7, 500.5]]}},
    "records": {"dataframe_records": [RECORD]},
    "records in another order": {"dataframe_records": [dict(reversed(RECORD.items()))]},
    "instances": {"instances": [[500.5, 7, "UA", True]]},
    "instances as objects": {"instances": [RECORD]},
    "inputs by column": {"inputs": {name: [value] for name, value in RECORD.items()}},
    "inputs as rows": {"inputs": [[500.5, 7, "UA", True]]},
    "params, which mean nothing here": {"instances": [RECORD], "params": {"k": [1, {"deep": ":"}]}},
    "no params": {"instances": [RECORD], "params": None},
    "keys of TensorFlow Serving": {"signature_name": "serving_default", "instances": [RECORD]},
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_takes(name, mixed, version):
    question = Mlflow(version(mixed), Intake(mixed)).read(json.dumps(ACCEPTED[name]).encode())
    np.testing.assert_array_equal(question.rows.matrix, [ROW])
    assert question.rows.matrix.flags.c_contiguous


def test_takes_values_of_a_lone_feature(version):
    lone = Signature("regression", (Feature("x"),), output="y")
    question = Mlflow(version(lone), Intake(lone)).read(b'{"instances": [1, 2.5, null]}')
    np.testing.assert_array_equal(question.rows.matrix, [[1], [2.5], [NAN]])


def test_keeps_what_no_category_names(mixed, version):
    body = {"dataframe_records": [RECORD, RECORD | {"carrier": "10:30"}, RECORD | {"carrier": None}]}
    rows = Mlflow(version(mixed), Intake(mixed)).read(json.dumps(body).encode()).rows
    np.testing.assert_array_equal(rows.matrix[:, 2], [2, NAN, NAN])
    assert rows.unseen == ((1, 2, "10:30"),)


def split(columns=NAMES, row=(500.5, 7, "UA", True)):
    return json.dumps({"dataframe_split": {"columns": list(columns), "data": [list(row)]}})


REFUSED = {
    "nothing": ("", 400, "malformed JSON"),
    "no form": ("{}", 422, "exactly one form of input is needed, found none"),
    "two forms": ('{"instances": [], "inputs": []}', 422, "found instances and inputs"),
    "unknown form": ('{"instance": []}', 422, "found none; did you mean 'instances'?"),
    "unknown form of any length": (json.dumps({"x" * 500_000: 1}), 422, "found none; known: dataframe_records"),
    "no rows": ('{"instances": []}', 422, "instances: there are no rows"),
    "too many rows": (json.dumps({"instances": [[1, 1, "UA", True]] * 10_001}), 413, "10,001 rows"),
    "short row": (split(row=[1, 2]), 422, "dataframe_split.data[0]: expected array of length 4"),
    "string": (split(row=["1", 7, "UA", True]), 422, "dataframe_split.data[0][0]: expected float, got str"),
    "number for a string": (split(row=[1, 7, 3, True]), 422, "data[0][2]: expected str | null, got int"),
    "fraction": (split(row=[1, 7.5, "UA", True]), 422, "data[0][1]: expected int | null, got float"),
    "null": (split(row=[None, 7, "UA", True]), 422, "data[0][0]: expected float, got null"),
    "NaN": (split(row=[NAN, 7, "UA", True]), 400, "malformed JSON"),
    "2^64": (split(row=[1, 2**64, "UA", True]), 422, "data[0][1]: expected int"),
    "unknown column": (split(["distanc", *NAMES[1:]]), 422, "columns[0]: no feature is called 'distanc'; did you mean"),
    "doubled column": (split([*NAMES, "hour"], [1, 7, "UA", True, 7]), 422, "columns[4]: the feature 'hour' appears"),
    "missing column": (split(NAMES[:3], [1, 7, "UA"]), 422, "dataframe_split.columns: missing 'is_late'"),
    "extra field": (json.dumps({"dataframe_records": [RECORD | {"x": 1}]}), 422, "dataframe_records[0]: object cont"),
    "missing field": (json.dumps({"dataframe_records": [{"hour": 1}]}), 422, "missing required field distance"),
    "wrong field": (json.dumps({"dataframe_records": [RECORD | {"hour": "7"}]}), 422, "dataframe_records[0].hour"),
    "doubled key": (json.dumps({"instances": [RECORD]}).replace('"hour"', '"hour": 1, "hour"'), 400, "'hour' appears"),
    "columns of two lengths": (
        json.dumps({"inputs": {name: [value] for name, value in RECORD.items()} | {"hour": [1, 2]}}),
        422,
        "inputs.hour: 2 values where the first feature has 1",
    ),
    "a lone number": ('{"instances": 3}', 422, "instances: expected array, got int"),
    "a scalar row": ('{"instances": [3]}', 422, "instances[0]: expected array, got int"),
    "text": ('{"instances": "x"}', 422, "instances: expected array, got str"),
    "split that is a list": ('{"dataframe_split": []}', 422, "dataframe_split: expected object, got array"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_with_the_path_of_the_fault(name, mixed, version):
    text, status, said = REFUSED[name]
    with pytest.raises(InputError) as refusal:
        Mlflow(version(mixed), Intake(mixed)).read(text.encode())
    error = refusal.value
    assert said in (f"{error.where}: {error.what}; {error.fix}" if error.where else f"{error.what}; {error.fix}")
    assert error.status == status


def test_takes_csv_by_its_media_type(mixed, version):
    dialect = Mlflow(version(mixed), Intake(mixed)).dialect({b"content-type": b"text/csv; charset=utf-8"})
    question = dialect.read(b"distance,hour,carrier,is_late\n500.5,7,UA,True\n")
    np.testing.assert_array_equal(question.rows.matrix, [ROW])
    assert json.loads(dialect.answer(question, np.array([0.1]), "r")[0]) == {"predictions": [0.1]}


def test_other_media_are_415(mixed, version):
    with pytest.raises(InputError, match="'text/html' are not accepted") as refusal:
        Mlflow(version(mixed), Intake(mixed)).dialect({b"content-type": b"text/html"})
    assert refusal.value.status == 415


def test_answers_as_mlflow_does(mixed, version):
    dialect = Mlflow(version(mixed), Intake(mixed))
    question = dialect.read(split().encode())
    assert json.loads(dialect.answer(question, np.array([0.1]), "r")[0]) == {"predictions": [0.1]}
    assert json.loads(dialect.answer(question, np.array([[0.25, 0.75]]), "r")[0]) == {"predictions": [[0.25, 0.75]]}
    assert dialect.complain(422, "no") == (400, b'{"error_code":"BAD_REQUEST","message":"no"}')
