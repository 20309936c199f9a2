"""Intervals against scipy, and what they say at the ends."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from gyroscope.records import NotEnoughData
from gyroscope.stats.intervals import Estimate, bounded_mean_estimate, mean_estimate, share_estimate


@pytest.mark.parametrize(("hits", "n"), [(0, 1), (1, 1), (0, 30), (3, 10), (500, 1_000), (999_999, 1_000_000)])
def test_shares_have_the_wilson_interval_of_scipy(hits: int, n: int) -> None:
    estimate = share_estimate(hits, n)
    wanted = binomtest(hits, n).proportion_ci(method="wilson")
    assert isinstance(estimate, Estimate)
    assert (estimate.value, estimate.n) == (hits / n, n)
    assert (estimate.low, estimate.high) == pytest.approx((wanted.low, wanted.high), abs=1e-12)


def test_a_share_of_nothing_is_not_known() -> None:
    assert share_estimate(0, 0, "labels") == NotEnoughData("no labels")


def test_a_mean_has_the_normal_interval() -> None:
    values = np.random.default_rng(1).normal(3, 2, 400)
    estimate = mean_estimate(float(values.mean()), float(values.var()), values.size)
    assert estimate.high - estimate.value == pytest.approx(1.959964 * values.std() / 20, rel=1e-6)


@pytest.mark.parametrize(("mean", "variance", "n"), [(0.0, 0.0, 10), (1.0, 0.0, 1), (0.02, 0.01, 5), (0.99, 0.01, 5)])
def test_a_mean_of_bounded_values_stays_in_bounds_with_a_width(mean: float, variance: float, n: int) -> None:
    estimate = bounded_mean_estimate(mean, variance, n)
    assert 0 <= estimate.low <= mean <= estimate.high <= 1
    assert estimate.high - estimate.low > 0
