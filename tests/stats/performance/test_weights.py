"""Sampled logs: one row in k is kept and counts k times; metrics stay unbiased, intervals know how few rows that is."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.stats.intervals import Estimate, share_estimate
from gyroscope.stats.performance import Outcomes, metrics, tally

ROWS, KEPT_ONE_IN, SEEDS = 3_000, 10, 300


def population(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = rng.beta(2, 4, ROWS)
    return scores, (rng.random(ROWS) < scores).astype(float)


def sampled(scores: np.ndarray, labels: np.ndarray, seed: int) -> Outcomes:
    """As the log keeps rows: each with probability 1 / k, whatever it says."""
    kept = np.random.default_rng(seed + 10_000).integers(0, KEPT_ONE_IN, len(scores)) == 0
    return tally("binary", scores[kept], labels[kept]).scaled(KEPT_ONE_IN)


def test_metrics_of_a_sampled_log_are_unbiased_and_their_intervals_cover() -> None:
    errors: dict[str, list[float]] = {}
    covers: dict[str, list[bool]] = {}
    for seed in range(SEEDS):
        scores, labels = population(seed)
        full, part = metrics(tally("binary", scores, labels)), metrics(sampled(scores, labels, seed))
        for name, known in part.items():
            whole = full[name]
            assert isinstance(known, Estimate) and isinstance(whole, Estimate)
            errors.setdefault(name, []).append(known.value - whole.value)
            covers.setdefault(name, []).append(known.low <= whole.value <= known.high)
    for name, found in errors.items():
        noise = np.std(found) / np.sqrt(SEEDS)
        assert abs(np.mean(found)) < 4 * noise + 0.002, name  # ratios are biased by about 1 / rows
        # The interval is for the rate behind the rows, from which the full value differs by a tenth of its variance.
        assert np.mean(covers[name]) > 0.93, (name, np.mean(covers[name]))


def test_counting_the_rows_ten_times_without_saying_so_would_not_cover() -> None:
    """The same rows, taken for ten times as many: what the effective number of rows is for."""
    hits = 0
    for seed in range(SEEDS):
        scores, labels = population(seed)
        full = metrics(tally("binary", scores, labels))["accuracy"]
        part = sampled(scores, labels, seed)
        known = metrics(part)["accuracy"]
        assert isinstance(known, Estimate) and isinstance(full, Estimate)
        naive = share_estimate(round(known.value * part.n), part.n)
        assert isinstance(naive, Estimate)
        hits += naive.low <= full.value <= naive.high
    assert hits / SEEDS < 0.6


def test_a_share_of_errors_that_are_all_kept_is_unbiased() -> None:
    shares = []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        failed = rng.random(ROWS) < 0.02
        kept = failed | (rng.integers(0, KEPT_ONE_IN, ROWS) == 0)
        weights = np.where(failed, 1, KEPT_ONE_IN)[kept]
        shares.append(weights[failed[kept]].sum() / weights.sum() - failed.mean())
    assert abs(np.mean(shares)) < 4 * np.std(shares) / np.sqrt(SEEDS) + 1e-4


def test_n_of_an_interval_is_the_effective_number_of_rows() -> None:
    """Kish: (sum w)^2 / sum w^2."""
    outputs, labels = np.array([0.9, 0.2, 0.4, 0.6]), np.array([1.0, 0.0, 1.0, 0.0])
    mixed = tally("binary", outputs, labels).scaled(3).merge(tally("binary", outputs, labels))
    known = metrics(mixed)["accuracy"]
    assert isinstance(known, Estimate)
    assert (mixed.n, mixed.squares, known.n) == (16, 40, round(16**2 / 40))


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_equal_weights_change_no_value_and_no_interval(task: str) -> None:
    rng = np.random.default_rng(0)
    outputs = rng.dirichlet((1, 1, 1), 200) if task == "multiclass" else rng.random(200)
    labels = rng.integers(0, 2, 200).astype(float)
    plain = tally(task, outputs, labels)  # type: ignore[arg-type]
    scaled = metrics(plain.scaled(7))
    for name, known in metrics(plain).items():
        other = scaled[name]
        assert isinstance(known, Estimate) and isinstance(other, Estimate)
        assert (other.value, other.low, other.high) == pytest.approx((known.value, known.low, known.high)), name
        assert other.n == known.n
