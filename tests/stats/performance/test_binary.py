"""Binary metrics against scikit-learn, and the coverage of their intervals."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import sklearn.metrics as sk

from gyroscope.records import NotEnoughData
from gyroscope.stats.intervals import Estimate
from gyroscope.stats.performance import METRICS, auc_bound, average_precision_bound, confusion, metrics, tally


def scored(n: int, seed: int, separation: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.3).astype(float)
    return 1 / (1 + np.exp(-rng.normal(separation * (2 * labels - 1) - 0.5, 1.2))), labels


def value(known: dict[str, Estimate | NotEnoughData], name: str) -> float:
    estimate = known[name]
    assert isinstance(estimate, Estimate), (name, estimate)
    return estimate.value


@pytest.mark.parametrize("threshold", [0.5, 0.37, 0.1 + 0.2, 0.0, 1.0])
@pytest.mark.parametrize("n", [60, 900, 20_000])
def test_shares_equal_scikit_learn_bit_for_bit(n: int, threshold: float) -> None:
    p, y = scored(n, n)
    p[:10] = threshold  # the threshold itself counts as positive
    p[10:20] = np.nextafter(threshold, 0)
    decided = p >= threshold
    known = metrics(tally("binary", p, y, threshold=threshold))
    assert value(known, "accuracy") == sk.accuracy_score(y, decided)
    assert value(known, "recall") == sk.recall_score(y, decided)
    assert value(known, "positives") == y.mean()
    assert value(known, "false_positive_rate") == pytest.approx(np.mean(decided[y == 0]), rel=1e-12)
    if decided.any():
        assert value(known, "precision") == sk.precision_score(y, decided)
        assert value(known, "f1") == sk.f1_score(y, decided)
    assert confusion(tally("binary", p, y, threshold=threshold)).tolist() == sk.confusion_matrix(y, decided).tolist()


@pytest.mark.parametrize("n", [60, 900, 20_000])
def test_losses_equal_scikit_learn_to_rounding(n: int) -> None:
    p, y = scored(n, n)
    p[:2], y[:2] = (0.0, 1.0), (1.0, 0.0)  # two sure mistakes
    known = metrics(tally("binary", p, y))
    assert value(known, "brier") == pytest.approx(sk.brier_score_loss(y, p), rel=1e-12)
    assert value(known, "log_loss") == pytest.approx(sk.log_loss(y, p), rel=1e-12)


@pytest.mark.parametrize("n", [60, 900, 20_000])
def test_average_precision_is_within_its_stated_bound(n: int) -> None:
    p, y = scored(n, n)
    outcomes = tally("binary", p, y)
    bound = average_precision_bound(outcomes)
    assert isinstance(bound, float)
    assert abs(value(metrics(outcomes), "average_precision") - sk.average_precision_score(y, p)) <= bound + 1e-12 < 2e-4


def test_the_bound_of_average_precision_is_reached() -> None:
    positive_first, negative_first = np.array([0.50002, 0.50001]), np.array([0.50001, 0.50002])
    outcomes = tally("binary", positive_first, np.array([1, 0]))
    bound = average_precision_bound(outcomes)
    rows = [sk.average_precision_score([1, 0], p) for p in (positive_first, negative_first)]
    assert max(abs(row - value(metrics(outcomes), "average_precision")) for row in rows) == bound == 0.5


@pytest.mark.parametrize("n", [60, 900, 20_000])
def test_auc_is_within_its_stated_bound(n: int) -> None:
    p, y = scored(n, n)
    outcomes = tally("binary", p, y)
    bound = auc_bound(outcomes)
    assert isinstance(bound, float)
    assert abs(value(metrics(outcomes), "auc") - sk.roc_auc_score(y, p)) <= bound < 1e-4


def test_auc_of_coarse_scores_is_exact_and_its_bound_is_not_small() -> None:
    p, y = scored(900, 5)
    coarse = np.round(p, 1)
    outcomes = tally("binary", coarse, y)
    assert value(metrics(outcomes), "auc") == pytest.approx(sk.roc_auc_score(y, coarse), abs=1e-15)
    assert auc_bound(outcomes) > 0.01  # bins cannot know that scores inside them are equal


@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_auc_bound_holds_where_scores_crowd_in_few_bins(scale: float) -> None:
    p, y = scored(3_000, 8)
    outcomes = tally("binary", p * scale, y)
    assert abs(value(metrics(outcomes), "auc") - sk.roc_auc_score(y, p)) <= auc_bound(outcomes)


def test_delong_interval_is_the_one_computed_from_all_pairs() -> None:
    p, y = np.round(scored(300, 2)[0], 2), scored(300, 2)[1]
    positive, negative = p[y == 1], p[y == 0]
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    variance = wins.mean(1).var(ddof=1) / positive.size + wins.mean(0).var(ddof=1) / negative.size
    auc = wins.mean()
    half = 1.959964 * np.sqrt(variance) / (auc * (1 - auc))
    estimate = metrics(tally("binary", p, y))["auc"]
    assert isinstance(estimate, Estimate)
    ends = 1 / (1 + np.exp(-(np.log(auc / (1 - auc)) + np.array([-half, half]))))
    assert (estimate.low, estimate.high) == pytest.approx(tuple(ends), abs=1e-6)


@pytest.mark.parametrize("n", [100, 900])
def test_intervals_cover_the_truth_about_as_often_as_they_say(n: int) -> None:
    large, truth_labels = scored(400_000, 1)
    truth = metrics(tally("binary", large, truth_labels))
    hits = dict.fromkeys(truth, 0)
    for seed in range(400):
        for name, estimate in metrics(tally("binary", *scored(n, 1_000 + seed))).items():
            assert isinstance(estimate, Estimate)
            hits[name] += estimate.low <= value(truth, name) <= estimate.high
    # 400 windows at 95 %: 4 standard errors are 4.4 points.
    assert all(100 * count / 400 >= 90.6 for count in hits.values()), hits


@pytest.mark.parametrize(
    ("p", "y", "unknown"),
    [
        ([], [], set(METRICS["binary"])),
        ([0.9], [1], {"false_positive_rate", "auc", "log_loss"}),
        ([0.1, 0.2], [0, 0], {"precision", "recall", "f1", "auc", "average_precision"}),
        ([0.9, 0.8], [1, 1], {"false_positive_rate", "auc"}),
        (
            [np.nan, 1e308, -0.1],
            [1, 0, 1],
            set(METRICS["binary"]),
        ),
        ([0.5] * 4, [0, 1, 0, 1], set()),
        ([0.9, 0.1], [1, 0], set()),
    ],
)
def test_what_cannot_be_known_says_why(p: list[float], y: list[int], unknown: set[str]) -> None:
    known = metrics(tally("binary", np.array(p), np.array(y)))
    assert {name for name, estimate in known.items() if isinstance(estimate, NotEnoughData)} == unknown
    assert all(known[name].reason for name in unknown)  # type: ignore[union-attr]


def test_perfect_scores_still_have_an_interval() -> None:
    known = metrics(tally("binary", np.array([1.0] * 20 + [0.0] * 30), np.array([1] * 20 + [0] * 30)))
    for name in ("accuracy", "auc", "f1", "brier"):
        estimate = known[name]
        assert isinstance(estimate, Estimate)
        assert estimate.high - estimate.low > 0.01, name


def test_no_warning_escapes() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metrics(tally("binary", np.array([0.0, 1.0, np.inf]), np.array([1, 0, 1])))
