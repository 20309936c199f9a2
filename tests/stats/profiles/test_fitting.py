"""Which bins the reference gets."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.errors import GyroscopeError
from gyroscope.stats.profiles import Bins, CategoryBins, NumericBins, fit_layout, profile


def bins_of(values: np.ndarray) -> Bins:
    return fit_layout({"column": values}).columns["column"]


def test_numbers_get_twenty_bins_of_equal_mass() -> None:
    values = np.random.default_rng(0).lognormal(size=10_000)
    bins = bins_of(values)
    assert isinstance(bins, NumericBins)
    assert (bins.edges[0], bins.edges[-1]) == (values.min(), values.max())
    counts = profile({"column": values}, fit_layout({"column": values})).columns["column"].counts
    assert counts.size == 22
    assert counts[0] == counts[-1] == 0
    assert set(counts[1:-1].tolist()) <= {499, 500, 501}


def test_few_different_values_get_a_bin_each() -> None:
    assert bins_of(np.array([2.0, 0.0, 1.0, 1.0])) == NumericBins((0.0, 1.0, 2.0, 2.0))


def test_ties_collapse_bins_and_a_frequent_greatest_value_keeps_its_own() -> None:
    zeros = np.concatenate((np.zeros(900), np.linspace(1, 2, 100)))
    edges = bins_of(zeros).edges  # type: ignore[union-attr]
    assert edges[0] == 0 and len(edges) < 6
    ones = np.concatenate((np.linspace(0, 0.9, 100), np.ones(900)))
    counts = profile({"column": ones}, fit_layout({"column": ones})).columns["column"].counts
    assert counts[-2] == 900


@pytest.mark.parametrize(
    ("values", "edges"),
    [
        (np.array([]), ()),
        (np.array([np.nan, np.inf]), ()),
        (np.array([7.0]), (7.0, 7.0)),
        (np.full(50, 1e308), (1e308, 1e308)),
        (np.array([True, False]), (0.0, 1.0, 1.0)),
        (np.array([3, 1], dtype=np.uint8), (1.0, 3.0, 3.0)),
        (np.array(["1970-01-01T00:00:01", "NaT"], "datetime64[ms]"), (1e6, 1e6)),
        (np.ma.masked_array([1.0, 99.0], mask=[False, True]), (1.0, 1.0)),
    ],
)
def test_odd_numeric_columns_are_defined(values: np.ndarray, edges: tuple[float, ...]) -> None:
    assert bins_of(values) == NumericBins(edges)


def test_the_hundred_most_frequent_categories_are_kept_in_order() -> None:
    names = [f"c{i:04d}" for i in range(1_200)]
    values = np.array([name for i, name in enumerate(names) for _ in range(1 + (i < 100))], dtype=object)
    bins = bins_of(values)
    assert isinstance(bins, CategoryBins)
    assert bins.categories == tuple(names[:100])
    assert bins.rare == tuple(names[100:1_100])


def test_equally_frequent_categories_are_in_the_order_of_their_names() -> None:
    assert bins_of(np.array(["b", "c", "a"], dtype=object)) == CategoryBins(("a", "b", "c"))


def test_columns_of_different_length_are_refused_by_name() -> None:
    with pytest.raises(GyroscopeError, match="column 'y' has shape"):
        fit_layout({"x": np.zeros(2), "y": np.zeros(3)})
