"""Rows that are there again: exactly where few are different, near the truth where many are, the same however cut."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from gyroscope.records import NotEnoughData
from gyroscope.stats.profiles import Column, Layout, Profile, fit_layout, profile
from gyroscope.stats.profiles.equal_rows import MOST, Again, EqualRows
from gyroscope.stats.texts import Texts


def table(rng: np.random.Generator, n: int, copied: float) -> dict[str, Column]:
    """Rows of which so many are copies of others; the last column alone tells many of them apart."""
    source = np.where(rng.random(n) < copied, rng.integers(0, n, n), np.arange(n))
    flag, word = rng.integers(0, 2, n), rng.integers(0, 300, n)
    words = np.array([f"number {k}" for k in word], dtype=object)
    return {"flag": flag[source], "word": words[source], "x": rng.normal(size=n).round(3)[source]}


def counted(columns: dict[str, Column], layout: Layout | None = None) -> Again:
    found = profile(columns, layout or fit_layout(columns)).equal_rows
    assert isinstance(found, EqualRows)
    again = found.again()
    assert isinstance(again, Again)
    return again


def truth(columns: dict[str, Column]) -> float:
    rows = list(zip(*(values.tolist() for values in columns.values()), strict=True))
    return 1 - len(set(rows)) / len(rows)


@pytest.mark.parametrize("copied", [0.0, 0.3])
def test_few_rows_are_counted_exactly(copied: float) -> None:
    columns = table(np.random.default_rng(0), 900, copied)
    found = counted(columns)
    assert found.low == found.share == found.high == truth(columns)


@pytest.mark.parametrize("copied", [0.0, 0.02, 0.5])
def test_the_share_of_many_rows_is_near_the_truth(copied: float) -> None:
    columns = table(np.random.default_rng(1), 150_000, copied)
    found, true = counted(columns), truth(columns)
    assert found.low <= true <= found.high
    assert abs(found.share - true) <= 0.08
    assert found.high - found.low <= 0.13


def heavy(rng: np.random.Generator) -> dict[str, Column]:
    """20,000 different rows, and one 10,000 times."""
    return {"x": np.concatenate((rng.normal(size=20_000), np.full(10_000, rng.normal())))}


def sparse(rng: np.random.Generator) -> dict[str, Column]:
    """Numbers of few joint values, nearly all 0: what tells 8,000 rows apart are two columns of text."""
    few = {f"x{place}": np.where(rng.random(8_000) < 0.02, rng.normal(size=8_000), 0.0) for place in range(6)}
    words = np.array([f"number {k}" for k in range(80)], dtype=object)
    row = rng.permutation(8_000) % 6_000
    return {**few, "a": words[row % 80], "b": words[row // 80]}


@pytest.mark.parametrize("make", [heavy, sparse])
def test_the_interval_holds_the_truth_where_few_rows_are_most_or_few_columns_tell_them_apart(
    make: Callable[[np.random.Generator], dict[str, Column]],
) -> None:
    held = []
    for seed in range(40):
        columns = make(np.random.default_rng(seed))
        found, true = counted(columns), truth(columns)
        held.append(found.low <= true <= found.high)
        assert abs(found.share - true) <= 0.15
    assert sum(held) >= 34  # 38 are expected


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
    assert (found.rows, found.marks.size) == (60_000, 7)


def test_what_is_kept_holds_on_to_no_more() -> None:
    columns = {"x": np.arange(60_000.0)}
    layout = fit_layout(columns)
    one = profile(columns, layout)
    for found in (one.equal_rows, one.merge(one).equal_rows):
        assert isinstance(found, EqualRows)
        assert found.marks.size == MOST and found.marks.base is None


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
    assert both.marks.size == 2 - int(equal)


@pytest.mark.parametrize("as_column", [Texts.of, lambda texts: np.array(texts, dtype=object)])
def test_a_text_is_the_same_beside_a_long_one(as_column: Callable[[list[str]], Column]) -> None:
    layout = fit_layout({"x": np.array(["a", "b"], dtype=object)})
    one, other = profile({"x": as_column(["a", "b"])}, layout), profile({"x": as_column(["a", LONG])}, layout)
    together = profile({"x": as_column(["a", "b", "a", LONG])}, layout)
    assert one.merge(other) == together
    assert one.merge(other).to_bytes() == together.to_bytes()
    assert isinstance(together.equal_rows, EqualRows) and together.equal_rows.marks.size == 3


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_what_is_no_text_is_its_own_text_in_any_order(order: tuple[int, ...]) -> None:
    layout = fit_layout({"x": np.array(["a", "b"], dtype=object)})
    values = [True, 1, 1.0, "1"]
    whole = EqualRows.empty().add({"x": np.array([values[at] for at in order], dtype=object)}, layout, 4)
    alone = EqualRows.empty()
    for value in values:
        alone = alone.merge(EqualRows.empty().add({"x": np.array([value], dtype=object)}, layout, 1))
    assert whole == alone
    assert whole.marks.size == 3


def test_a_column_that_is_not_there_is_like_one_without_values() -> None:
    layout = fit_layout({"x": np.array([1.0]), "y": np.array([2.0])})
    nothing = {"x": np.array([1.0]), "y": np.array([np.nan])}
    both = profile(nothing, layout).merge(profile({"x": np.array([1.0])}, layout)).equal_rows
    assert isinstance(both, EqualRows)
    assert (both.rows, both.marks.size) == (2, 1)


def test_without_rows_or_columns_nothing_is_known() -> None:
    assert profile({}, Layout({}), 5).equal_rows == EqualRows.empty()
    assert isinstance(EqualRows.empty().again(), NotEnoughData)
    assert EqualRows.empty() != 0
