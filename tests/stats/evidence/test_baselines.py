from __future__ import annotations

import numpy as np
import pytest

from gyroscope.stats.evidence import Streams, fit_baselines, stream
from gyroscope.stats.evidence.baselines import ranks


def _many(y, within):
    count = len(y)
    names = tuple(f"s{row}" for row in range(count))
    return Streams(names, y, within, np.zeros(count, np.int64), np.ones(count), np.zeros(count))


def test_variance_between_windows_is_found_beside_that_of_rows():
    rng = np.random.default_rng(0)
    within = rng.uniform(0.05, 0.5, (400, 60))
    y = rng.normal(3.0, np.sqrt(within + 0.2))
    normal = fit_baselines(_many(y, within))
    assert normal.tau2.mean() == pytest.approx(0.2, rel=0.03)
    assert normal.mean.mean() == pytest.approx(3.0, abs=0.01)
    assert np.var(normal.mean) == pytest.approx(normal.mean_variance.mean(), rel=0.2)


def test_memory_between_windows_is_found():
    rng = np.random.default_rng(1)
    y = np.zeros((300, 60))
    for window in range(1, 60):
        y[:, window] = 0.5 * y[:, window - 1] + rng.normal(size=300)
    normal = fit_baselines(_many(y, np.full(y.shape, 0.01)))
    assert 0.45 < np.median(normal.rho) < 0.55
    assert normal.rho.max() <= 0.8


def test_streams_tell_each_other_that_they_have_no_memory_but_one_that_has_keeps_most_of_it():
    rng = np.random.default_rng(4)
    y = rng.normal(size=(300, 50))
    for window in range(1, 50):
        y[0, window] += 0.7 * y[0, window - 1]
    within = np.full(y.shape, 0.01)
    normal = fit_baselines(_many(y, within))
    own = fit_baselines(_many(y[:1], within[:1])).rho[0]
    assert own - normal.rho[0] == pytest.approx(1 / np.sqrt(50) / (1 - 3 / 50))
    lonely = [fit_baselines(_many(y[[row]], within[[row]])).rho[0] for row in range(1, 40)]
    assert normal.rho[1:].std() < 0.5 * np.std(lonely)


def test_a_gap_has_no_memory():
    y = np.r_[np.arange(15.0), np.nan, np.arange(15.0)]
    normal = fit_baselines(stream("x", y, np.ones(31)))
    assert normal.windows.tolist() == [30]


@pytest.mark.parametrize("y", [np.full(30, np.nan), np.full(30, 1e308), np.r_[np.ones(13), np.full(17, np.nan)]])
def test_a_stream_without_windows_is_missing_with_the_reason(y):
    normal = fit_baselines(stream("x", y, np.ones(30)).join(stream("y", np.ones(30), np.ones(30))))
    assert normal.names == ("y",)
    assert "reference windows" in normal.missing["x"].reason


def test_ranks_are_the_same_however_many_windows_are_asked_for() -> None:
    rng = np.random.default_rng(0)
    reference = np.sort(rng.integers(0, 5, (7, 20)).astype(float), axis=1)
    reference[0, 15:] = np.inf
    values = rng.integers(-1, 6, (7, 400)).astype(float)
    values[rng.random(values.shape) < 0.1] = np.nan
    one_by_one = [ranks(values[:, [window]], reference) for window in range(400)]
    assert np.array_equal(ranks(values, reference), np.hstack(one_by_one))
    assert ranks(np.array([[2.0, 9.0]]), np.array([[1.0, 2.0, 2.0, np.inf]])).tolist() == [[2.5, 3.5]]
