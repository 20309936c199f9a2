"""Regression metrics against scikit-learn, and the coverage of their intervals."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk

from gyroscope.records import NotEnoughData
from gyroscope.stats.buckets import bucket_quantile
from gyroscope.stats.intervals import Estimate
from gyroscope.stats.performance import metrics, tally


def predicted(n: int, seed: int, level: float = 30.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = level + rng.gamma(2, 5, n)
    return labels + 0.3 + rng.standard_t(6, n), labels


@pytest.mark.parametrize(("n", "level"), [(2, 30.0), (900, 30.0), (900, -6_000.0), (100_000, 0.0)])
def test_metrics_equal_scikit_learn(n: int, level: float) -> None:
    output, y = predicted(n, n, level)
    known = metrics(tally("regression", output, y))
    assert known["mae"].value == pytest.approx(sk.mean_absolute_error(y, output), rel=1e-12)
    assert known["rmse"].value == pytest.approx(sk.root_mean_squared_error(y, output), rel=1e-12)
    assert known["bias"].value == pytest.approx((output - y).mean(), rel=1e-10)
    assert known["r2"].value == pytest.approx(sk.r2_score(y, output), rel=1e-9)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    truth = metrics(tally("regression", *predicted(1_000_000, 1)))
    hits = dict.fromkeys(truth, 0)
    halves: dict[str, list[float]] = {name: [] for name in truth}
    values: dict[str, list[float]] = {name: [] for name in truth}
    for seed in range(200):
        for name, estimate in metrics(tally("regression", *predicted(500, 100 + seed))).items():
            hits[name] += estimate.low <= truth[name].value <= estimate.high
            halves[name].append((estimate.high - estimate.low) / 2)
            values[name].append(estimate.value)
    # Heavy tails make the variance of squared errors hard to see in 500 rows: 89 % is what is asked here.
    assert all(100 * count / 200 >= 89 for count in hits.values()), hits
    for name in truth:  # nor are they wider than they need to be
        assert np.mean(halves[name]) == pytest.approx(1.96 * np.std(values[name]), rel=0.15), name


def test_errors_can_be_read_as_quantiles() -> None:
    output, y = predicted(5_000, 3)
    cells = tally("regression", output, y).cells
    wanted = np.quantile(output - y, 0.9, method="inverted_cdf")
    assert bucket_quantile(cells, 0.9) == pytest.approx(wanted, rel=0.01)


@pytest.mark.parametrize(
    ("output", "y", "unknown"),
    [
        ([], [], {"mae", "rmse", "bias", "r2"}),
        ([1.0], [1.0], {"mae", "rmse", "bias", "r2"}),
        ([np.nan, np.inf], [1.0, 2.0], {"mae", "rmse", "bias", "r2"}),
        ([1e308, 1.0, 2.0], [-1e308, 1.0, 2.0], {"mae", "rmse", "bias", "r2"}),
        ([1.0, 2.0], [3.0, 3.0], {"r2"}),
        ([1.0, 2.0], [1e9, 1e9 + 1], {"r2"}),
        ([4_999.0, 5_001.0] * 50, [4_999.0, 5_001.0] * 50, {"r2"}),
        ([1e75, -1e75], [-1e75, 1e75], set()),
        ([1e-200, 2e-200], [1e-200, 3e-200], {"r2"}),
    ],
)
def test_what_cannot_be_known_says_why(output: list[float], y: list[float], unknown: set[str]) -> None:
    known = metrics(tally("regression", np.array(output), np.array(y)))
    assert {name for name, estimate in known.items() if isinstance(estimate, NotEnoughData)} == unknown


def test_perfect_predictions_have_no_error() -> None:
    known = metrics(tally("regression", np.arange(5.0), np.arange(5.0)))
    assert known["rmse"] == Estimate(0.0, 0.0, 0.0, 5)
    assert known["r2"].value == 1.0
