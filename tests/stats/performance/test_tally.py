"""What `tally` takes, what it leaves out, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.errors import GyroscopeError
from gyroscope.stats.performance import Outcomes, tally


def test_a_column_of_outputs_is_as_good_as_a_flat_one() -> None:
    p, y = np.array([0.2, 0.7]), np.array([0, 1])
    assert tally("binary", p[:, np.newaxis], y) == tally("binary", p, y)


def test_labels_may_be_bools_text_or_missing() -> None:
    p = np.array([0.2, 0.7, 0.9])
    assert tally("binary", p, np.array([False, True, True])) == tally("binary", p, np.array([0, 1, 1]))
    outcomes = tally("binary", p, np.array([None, "late", 1], dtype=object))
    assert (outcomes.n, outcomes.unusable) == (1, 2)


def test_a_rounding_above_one_is_a_probability_and_more_is_not() -> None:
    outcomes = tally("binary", np.array([1.0000001, -1e-7, 1.01]), np.array([1, 0, 1]))
    assert (outcomes.n, outcomes.unusable) == (2, 1)


@pytest.mark.parametrize(
    ("task", "shape", "labels"),
    [("binary", (3, 2), 3), ("binary", (3,), 2), ("multiclass", (3,), 3), ("regression", (2, 2), 2)],
)
def test_shapes_that_do_not_fit_are_refused(task: str, shape: tuple[int, ...], labels: int) -> None:
    with pytest.raises(GyroscopeError, match="do not fit labels"):
        tally(task, np.zeros(shape), np.zeros(labels))  # type: ignore[arg-type]


def test_outcomes_of_another_threshold_do_not_merge() -> None:
    p, y = np.array([0.2]), np.array([0])
    with pytest.raises(GyroscopeError, match="not tallied alike"):
        tally("binary", p, y).merge(tally("binary", p, y, threshold=0.4))


def test_version_one_never_changes() -> None:
    # No logarithms in here: their last bit may differ between processors.
    outcomes = tally("regression", np.array([0.25, 0.75, np.nan]), np.array([0.0, 1.0, 1.0]))
    assert outcomes.to_bytes().hex() == FROZEN
    assert Outcomes.from_bytes(bytes.fromhex(FROZEN)) == outcomes


FROZEN = (
    "9bb26779726f73636f70652e6f7574636f6d657301aa72656772657373696f6ecb000000000000000000020100c40a04c000"
    "ffff0480fe0100c4030101018aa165c403000000a56162735f65c403860002a26532c40485008000a26534c403850008a365"
    "3279c403850040a465327932c403850040a179c403860004a27932c403860004a27933c403860004a27934c403860004"
)
