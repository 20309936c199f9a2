"""Rows that are there twice: found in the first window, never for a window's size, nor in one of the reference."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.records import NotEnoughData
from gyroscope.stats.profiles import Layout, Profile, fit_layout, profile
from gyroscope.stats.quality import FindingKind, Repetition, duplicate_rows, learn_repetition

DIFFERENT = fit_layout({"x": np.linspace(-3, 3, 100)})
FEW = fit_layout({name: np.arange(30.0) for name in "xyz"})


def rows_of(rng: np.random.Generator, n: int, layout: Layout, again: int = 0) -> Profile:
    """n rows of which so many are sent again: all different of one column, of few values of three."""
    columns = {
        name: rng.normal(size=n) if layout is DIFFERENT else rng.integers(0, 30, n) * 1.0 for name in layout.columns
    }
    twice = np.concatenate((np.arange(n), np.arange(again)))
    return profile({name: values[twice] for name, values in columns.items()}, layout)


def reference(rng: np.random.Generator, n: int, layout: Layout) -> list[Profile]:
    return [rows_of(rng, n, layout) for _ in range(30)]


@pytest.mark.parametrize("n", [15, 150, 1_000, 3_000, 40_000])
def test_a_window_whose_rows_are_all_sent_twice_is_found_at_once(n: int) -> None:
    rng = np.random.default_rng(0)
    before = learn_repetition(reference(rng, 1_000, DIFFERENT))
    found = duplicate_rows(before, rows_of(rng, n, DIFFERENT, again=n))
    assert found is not None and found.kind is FindingKind.DUPLICATE_ROWS
    assert found.figures["share_low"] <= 0.5 <= found.figures["share"] + 0.08
    assert "of the rows are there already; in the reference's windows at most 0 %" in found.reason


def test_a_tenth_sent_twice_is_no_breakage() -> None:
    rng = np.random.default_rng(1)
    before = learn_repetition(reference(rng, 1_000, DIFFERENT))
    assert all(duplicate_rows(before, rows_of(rng, 2_000, DIFFERENT, again=200)) is None for _ in range(60))


def test_small_windows_of_different_rows_are_none() -> None:
    rng = np.random.default_rng(2)
    before = learn_repetition(reference(rng, 40, DIFFERENT))
    assert all(duplicate_rows(before, rows_of(rng, n, DIFFERENT)) is None for n in range(1, 61))
    assert duplicate_rows(before, rows_of(rng, 14, DIFFERENT, again=14)) is None, "28 rows are too few"


@pytest.mark.parametrize("usual", [50, 200, 2_000, 20_000])
@pytest.mark.parametrize("n", [50, 200, 2_000, 20_000, 200_000])
def test_rows_that_repeat_by_nature_are_not_found_however_many_there_are(usual: int, n: int) -> None:
    rng = np.random.default_rng(3)
    before = learn_repetition(reference(rng, usual, FEW))
    assert duplicate_rows(before, rows_of(rng, n, FEW)) is None


@pytest.mark.parametrize("n", [30, 500, 5_000])
@pytest.mark.parametrize("again", [0, 1, 2])
def test_no_window_of_the_reference_is_found(n: int, again: int) -> None:
    rng = np.random.default_rng(4)
    windows = [*reference(rng, n, DIFFERENT), rows_of(rng, n, DIFFERENT, again=n * again // 2)]
    before = learn_repetition(windows)
    assert [duplicate_rows(before, one) for one in windows] == [None] * 31


def test_three_times_as_many_as_ever_before() -> None:
    now = profile({"x": np.repeat(np.arange(50.0), 2)}, DIFFERENT)
    assert duplicate_rows(Repetition(most=0.16, pace=0.0), now) is not None
    assert duplicate_rows(Repetition(most=0.17, pace=0.0), now) is None


def test_without_a_reference_that_counted_equal_rows_nothing_is_found() -> None:
    rng = np.random.default_rng(5)
    now = rows_of(rng, 50, DIFFERENT, again=50)
    old = Profile(now.n, now.columns)
    before = learn_repetition([old, rows_of(rng, 29, DIFFERENT)])
    assert isinstance(before, NotEnoughData)
    assert duplicate_rows(before, now) is None
    assert duplicate_rows(Repetition(0.0, 0.0), old) is None
