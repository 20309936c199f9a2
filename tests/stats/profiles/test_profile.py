"""Counting windows: against numpy on plain data, and defined on any data."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.errors import GyroscopeError
from gyroscope.records import NotEnoughData
from gyroscope.stats.profiles import CategoryBins, ColumnCounts, Layout, NumericBins, Profile, fit_layout, profile

RNG = np.random.default_rng(11)


def count(values: np.ndarray, bins: NumericBins | CategoryBins) -> ColumnCounts:
    return profile({"x": values}, Layout({"x": bins})).columns["x"]


def test_summaries_are_those_of_numpy() -> None:
    values = RNG.normal(50, 9, 5_000)
    x = count(values, NumericBins(tuple(np.quantile(values[:1_000], np.linspace(0, 1, 21)).tolist())))
    assert x.mean == pytest.approx(values.mean(), rel=1e-14)
    assert x.sd == pytest.approx(values.std(ddof=1), rel=1e-12)
    assert (x.min, x.max) == (values.min(), values.max())
    for q in (0.0, 0.05, 0.5, 0.95, 1.0):
        assert x.quantile(q) == pytest.approx(np.quantile(values, q, method="inverted_cdf"), rel=0.01)


def test_bins_are_closed_below_and_the_last_one_above_as_well() -> None:
    x = count(np.array([-1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5]), NumericBins((0.0, 1.0, 2.0)))
    assert x.counts.tolist() == [1, 2, 3, 1]
    assert x.bins.labels == ("below 0", "0 to 1", "1 to 2", "above 2")


def test_missing_and_infinite_values_are_counted_apart() -> None:
    x = count(np.array([np.nan, np.inf, -np.inf, 0.5, np.inf]), NumericBins((0.0, 1.0)))
    assert (x.counts.tolist(), x.nan_or_inf, x.missing, x.n, x.values) == ([0, 1, 0], 3, 1, 5, 1)
    assert x.cells.tolist() == [0, 1, 0, 3, 1]
    assert x.mean == 0.5
    assert isinstance(x.shares, np.ndarray) and x.shares.sum() == 1


@pytest.mark.parametrize(
    "values",
    [
        np.empty(0),
        np.full(9, np.nan),
        np.array([np.inf, -np.inf]),
        np.full(9, 4.0),
        np.array([1e308, -1e308, 1e308]),
        np.array([5e-324]),
        np.array([None, "x", 3], dtype=object),
    ],
)
@pytest.mark.parametrize("bins", [NumericBins(), NumericBins((4.0, 4.0)), NumericBins((-1e308, 0.0, 1e308))])
def test_any_numbers_on_any_bins_give_numbers_or_a_reason(values: np.ndarray, bins: NumericBins) -> None:
    x = count(values, bins)
    assert x.n == len(values)
    for known in (x.mean, x.sd, x.min, x.max, x.quantile(0.0), x.quantile(0.5)):
        assert isinstance(known, NotEnoughData) or np.isfinite(known)


def test_one_row_has_a_mean_and_no_spread() -> None:
    x = count(np.array([2.0]), NumericBins((0.0, 4.0)))
    assert x.mean == 2.0
    assert x.sd == NotEnoughData("1 finite values; a spread needs 2")


def test_an_empty_window_has_no_shares() -> None:
    assert count(np.empty(0), NumericBins((0.0, 1.0))).shares == NotEnoughData("no rows")


def test_categories_other_new_and_missing_are_told_apart() -> None:
    values = np.array(["a", "rare", "never seen", None, "a", float("nan"), 7], dtype=object)
    x = count(values, CategoryBins(("a", "b"), rare=("rare",)))
    assert (x.counts.tolist(), x.missing) == ([2, 0, 1, 2], 2)
    assert isinstance(x.mean, NotEnoughData)


def test_text_and_masked_arrays_count_as_strings() -> None:
    assert count(np.array(["a", "b"]), CategoryBins(("a",))).counts.tolist() == [1, 0, 1]
    masked = np.ma.masked_array(np.array(["a", "b"], dtype=object), mask=[False, True])
    assert count(masked, CategoryBins(("a",))).missing == 1


def test_an_absent_column_is_missing_and_an_unknown_one_ignored() -> None:
    layout = Layout({"x": NumericBins((0.0, 1.0)), "s": CategoryBins(("a",))})
    counted = profile({"other": np.zeros(3)}, layout)
    assert list(counted.columns) == ["x", "s"]
    assert counted.columns["x"].missing == counted.columns["s"].missing == counted.n == 3


def test_a_long_window_is_counted_in_blocks_and_equals_its_parts() -> None:
    columns = {"x": RNG.normal(size=150_000), "s": RNG.choice(np.array(["a", None], dtype=object), 150_000)}
    layout = fit_layout(columns)
    halves = [{name: values[part] for name, values in columns.items()} for part in (slice(70_000), slice(70_000, None))]
    whole = profile(columns, layout)
    assert whole == profile(halves[0], layout).merge(profile(halves[1], layout))
    assert whole.n == whole.columns["s"].n == 150_000


def test_the_arrays_of_the_caller_are_left_alone() -> None:
    values = np.array([3.0, 1.0, 2.0])
    fit_layout({"x": values})
    count(values, NumericBins((0.0, 4.0)))
    assert values.tolist() == [3.0, 1.0, 2.0]


def test_the_sign_of_zero_does_not_make_bytes_depend_on_the_order() -> None:
    layout = Layout({"x": NumericBins((0.0, 1.0))})
    minus, plus = profile({"x": np.array([-0.0])}, layout), profile({"x": np.array([0.0])}, layout)
    assert minus.merge(plus).to_bytes() == plus.merge(minus).to_bytes()


def test_profiles_of_different_layouts_do_not_merge() -> None:
    one, two = Profile.empty(Layout({"x": NumericBins()})), Profile.empty(Layout({"y": NumericBins()}))
    with pytest.raises(GyroscopeError, match="do not have the same columns"):
        one.merge(two)
    with pytest.raises(GyroscopeError, match="different bins"):
        one.merge(Profile.empty(Layout({"x": NumericBins((0.0, 1.0))})))
