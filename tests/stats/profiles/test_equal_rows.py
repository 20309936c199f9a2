"""Rows that are there again: exactly where few are different, near the truth where many are, the same however cut."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gyroscope.stats.profiles import Column, Layout, Profile, fit_layout, profile
from gyroscope.stats.profiles.equal_rows import MOST, EqualRows
from gyroscope.stats.texts import Texts


def table(rng: np.random.Generator, n: int, copied: float) -> dict[str, Column]:
    """Rows of which so many are copies of others; the last column alone tells many of them apart."""
    source = np.where(rng.random(n) < copied, rng.integers(0, n, n), np.arange(n))
    flag, word = rng.integers(0, 2, n), rng.integers(0, 300, n)
    words = np.array([f"number {k}" for k in word], dtype=object)
    return {"flag": flag[source], "word": words[source], "x": rng.normal(size=n).round(3)[source]}


def share(columns: dict[str, Column], layout: Layout) -> float:
    found = profile(columns, layout).equal_rows
    assert isinstance(found, EqualRows)
    return float(found.share)


def truth(columns: dict[str, Column]) -> float:
    rows = list(zip(*(values.tolist() for values in columns.values()), strict=True))
    return (len(rows) - len(set(rows))) / len(rows)


@pytest.mark.parametrize("copied", [0.0, 0.3])
def test_few_rows_are_counted_exactly(copied: float) -> None:
    columns = table(np.random.default_rng(0), 900, copied)
    assert share(columns, fit_layout(columns)) == truth(columns)


@pytest.mark.parametrize("copied", [0.0, 0.02, 0.5])
def test_the_share_of_many_rows_is_near_the_truth(copied: float) -> None:
    columns = table(np.random.default_rng(1), 150_000, copied)
    true = truth(columns)
    assert abs(share(columns, fit_layout(columns)) - true) <= 4 * np.sqrt(true * (1 - true) / MOST) + 1e-9


@pytest.mark.parametrize("order", [1, -1])
def test_however_rows_are_cut_the_same_are_kept(order: int) -> None:
    columns = table(np.random.default_rng(2), 140_000, 0.1)
    layout = fit_layout(columns)
    bounds = (0, 10, 5_000, 5_000, 71_000, 140_000)
    parts = [
        profile({name: values[low:high] for name, values in columns.items()}, layout)
        for low, high in itertools.pairwise(bounds)
    ][::order]
    whole = profile(columns, layout)
    merged, added = Profile.empty(layout), Profile.empty(layout)
    for part in parts:
        merged = merged.merge(part)
    for low, high in itertools.pairwise(bounds):
        added = profile({name: values[low:high] for name, values in columns.items()}, layout, after=added)
    assert merged == whole == added == Profile.merge_all(parts)


def test_many_rows_of_few_kinds_are_all_counted() -> None:
    columns: dict[str, Column] = {"x": np.arange(60_000.0) % 7}
    found = profile(columns, fit_layout(columns)).equal_rows
    assert isinstance(found, EqualRows)
    assert (found.rows, found.again) == (60_000, 60_000 - 7)


LONG = "x" * 300


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (np.array([0.0]), np.array([-0.0]), True),
        (np.array([1], np.int32), np.array([1.0]), True),
        (np.array([np.nan]), np.array([-np.nan]), True),
        (np.array([np.nan]), np.array([0.0]), False),
        (np.array([1.0]), np.array([np.nextafter(1.0, 2.0)]), False),
        (np.array(["a"], object), Texts.of(["a"]), True),
        (Texts.of([None]), np.array([None]), True),
        (Texts.of([""]), Texts.of([None]), False),
        (Texts.of([LONG + "a"]), Texts.of([LONG + "b"]), False),
        (Texts.of([LONG]), np.array([LONG], object), True),
    ],
)
def test_rows_are_equal_when_their_values_are(one: Column, other: Column, equal: bool) -> None:
    layout = fit_layout({"x": one})
    both = profile({"x": one}, layout).merge(profile({"x": other}, layout)).equal_rows
    assert isinstance(both, EqualRows)
    assert both.again == int(equal)


def test_a_column_that_is_not_there_is_like_one_without_values() -> None:
    layout = fit_layout({"x": np.array([1.0]), "y": np.array([2.0])})
    nothing = {"x": np.array([1.0]), "y": np.array([np.nan])}
    both = profile(nothing, layout).merge(profile({"x": np.array([1.0])}, layout)).equal_rows
    assert isinstance(both, EqualRows)
    assert both.again == 1


def test_without_rows_or_columns_nothing_is_known() -> None:
    assert profile({}, Layout({}), 5).equal_rows == EqualRows.empty()
    assert str(EqualRows.empty().share) != "0.0"
