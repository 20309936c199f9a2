"""How far a converted model agrees with the one it came from, on the same rows.

Conversion makes these figures with the runner that will serve, and shows them. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.models.encoding import encode_columns
from gyroscope.models.runners import Runner
from gyroscope.records import Signature

TOLERANCE = 1e-4
"""A difference of probability that no one sees; float32 arithmetic alone stays some 100 times below it."""

Precision = Literal["float32", "float64"]
PRECISIONS: tuple[Precision, ...] = ("float32", "float64")
"""In the order of preference: float32 is what most runtimes are fast at."""


class Agreement(msgspec.Struct, frozen=True):
    """Native against converted outputs. `equal_decisions` is the share of rows with the same decision: the same side of
    the threshold, the same class, or a value within the tolerance.
    """

    rows: int
    data: Literal["given", "random"]
    precision: Precision
    max_abs_difference: float
    equal_decisions: float

    def within(self, tolerance: float) -> bool:
        return self.max_abs_difference <= tolerance

    def __str__(self) -> str:
        return (
            f"{self.rows} {self.data} rows, {self.precision}: largest difference {self.max_abs_difference:.2g}, "
            f"{self.equal_decisions:.2%} of the decisions equal"
        )


def compare(
    runner: Runner,
    signature: Signature,
    columns: Mapping[str, NDArray[Any]],
    native: NDArray[np.float64],
    tolerance: float = TOLERANCE,
) -> tuple[float, float]:
    """(largest absolute difference, share of equal decisions). Differences of regressions are relative above 1."""
    converted = runner.predict(encode_columns(signature, columns))
    difference = np.abs(converted - native)
    if not signature.says_probabilities:
        difference = difference / np.maximum(1.0, np.abs(native))
        equal = difference <= tolerance
    elif signature.task == "binary":
        equal = (converted >= signature.threshold) == (native >= signature.threshold)
    else:
        equal = converted.argmax(axis=1) == native.argmax(axis=1)
    return float(difference.max()), float(equal.mean())
