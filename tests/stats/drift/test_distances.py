"""Distances against scipy where it has them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp

from gyroscope.stats.drift.distances import hellinger, jensen_shannon, kolmogorov, null_means, psi, total_variation

RNG = np.random.default_rng(2)
P, Q = RNG.dirichlet(np.ones(12)), RNG.dirichlet(np.ones(12))


def test_jensen_shannon_is_that_of_scipy() -> None:
    assert jensen_shannon(P, Q) == pytest.approx(jensenshannon(P, Q, base=2), rel=1e-12)


def test_distances_of_equal_distributions_are_zero() -> None:
    counts = np.array([3, 0, 9])
    assert (jensen_shannon(P, P), hellinger(P, P), psi(counts, counts), kolmogorov(counts, counts)) == (0, 0, 0, 0)


def test_psi_and_hellinger_are_their_formulas() -> None:
    p, q = np.array([200_000, 800_000]), np.array([300_000, 700_000])
    assert psi(p, q) == pytest.approx(0.1 * np.log(1.5) - 0.1 * np.log(7 / 8), rel=1e-4)
    assert hellinger(P, Q) == pytest.approx(np.sqrt(1 - np.sqrt(P * Q).sum()), rel=1e-9)


def test_kolmogorov_at_the_edges_is_the_statistic_of_whole_numbers() -> None:
    one, two = RNG.integers(0, 8, 500), RNG.integers(2, 9, 300)
    counts = [np.bincount(values, minlength=10) for values in (one, two)]
    assert kolmogorov(*counts) == pytest.approx(ks_2samp(one, two).statistic, abs=1e-12)
    assert kolmogorov(np.zeros(3, int), np.ones(3, int)) is None


def test_null_means_are_what_equal_distributions_show() -> None:
    p = np.full(10, 0.1)
    draws = [(RNG.multinomial(4_000, p) / 4_000, RNG.multinomial(400, p) / 400) for _ in range(300)]
    null = null_means(p, p, 1 / 4_000 + 1 / 400)
    assert np.mean([jensen_shannon(*draw) ** 2 for draw in draws]) == pytest.approx(null.js**2, rel=0.1)
    assert np.mean([hellinger(*draw) ** 2 for draw in draws]) == pytest.approx(null.hellinger**2, rel=0.1)


def test_corrected_total_variation_is_near_the_truth_in_small_windows() -> None:
    p = np.full(20, 0.05)
    q = p + np.repeat([0.01, -0.01], 10)
    seen = [
        total_variation(RNG.multinomial(5_000, p) / 5_000, RNG.multinomial(200, q) / 200, 1 / 5_000 + 1 / 200)
        for _ in range(300)
    ]
    assert 0.06 < np.mean(seen) < 0.11  # the truth is 0.10; subtracting the null mean would show 0.03
