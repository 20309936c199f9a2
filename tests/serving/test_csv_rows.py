"""CSV as `DataFrame.to_csv()` writes it, and where the fault is in what is none."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.errors import InputError
from gyroscope.records import Feature, Signature
from gyroscope.serving.csv_rows import read_csv
from gyroscope.serving.intake import Intake

NAN = float("nan")
HEAD = "distance,hour,carrier,is_late\n"
ACCEPTED = {
    "plain": HEAD + "500.5,7,UA,True\n",
    "no last newline": HEAD + "500.5,7,UA,True",
    "with the index": ",distance,hour,carrier,is_late\n0,500.5,7,UA,True\n",
    "another order": "is_late,carrier,hour,distance\ntrue,UA,7,500.5\n",
    "quoted": '"distance","hour","carrier","is_late"\r\n"500.5","7","UA","TRUE"\r\n',
    "byte order mark": "\ufeff" + HEAD + "5.005e2, 7,UA,True\n",
    "blank lines": HEAD + "\n500.5,7,UA,True\n\n",
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_takes(name, mixed):
    rows = read_csv(ACCEPTED[name].encode(), Intake(mixed))
    np.testing.assert_array_equal(rows.matrix, [[500.5, 7, 2, 1]])
    assert rows.unseen == ()


@pytest.mark.parametrize("text", ["", "NA", "NaN", "null", "<NA>"])
def test_what_pandas_writes_for_missing_is_null(text):
    signature = Signature("regression", (Feature("x"), Feature("n", "int64")))
    rows = read_csv(f"x,n\n{text},{text}\n1,2\n".encode(), Intake(signature))
    np.testing.assert_array_equal(rows.matrix, [[NAN, NAN], [1, 2]])


def test_an_empty_text_is_null_and_another_is_unseen(mixed):
    rows = read_csv((HEAD + "1,7,,True\n1,7,ZZ,True\n").encode(), Intake(mixed))
    np.testing.assert_array_equal(rows.matrix[:, 2], [NAN, NAN])
    assert rows.unseen == ((1, 2, "ZZ"),)


REFUSED = {
    "nothing": (b"", 422, "csv: there is no header"),
    "header alone": (HEAD.encode(), 422, "csv: there are no rows"),
    "not UTF-8": (HEAD.encode() + b"1,7,\xff,True", 400, "malformed CSV: not UTF-8 (byte 34)"),
    "an open quote": (HEAD.encode() + b'1,7,"UA,True', 400, "malformed CSV"),
    "a huge field": (b"a" * 200_000, 400, "malformed CSV"),
    "unknown column": (b"distanc,hour,carrier,is_late\n1,7,UA,True", 422, "csv.header[0]: no feature is called"),
    "missing column": (b"distance,hour\n1,7", 422, "csv.header: missing 'carrier', 'is_late'"),
    "short line": (HEAD.encode() + b"1,7,UA", 422, "csv[0]: 3 values under 4 names"),
    "text for a number": (HEAD.encode() + b"1,7,UA,True\nx,7,UA,True", 422, "csv[1].distance: 'x' is not float64"),
    "infinity": (HEAD.encode() + b"inf,7,UA,True", 422, "csv[0].distance: 'inf' is not float64"),
    "too large": (HEAD.encode() + b"1e999,7,UA,True", 422, "csv[0].distance: 'distance' must be finite"),
    "Python's digits": (HEAD.encode() + b"1_0,7,UA,True", 422, "csv[0].distance: '1_0' is not float64"),
    "fraction": (HEAD.encode() + b"1,7.5,UA,True", 422, "csv[0].hour: '7.5' is not int64"),
    "beyond 2^53": (HEAD.encode() + b"1,9007199254740993,UA,True", 422, "csv[0].hour: '9007199254740993' is not int64"),
    "number for a bool": (HEAD.encode() + b"1,7,UA,1", 422, "csv[0].is_late: '1' is not bool"),
    "missing where it may not be": (HEAD.encode() + b",7,UA,True", 422, "csv[0].distance: 'distance' may not be null"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_with_line_and_column(name, mixed):
    body, status, said = REFUSED[name]
    with pytest.raises(InputError) as refusal:
        read_csv(body, Intake(mixed))
    error = refusal.value
    assert said in (f"{error.where}: {error.what}" if error.where else error.what)
    assert error.status == status


def test_a_text_that_may_not_be_null():
    strict = Signature("regression", (Feature("plan", "string", ("a",), nullable=False),))
    with pytest.raises(InputError, match="may not be null") as refusal:
        read_csv(b'plan\na\n""\n', Intake(strict))
    assert refusal.value.where == "csv[1].plan"
