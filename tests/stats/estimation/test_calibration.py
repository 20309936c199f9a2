"""Calibration from counts is scikit-learn's from rows; scores counted in three ways are the same scores."""

from __future__ import annotations

import numpy as np
from sklearn.isotonic import IsotonicRegression

from gyroscope.records import NotEnoughData
from gyroscope.stats.estimation import Calibration, Scores, expected_metrics, fit_calibration
from gyroscope.stats.performance import metrics, tally
from gyroscope.stats.profiles import fit_layout, profile


def test_counts_say_what_rows_say() -> None:
    rng = np.random.default_rng(0)
    p = rng.beta(1, 3, 5_000)
    y = (rng.random(5_000) < p**1.5).astype(float)
    fitted = fit_calibration([tally("binary", p[:2_000], y[:2_000]), tally("binary", p[2_000:], y[2_000:])])
    assert isinstance(fitted, Calibration)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(p, y)
    assert np.abs(fitted(p) - theirs.predict(p)).mean() < 1e-3
    assert np.all(np.diff(fitted(np.linspace(0, 1, 200))) >= 0)


def test_one_class_or_none_is_not_enough() -> None:
    assert isinstance(fit_calibration([]), NotEnoughData)
    assert isinstance(fit_calibration([tally("binary", np.full(99, 0.5), np.ones(99))]), NotEnoughData)
    assert isinstance(fit_calibration([tally("regression", np.ones(99), np.ones(99))]), NotEnoughData)


def test_scores_of_rows_of_outcomes_and_of_a_profile_are_alike() -> None:
    rng = np.random.default_rng(1)
    p = np.concatenate((rng.random(2_000), [0.0, 1.0, 0.3, np.nextafter(0.3, 0)]))
    rows, outcomes = Scores.of(p, 0.3), Scores.from_outcomes(tally("binary", p, p > 0.9, threshold=0.3))
    assert rows.s.tolist() == outcomes.s.tolist() and rows.counts.tolist() == outcomes.counts.tolist()
    assert rows.counts[rows.is_positive].sum() == (p >= 0.3).sum()
    column = profile({"p": p}, fit_layout({"p": p})).columns["p"]
    (counted,) = Scores.from_columns([column], 0.3)
    known = Calibration(np.array([0.0, 1.0]), np.array([0.05, 0.9]))
    mine, theirs = expected_metrics(rows, known), expected_metrics(counted, known)
    assert all(abs(mine[name] - theirs[name]) < 5e-3 for name in mine)  # type: ignore[operator]
    assert Scores.of(np.array([np.nan, 2.0])).n == 0


def test_expected_metrics_are_what_labels_say_on_average() -> None:
    rng = np.random.default_rng(2)
    p = rng.beta(2, 4, 3_000)
    share = 0.8 * p + 0.05
    expected = expected_metrics(Scores.of(p), Calibration(np.array([0.0, 1.0]), np.array([0.05, 0.85])))
    drawn = [metrics(tally("binary", p, rng.random(3_000) < share)) for _ in range(200)]
    for name, value in expected.items():
        values = np.array([one[name].value for one in drawn])  # type: ignore[union-attr]
        assert abs(values.mean() - value) < 4 * values.std() / np.sqrt(200) + 2e-3, name


def test_no_row_is_not_enough() -> None:
    known = Calibration(np.array([0.5]), np.array([0.5]))
    assert all(isinstance(value, NotEnoughData) for value in expected_metrics(Scores.of(np.empty(0)), known).values())
