from __future__ import annotations

import numpy as np
import pytest

from gyroscope.stats.evidence.eprocess import Sums, e_values


def _sums(x):
    ones = np.ones_like(x)
    return Sums(*(part.sum(axis=1, keepdims=True) for part in (ones, ones, x, x * x)))


@pytest.mark.parametrize("side", [-1, 0, 1])
def test_without_a_change_an_e_value_is_seldom_large_and_one_on_average(side):
    rng = np.random.default_rng(4)
    reference, current = rng.normal(5, 3, (100_000, 20)), rng.normal(5, 3, (100_000, 4))
    e = e_values(_sums(reference), _sums(current), np.full(100_000, side), np.zeros(100_000))
    # Its mean is 1, in the long run: large values are too rare for a mean of few to be near it from above.
    assert 0.8 < np.minimum(e, 1e4).mean() < 1.1
    assert (e >= 20).mean() < 1 / 20
    assert (e >= 100).mean() < 1 / 100


def test_a_shift_within_the_tolerance_is_no_evidence_and_one_the_other_way_neither():
    rng = np.random.default_rng(5)
    reference = rng.normal(0, 1, (2_000, 60))
    for side, shift, tolerance in ((1, 0.2, 0.25), (1, -1.0, 0.0), (-1, 1.0, 0.0)):
        current = rng.normal(shift, 1, (2_000, 20))
        e = e_values(_sums(reference), _sums(current), np.full(2_000, side), np.full(2_000, tolerance))
        assert np.median(e) < 1
    strong = e_values(_sums(reference), _sums(reference[:, :20] + 1.5), np.full(2_000, 1), np.full(2_000, 0.25))
    assert np.median(strong) > 100


def test_no_current_window_is_no_evidence():
    nothing = Sums(*(np.zeros((1, 1)) for _ in range(4)))
    assert e_values(_sums(np.arange(20.0)[np.newaxis]), nothing, np.array([0]), np.array([0.0])).tolist() == [[1.0]]


@pytest.mark.parametrize("side", [-1, 0, 1])
def test_what_is_surely_too_little_may_be_left_out_and_nothing_else(side):
    rng = np.random.default_rng(6)
    reference, current = _sums(rng.normal(size=(5_000, 30))), _sums(rng.normal(0.4 * (side or 1), 1, (5_000, 6)))
    given = reference, current, np.full(5_000, side), np.zeros(5_000)
    whole, told = e_values(*given), e_values(*given, least=4.0)
    assert (whole >= 4).sum() > 20
    assert np.array_equal(told[whole >= 4], whole[whole >= 4])
    assert (told == 0).mean() > 0.5
