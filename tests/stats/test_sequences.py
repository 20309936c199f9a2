"""Confidence sequences: they hold at every look, are not wide, and forgive holes and bad rows."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.records import NotEnoughData
from gyroscope.stats.intervals import Estimate
from gyroscope.stats.sequences import betting_difference, betting_interval, mean_sequence


def test_it_holds_over_sixty_windows_at_once_and_one_look_intervals_do_not() -> None:
    rng = np.random.default_rng(3)
    missed = missed_by_one_look = 0
    for _ in range(600):
        y = rng.normal(size=60)
        known = mean_sequence(y, np.ones(60), 1.0)
        missed += bool(np.any((known.low > 0) | (known.high < 0)))
        missed_by_one_look += bool(np.any(np.abs(known.mean) > 1.96 / np.sqrt(np.arange(1, 61))))
    assert missed <= 0.05 * 600 < missed_by_one_look


def test_it_is_at_most_twice_as_wide_as_one_look_from_ten_windows_on() -> None:
    known = mean_sequence(np.zeros(60), np.ones(60), 1.0)
    ratio = known.high / (1.96 / np.sqrt(np.arange(1, 61)))
    assert ratio[9:].max() < 2


def test_windows_of_unequal_size_are_weighed_by_what_they_know() -> None:
    large, small = mean_sequence(np.zeros(10), np.ones(10), 1.0), mean_sequence(np.zeros(10), 4 * np.ones(10), 1.0)
    assert small.high[-1] > 1.5 * large.high[-1]


def test_windows_without_a_value_change_nothing() -> None:
    known = mean_sequence(np.array([np.nan, 1.0, np.nan, 2.0]), np.array([np.nan, 1.0, np.nan, 1.0]), 1.0)
    dense = mean_sequence(np.array([1.0, 2.0]), np.ones(2), 1.0)
    assert known.mean.tolist() == [0.0, 1.0, 1.0, 1.5]
    assert np.isinf(known.low[0])
    assert known.high[1:].tolist() == dense.high[[0, 0, 1]].tolist()
    assert mean_sequence(np.empty(0), np.empty(0), 1.0).mean.size == 0


def test_bets_hold_for_independent_rows_however_skewed() -> None:
    rng = np.random.default_rng(4)
    for share in (0.5, 0.02):
        known = [betting_interval((rng.random(400) < share).astype(float)) for _ in range(100)]
        assert sum(not one.low <= share <= one.high for one in known if isinstance(one, Estimate)) <= 8


def test_both_ends_are_inside_and_narrow_with_rows() -> None:
    for rows in (np.zeros(500), np.ones(500), np.full(500, 0.3)):
        few, many = betting_interval(rows[:50]), betting_interval(rows)
        assert isinstance(few, Estimate)
        assert isinstance(many, Estimate)
        assert 0 <= few.low <= many.low <= many.value <= many.high <= few.high <= 1


@pytest.mark.parametrize("rows", [np.empty(0), np.array([np.nan]), np.array([0.5, 1.5]), np.array([-1e308])])
def test_rows_that_cannot_be_bet_on_say_why(rows: np.ndarray) -> None:
    assert isinstance(betting_interval(rows), NotEnoughData)
    assert isinstance(betting_difference(rows, np.zeros(9)), NotEnoughData)
    assert isinstance(betting_difference(np.zeros(9), rows), NotEnoughData)
