"""Profiles add up: any order, any grouping, any rows, bit for bit."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gyroscope.stats.profiles import Layout, Profile, fit_layout, profile

LAW = settings(deadline=None)  # a busy machine breaks no law
NUMBER = st.one_of(
    st.floats(width=64),  # NaN, inf, subnormal and 1e308 included
    st.sampled_from([0.0, -0.0, 1.0, 2.0, 1e308, -1e308, float("nan"), float("inf"), float("-inf")]),
)
TEXT = st.one_of(st.none(), st.sampled_from(["JFK", "LGA", "EWR", ""]), st.text(max_size=3))
ROWS = st.lists(st.tuples(NUMBER, TEXT), max_size=30)
Rows = list[tuple[float, str | None]]


def columns(rows: Rows) -> dict[str, np.ndarray]:
    numbers = np.array([number for number, _ in rows], np.float64)
    return {"number": numbers, "text": np.array([text for _, text in rows] or [], dtype=object)}


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    return fit_layout(columns(draw(ROWS)))


@LAW
@given(layouts(), ROWS, ROWS)
def test_merged_profiles_are_the_profile_of_all_rows(layout: Layout, a: Rows, b: Rows) -> None:
    merged = profile(columns(a), layout).merge(profile(columns(b), layout))
    assert merged == profile(columns(a + b), layout)
    assert merged.to_bytes() == profile(columns(a + b), layout).to_bytes()


@LAW
@given(layouts(), ROWS, ROWS, ROWS)
def test_merging_is_associative_and_commutative(layout: Layout, a: Rows, b: Rows, c: Rows) -> None:
    x, y, z = (profile(columns(rows), layout) for rows in (a, b, c))
    assert x.merge(y).merge(z) == x.merge(y.merge(z))
    assert x.merge(y) == y.merge(x)


def test_large_blocks_merge_as_small_ones() -> None:
    rng = np.random.default_rng(0)
    number = np.where(rng.random(40_000) < 0.1, 0.0, rng.normal(size=40_000) * 10.0 ** rng.integers(-300, 150, 40_000))
    rows = {"number": number}
    layout = fit_layout({"number": rng.normal(size=1_000)})
    parts = [profile({"number": number[at : at + 1_000]}, layout) for at in range(0, 40_000, 1_000)]
    assert Profile.merge_all(parts) == profile(rows, layout)


@LAW
@given(layouts(), st.lists(ROWS, min_size=1, max_size=5))
def test_merging_all_at_once_is_merging_one_by_one(layout: Layout, windows: list[Rows]) -> None:
    parts = [profile(columns(rows), layout) for rows in windows]
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.merge(part)
    assert Profile.merge_all(parts) == merged


@LAW
@given(layouts(), ROWS)
def test_empty_is_neutral(layout: Layout, rows: Rows) -> None:
    some, empty = profile(columns(rows), layout), Profile.empty(layout)
    assert empty.merge(some) == some == some.merge(empty)
    assert profile(columns([]), layout) == empty


@LAW
@given(layouts(), ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(layout: Layout, rows: Rows, random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert profile(columns(shuffled), layout) == profile(columns(rows), layout)


@LAW
@given(layouts(), ROWS, st.integers(1, 5))
def test_a_scaled_profile_is_that_of_rows_that_were_there_so_often(layout: Layout, rows: Rows, weight: int) -> None:
    one, repeated = profile(columns(rows), layout), profile(columns(rows * weight), layout)
    assert one.scaled(weight).columns == repeated.columns
    # A log that keeps one row in `weight` knows nothing of equal rows among those that it dropped.
    assert one.scaled(weight).equal_rows == one.equal_rows


@LAW
@given(layouts(), ROWS)
def test_bytes_bring_a_profile_back(layout: Layout, rows: Rows) -> None:
    counted = profile(columns(rows), layout)
    back = Profile.from_bytes(counted.to_bytes())
    assert back == counted
    assert back.layout == layout
    assert back.to_bytes() == counted.to_bytes()


@LAW
@given(layouts(), ROWS)
def test_every_row_is_counted_once_and_nothing_is_nan(layout: Layout, rows: Rows) -> None:
    counted = profile(columns(rows), layout)
    assert counted.n == len(rows)
    for column in counted.columns.values():
        assert column.n == len(rows) == int(column.cells.sum())
        for known in (column.mean, column.sd, column.min, column.max, column.quantile(0.5)):
            assert not (isinstance(known, float) and not np.isfinite(known))
