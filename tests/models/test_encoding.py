"""Columns to the matrix and back; what does not fit is named."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.errors import InputError
from gyroscope.models.encoding import decode_column, encode_columns
from gyroscope.records import Feature, Signature

NUMBERS = (Feature("n", "int64"), Feature("b", "bool"))
FEATURES = (*NUMBERS, Feature("c", "string", ("x", "y")), Feature("f", nullable=False))
SIGNATURE = Signature("binary", FEATURES)
COLUMNS = {
    "n": np.ma.masked_array([1, 2, 3], mask=[False, True, False]),
    "b": np.array([True, False, None], dtype=object),
    "c": np.array(["y", "z", None], dtype=object),
    "f": np.array([0.5, np.inf, -0.0], np.float32),
}


def test_values_codes_and_gaps_land_in_the_matrix():
    rows = encode_columns(SIGNATURE, COLUMNS)
    nan = np.nan
    np.testing.assert_array_equal(rows.matrix, [[1, 1, 1, 0.5], [nan, 0, nan, np.inf], [3, nan, nan, -0.0]])
    assert rows.unseen == ((1, 2, "z"),)
    assert rows.matrix.flags.c_contiguous
    assert decode_column(SIGNATURE, 2, rows).tolist() == ["y", "z", None]


@pytest.mark.parametrize(
    ("name", "values", "complaint"),
    [
        ("f", np.array([0.1, np.nan, 0.2]), "may not be missing and is in row 1"),
        ("f", np.array([0.1, "a", 0.2], dtype=object), "not float64"),
        ("c", np.array(["x", 7, "y"], dtype=object), "7 in row 1 is not a text"),
        ("n", np.array([1, 2, (1 << 53) + 1]), "beyond 2"),
    ],
)
def test_what_does_not_fit_names_its_column(name, values, complaint):
    with pytest.raises(InputError, match=complaint) as caught:
        encode_columns(SIGNATURE, {**COLUMNS, name: values})
    assert caught.value.where == name


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(InputError, match="'n' is missing"):
        encode_columns(SIGNATURE, {})
