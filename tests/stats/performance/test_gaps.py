"""Differences between segments: intervals cover when windows move both or each, and small or lopsided data says so."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.records import NotEnoughData
from gyroscope.stats.intervals import Estimate
from gyroscope.stats.performance import Outcomes, metrics, segment_gaps, tally


def windows(rng: np.random.Generator, effects: np.ndarray, rows: int, level: float) -> list[Outcomes]:
    return [
        tally("binary", np.where(rng.random(rows) < np.clip(level + effect, 0, 1), 0.9, 0.1), np.ones(rows))
        for effect in effects
    ]


@pytest.mark.parametrize("shared", [True, False])
def test_intervals_cover_the_gap_when_windows_move(shared: bool) -> None:
    rng = np.random.default_rng(1)
    covered = always = by_rows = 0
    widths = []
    for _ in range(60):
        first = rng.normal(0, 0.06, 20)
        second = first if shared else rng.normal(0, 0.06, 20)
        a, b = windows(rng, first, 200, 0.7), windows(rng, second, 100, 0.8)
        gap = segment_gaps(a, b)["accuracy"]
        assert isinstance(gap, Estimate)
        looks = [segment_gaps(a[:upto], b[:upto])["accuracy"] for upto in (6, 9, 13, 20)]
        assert looks[-1] == gap
        covered += gap.low <= -0.1 <= gap.high
        always += all(isinstance(one, Estimate) and one.low <= -0.1 <= one.high for one in looks)
        widths.append(gap.high - gap.low)
        by_rows += abs(gap.value + 0.1) <= 1.96 * np.sqrt(0.21 / 4_000 + 0.16 / 2_000)
    assert always >= 0.95 * 60
    assert covered - by_rows > (-3 if shared else 6)
    # What both segments share does not widen the difference.
    assert bool(np.mean(widths) < 0.12) is shared


def test_the_value_is_that_of_all_rows() -> None:
    rng = np.random.default_rng(2)
    a, b = windows(rng, np.zeros(8), 100, 0.6), windows(rng, np.zeros(8), 50, 0.9)
    whole = [part[0] for part in (a, b)]
    for one in range(1, 8):
        whole = [whole[0].merge(a[one]), whole[1].merge(b[one])]
    first, second = (metrics(one)["brier"] for one in whole)
    assert segment_gaps(a, b)["brier"].value == first.value - second.value  # type: ignore[union-attr]


def test_absent_windows_and_few_rows_say_so() -> None:
    rng = np.random.default_rng(3)
    some = windows(rng, np.zeros(7), 40, 0.7)
    none = [NotEnoughData("no rows")] * 7
    assert all(isinstance(gap, NotEnoughData) for gap in segment_gaps(some, none).values())
    assert all(isinstance(gap, NotEnoughData) for gap in segment_gaps(some[:5], some[:5]).values())
    assert segment_gaps(none, none) == {} == segment_gaps([], [])
    one_day = [some[0], *none[1:]]
    assert isinstance(segment_gaps(some, one_day)["accuracy"], NotEnoughData)
    half = [*some[:4], *none[4:]]
    assert isinstance(segment_gaps(some, half)["accuracy"], Estimate)
