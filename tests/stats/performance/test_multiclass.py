"""Multiclass metrics against scikit-learn, and the coverage of their intervals."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk

from gyroscope.records import NotEnoughData
from gyroscope.stats.intervals import Estimate
from gyroscope.stats.performance import confusion, metrics, tally


def scored(n: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.choice(classes, n, p=np.arange(1, classes + 1) / (classes * (classes + 1) / 2))
    logits = rng.normal(size=(n, classes))
    logits[np.arange(n), labels] += 1
    odds = np.exp(logits)
    return odds / odds.sum(axis=1, keepdims=True), labels


@pytest.mark.parametrize(("n", "classes"), [(30, 3), (900, 5), (200, 40)])
def test_metrics_equal_scikit_learn(n: int, classes: int) -> None:
    p, y = scored(n, classes, n)
    decided = p.argmax(axis=1)
    known = metrics(tally("multiclass", p, y))
    average = {"average": "macro", "zero_division": 0}
    wanted = {
        "accuracy": sk.accuracy_score(y, decided),
        "precision_macro": sk.precision_score(y, decided, **average),
        "recall_macro": sk.recall_score(y, decided, **average),
        "f1_macro": sk.f1_score(y, decided, **average),
        "log_loss": sk.log_loss(y, p, labels=range(classes)),
    }
    assert {name: estimate.value for name, estimate in known.items()} == pytest.approx(wanted, rel=1e-12)
    assert known["accuracy"].value == wanted["accuracy"]
    matrix = sk.confusion_matrix(y, decided, labels=range(classes))
    assert confusion(tally("multiclass", p, y)).tolist() == matrix.tolist()


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    truth = metrics(tally("multiclass", *scored(200_000, 4, 1)))
    hits = dict.fromkeys(truth, 0)
    halves: dict[str, list[float]] = {name: [] for name in truth}
    values: dict[str, list[float]] = {name: [] for name in truth}
    for seed in range(150):
        for name, estimate in metrics(tally("multiclass", *scored(400, 4, 100 + seed))).items():
            hits[name] += estimate.low <= truth[name].value <= estimate.high
            halves[name].append((estimate.high - estimate.low) / 2)
            values[name].append(estimate.value)
    assert all(100 * count / 150 >= 90 for count in hits.values()), hits
    for name in truth:  # nor are they wider than they need to be
        assert np.mean(halves[name]) == pytest.approx(1.96 * np.std(values[name]), rel=0.15), name


def test_rows_that_cannot_be_used_are_counted_apart() -> None:
    p = np.array([[0.2, 0.8], [np.nan, 1.0], [3.0, -2.0], [0.5, 0.5], [0.5, 0.5]])
    outcomes = tally("multiclass", p, np.array([1, 0, 0, 2, 0.5]))
    assert (outcomes.n, outcomes.unusable) == (1, 4)


def test_no_rows_are_no_metrics() -> None:
    outcomes = tally("multiclass", np.empty(0), np.empty(0), classes=3)
    assert outcomes.classes == 3
    assert all(isinstance(estimate, NotEnoughData) for estimate in metrics(outcomes).values())
    assert isinstance(confusion(tally("regression", np.empty(0), np.empty(0))), NotEnoughData)


def test_perfect_predictions_still_have_an_interval() -> None:
    estimate = metrics(tally("multiclass", np.eye(3), np.arange(3)))["f1_macro"]
    assert isinstance(estimate, Estimate)
    assert (estimate.value, estimate.high) == (1.0, 1.0)
    assert estimate.low < 0.5
