from __future__ import annotations

import numpy as np
import pytest

from gyroscope.stats.evidence import Streams, fit_baselines, stream


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


def test_a_gap_has_no_memory():
    y = np.r_[np.arange(15.0), np.nan, np.arange(15.0)]
    normal = fit_baselines(stream("x", y, np.ones(31)))
    assert normal.windows.tolist() == [30]


@pytest.mark.parametrize("y", [np.full(30, np.nan), np.full(30, 1e308), np.r_[np.ones(13), np.full(17, np.nan)]])
def test_a_stream_without_windows_is_missing_with_the_reason(y):
    normal = fit_baselines(stream("x", y, np.ones(30)).join(stream("y", np.ones(30), np.ones(30))))
    assert normal.names == ("y",)
    assert "reference windows" in normal.missing["x"].reason


def test_windows_cut_at_random_learn_their_variance_from_clean_windows():
    rng = np.random.default_rng(2)
    normal = fit_baselines(_many(rng.normal(0, 0.1, (200, 60)), np.full((200, 60), 0.01)), is_ordered=False)
    assert not normal.tau2.any()
    clean = _many(rng.normal(0, np.sqrt(0.05), (200, 30)), np.full((200, 30), 0.01))
    assert normal.learn(clean).tau2.mean() == pytest.approx(0.04, rel=0.1)
    too_few = _many(clean.y[:, :10], clean.within[:, :10])
    assert not normal.learn(too_few).tau2.any()
