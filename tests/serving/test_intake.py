"""One tensor of numbers is still held to what each feature is."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.errors import InputError
from gyroscope.records import Feature, Signature
from gyroscope.serving.intake import Intake

FEATURES = (
    Feature("must", "float64", nullable=False),
    Feature("small", "float32"),
    Feature("whole", "int64"),
    Feature("flag", "bool"),
)
NAN = float("nan")
FINE = [[1.0, 3.4e38, 2.0**53, 1.0], [0.5, NAN, NAN, NAN]]


def place(row: int, column: int) -> str:
    return f"[{row}][{column}]"


def test_takes_what_fits():
    rows = Intake(Signature("regression", FEATURES)).from_matrix(np.array(FINE), place)
    np.testing.assert_array_equal(rows.matrix, FINE)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        (0, NAN, "'must' may not be null"),
        (1, -3.5e38, "'small' is out of range for float32"),
        (2, 1.5, "'whole' must be a whole number"),
        (2, -(2.0**54), "'whole' must be a whole number"),
        (3, 2.0, "'flag' must be 0 or 1"),
    ],
)
def test_refuses_the_first_that_does_not(column, value, said):
    matrix = np.array(FINE)
    matrix[1, column] = value
    with pytest.raises(InputError, match=said) as refusal:
        Intake(Signature("regression", FEATURES)).from_matrix(matrix, place)
    assert refusal.value.where == f"[1][{column}]"


def test_many_missing_names_are_counted_not_listed():
    intake = Intake(Signature("regression", tuple(Feature(f"f{i}") for i in range(9))))
    with pytest.raises(InputError, match=r"missing 'f1', 'f2', 'f3', 'f4', 'f5' and 3 more"):
        intake.order(["f0"], str, "inputs")
