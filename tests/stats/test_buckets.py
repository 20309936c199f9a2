"""Log-linear buckets: the promised error, the order, and the ends of the range of floats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gyroscope.stats.buckets import (
    RELATIVE_ERROR,
    bucket_keys,
    bucket_middle,
    bucket_quantile,
)
from gyroscope.stats.sparse import SparseCounts

NORMAL = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)


@settings(deadline=None)
@given(NORMAL)
def test_the_middle_of_a_bucket_is_within_one_percent(value: float) -> None:
    key = int(bucket_keys(np.array([value]))[0])
    assert abs(bucket_middle(key) - value) <= RELATIVE_ERROR * abs(value) * (1 + 1e-12)
    assert RELATIVE_ERROR < 0.01


@settings(deadline=None)
@given(st.lists(NORMAL, min_size=2))
def test_keys_keep_the_order_of_the_values(values: list[float]) -> None:
    keys = bucket_keys(np.sort(np.array(values)))
    assert np.all(np.diff(keys) >= 0)


@pytest.mark.parametrize("value", [1.7976931348623157e308, -1.7976931348623157e308, 5e-324, -0.0])
def test_the_ends_of_the_range_have_a_finite_middle(value: float) -> None:
    assert np.isfinite(bucket_middle(int(bucket_keys(np.array([value]))[0])))


@pytest.mark.parametrize("q", [0.0, 0.01, 0.25, 0.5, 0.99, 1.0])
def test_quantiles_are_those_of_numpy_within_one_percent(q: float) -> None:
    values = np.random.default_rng(3).lognormal(2, 3, 5_001) * np.random.default_rng(4).choice([-1, 1], 5_001)
    exact = np.quantile(values, q, method="inverted_cdf")
    assert bucket_quantile(SparseCounts.of(bucket_keys(values)), q) == pytest.approx(exact, rel=0.01)


def test_keys_ascend_with_the_values_and_have_their_sign():
    values = np.array([-np.inf, -1e308, -1.5, -5e-324, -0.0, 0.0, 5e-324, 1.5, 1e308, np.inf])
    keys = bucket_keys(values)
    assert (np.diff(keys) >= 0).all()
    assert np.array_equal(keys, -bucket_keys(-values))
    assert keys[3:7].tolist() == [0, 0, 0, 0]
