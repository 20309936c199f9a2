"""Outcomes add up: any order, any grouping, any rows, bit for bit; and metrics are never NaN."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gyroscope.records import Task
from gyroscope.stats.intervals import Estimate
from gyroscope.stats.performance import METRICS, Outcomes, metrics, tally

LAW = settings(deadline=None)  # a busy machine breaks no law
NUMBER = st.one_of(st.floats(width=64), st.floats(0, 1), st.sampled_from([0.0, 0.5, 1.0, 1e308, -1e308]))
LABEL = st.one_of(st.sampled_from([0.0, 1.0, 2.0]), NUMBER)
ROWS = st.lists(st.tuples(NUMBER, NUMBER, NUMBER, LABEL), max_size=25)
TASKS = st.sampled_from(["binary", "multiclass", "regression"])
Rows = list[tuple[float, float, float, float]]


def outcomes_of(task: Task, rows: Rows) -> Outcomes:
    table = np.array(rows, np.float64).reshape(len(rows), 4)
    return tally(task, table[:, :3] if task == "multiclass" else table[:, 0], table[:, 3], threshold=0.3)


@LAW
@given(TASKS, ROWS, ROWS, ROWS)
def test_merging_is_associative_commutative_and_that_of_all_rows(task: Task, a: Rows, b: Rows, c: Rows) -> None:
    x, y, z = (outcomes_of(task, rows) for rows in (a, b, c))
    assert x.merge(y).merge(z) == x.merge(y.merge(z)) == outcomes_of(task, a + b + c)
    assert x.merge(y) == y.merge(x)
    assert x.merge(y).to_bytes() == outcomes_of(task, b + a).to_bytes()


@LAW
@given(TASKS, ROWS)
def test_no_rows_are_neutral(task: Task, rows: Rows) -> None:
    some, empty = outcomes_of(task, rows), outcomes_of(task, [])
    assert empty.merge(some) == some == some.merge(empty)


@LAW
@given(TASKS, ROWS, ROWS, st.integers(1, 5))
def test_scaled_outcomes_are_those_of_rows_that_were_there_so_often(task: Task, a: Rows, b: Rows, weight: int) -> None:
    """The squares of the weights apart: one row that counts five times is not five rows."""
    some, repeated = outcomes_of(task, a).scaled(weight), outcomes_of(task, a * weight)
    assert msgspec.structs.replace(some, squares=repeated.squares) == repeated
    assert some.squares == weight * repeated.squares
    both = some.merge(outcomes_of(task, b))
    assert both.squares == weight**2 * outcomes_of(task, a).n + outcomes_of(task, b).n
    assert both == outcomes_of(task, b).merge(some)


@LAW
@given(TASKS, ROWS, st.integers(1, 5))
def test_bytes_bring_outcomes_back(task: Task, rows: Rows, weight: int) -> None:
    some = outcomes_of(task, rows).scaled(weight)
    assert Outcomes.from_bytes(some.to_bytes()) == some


def test_bytes_of_outcomes_without_weights_are_those_of_version_1() -> None:
    """What was kept before there were weights stays readable, and is written as it was."""
    kept = (
        "9bb26779726f73636f70652e6f7574636f6d657301aa72656772657373696f6ecb000000000000000000020000c40a048000"
        "ffff0480ff0100c4030101018aa165c403860006a56162735f65c40386000aa26532c403860011a26534c40485004040a365"
        "3279c403860012a465327932c403860014a179c40386000ca27932c403860014a27933c403860024a27934c403860044"
    )
    some = tally("regression", np.array([3.0, 1.5]), np.array([1.0, 2.0]))
    assert some.to_bytes().hex() == kept
    assert Outcomes.from_bytes(bytes.fromhex(kept)) == some


@LAW
@given(TASKS, ROWS)
def test_every_row_counts_or_is_unusable(task: Task, rows: Rows) -> None:
    some = outcomes_of(task, rows)
    assert some.n + some.unusable == len(rows)
    assert some.cells.total + some.huge == some.n


@LAW
@given(TASKS, ROWS)
def test_metrics_are_ordered_finite_numbers_or_a_reason(task: Task, rows: Rows) -> None:
    known = metrics(outcomes_of(task, rows))
    assert tuple(known) == METRICS[task]
    for name, estimate in known.items():
        if not isinstance(estimate, Estimate):
            assert estimate.reason
            continue
        assert all(map(math.isfinite, (estimate.value, estimate.low, estimate.high))), name
        assert estimate.low <= estimate.value or estimate.low == pytest.approx(estimate.value, rel=1e-9), name
        assert estimate.value <= estimate.high or estimate.high == pytest.approx(estimate.value, rel=1e-9), name
