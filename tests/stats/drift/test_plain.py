"""Distances that have names: those of scipy, and on average what they say of themselves when nothing changes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2_contingency, ks_2samp, wasserstein_distance

from gyroscope.records import NotEnoughData
from gyroscope.stats.drift import PLAIN, Distance, plain_distance
from gyroscope.stats.profiles import fit_layout, profile


def counted(before: np.ndarray, after: np.ndarray):
    layout = fit_layout({"x": before})
    return tuple(profile({"x": rows}, layout).columns["x"] for rows in (before, after))


def test_they_are_those_of_scipy():
    rng = np.random.default_rng(0)
    before, after = rng.normal(10, 2, 5_000), rng.normal(11, 3, 3_000)
    a, b = counted(before, after)
    table = np.array([a.cells, b.cells])[:, (a.cells + b.cells) > 0]
    statistic = chi2_contingency(table, correction=False).statistic
    assert plain_distance("chi_square", a, b).value == pytest.approx(statistic)
    assert plain_distance("ks", a, b).value == pytest.approx(ks_2samp(before, after).statistic, abs=0.02)
    exact = wasserstein_distance(before, after) / before.std(ddof=1)
    assert plain_distance("wasserstein", a, b).value == pytest.approx(exact, rel=0.02)
    assert plain_distance("l_infinity", a, b).value == np.abs(a.shares - b.shares).max()


@pytest.mark.parametrize("name", PLAIN)
def test_without_a_change_they_are_their_null_on_average(name):
    rng = np.random.default_rng(1)
    pairs = [counted(rng.normal(size=2_000), rng.normal(size=500)) for _ in range(150)]
    found = [plain_distance(name, *pair) for pair in pairs]
    seen, said = np.mean([one.value for one in found]), np.mean([one.null for one in found])
    # Kolmogorov's is that of values, not of twenty bins.
    assert said == pytest.approx(seen, rel=0.25 if name == "ks" else 0.12)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([np.nan] * 5, [np.nan] * 5), ([1.0] * 9, [2.0] * 9), ([1e308, -1e308] * 9, [0.0] * 3), ([1.0], [1.0]),
        ([], [1.0]), ([1.0], []), ([np.inf] * 4, [1.0, 2.0]), (["a", "b"], ["c"]), (list(range(40)), [5e-324] * 4),
    ],
)  # fmt: skip
def test_bad_data_has_a_distance_or_a_reason(name, before, after):
    kind = object if before and isinstance(before[0], str) else np.float64
    found = plain_distance(name, *counted(np.array(before, kind), np.array(after, kind)))
    if isinstance(found, NotEnoughData):
        assert found.reason
    else:
        assert isinstance(found, Distance) and np.isfinite(found).all() and min(found) >= 0
