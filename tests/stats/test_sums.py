"""Exact sums: compared with Python's fractions, which do not round."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gyroscope.stats.sums import UNIT_BITS, as_float, exact_sum, exact_sums, variance_of

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@settings(deadline=None)
@given(st.lists(FINITE, max_size=40))
def test_a_sum_is_the_sum_of_the_fractions(values: list[float]) -> None:
    total = Fraction(exact_sum(np.array(values)), 1 << UNIT_BITS)
    assert total == sum(map(Fraction, values), Fraction(0))


@settings(deadline=None)
@given(st.lists(FINITE, max_size=20), st.lists(FINITE, max_size=20))
def test_rows_are_summed_apart_and_add_up(left: list[float], right: list[float]) -> None:
    parts = exact_sum(np.array(left)) + exact_sum(np.array(right))
    assert parts == exact_sum(np.array(left + right))


def test_long_columns_are_summed_in_blocks() -> None:
    rows = np.array([np.full(200_000, 0.1), np.arange(200_000.0)])
    tenths, numbers = exact_sums(rows)
    assert Fraction(tenths, 1 << UNIT_BITS) == 200_000 * Fraction(0.1)
    assert as_float(numbers) == 200_000 * 199_999 / 2


def test_subnormal_and_huge_values_do_not_round_away() -> None:
    assert as_float(exact_sum(np.array([1.7e308, 5e-324, -1.7e308]))) == 5e-324


def test_a_sum_beyond_floats_is_infinite_and_its_mean_is_not() -> None:
    total = exact_sum(np.full(10, -1e308))
    assert as_float(total) == -np.inf
    assert as_float(total, 10) == -1e308


def test_variance_does_not_cancel() -> None:
    values = np.array(
        [2.0**26, 2.0**26 + 1, 2.0**26 + 2] * 1_000
    )  # their squares are exact, the float sum of them is not
    assert variance_of(exact_sum(values), exact_sum(values * values), 3_000) == pytest.approx(2 / 3, rel=1e-15)


def test_a_variance_beyond_floats_is_infinite() -> None:
    assert variance_of(0, exact_sum(np.full(2, 1.7e308)) * 4, 2) == np.inf


@pytest.mark.parametrize("n", [1, 255, 256, 257, 16_384, 65_535, 65_536, 65_537])
@pytest.mark.parametrize("spread", [0.0, 1.0, 20.0, 100.0])
def test_no_size_and_no_spread_of_exponents_costs_a_bit(n: int, spread: float) -> None:
    """Few octaves end with two cuts, more leave a rest, most leave nearly everything to it."""
    rng = np.random.default_rng(n)
    values = np.exp(np.clip(rng.normal(size=n) * spread, -600, 600)) * (0.5 + rng.random(n) / 2)
    values[rng.random(n) < (spread > 0) / 2] *= -1  # at spread 0 all have one sign: no sum of that many is larger
    total = exact_sum(values)
    assert Fraction(total, 1 << UNIT_BITS) == sum(map(Fraction, values.tolist()), Fraction(0))
    sizes = np.abs(values)
    assert exact_sum(values, (-2 * sizes.max(), sizes.max()), sizes.min() / 2) == total, (
        "what is known saves work alone"
    )


@pytest.mark.parametrize("scale", [5e-324, 1e-308, 1.0, 2.0**1006, 2.0**1016, 2.0**1017, 1.7e308])
def test_the_ends_of_the_range_are_exact_too(scale: float) -> None:
    values = np.array([scale, -scale / 3, scale / 7, 1.0, 5e-324] * 300)
    assert Fraction(exact_sum(values), 1 << UNIT_BITS) == sum(map(Fraction, values.tolist()), Fraction(0))
