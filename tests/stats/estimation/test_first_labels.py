"""First labels: what they say of a whole window, how sure that is, and from which chance on a harm is told."""

from __future__ import annotations

import numpy as np

from gyroscope.records import NotEnoughData
from gyroscope.stats.estimation import FirstLabels, fit_first_labels, least_chance


def fitted(rng, windows=60, noise=0.02):
    first = rng.normal(0, 0.05, windows)
    learned = fit_first_labels(first, 0.01 + 0.8 * first + rng.normal(0, noise, windows))
    assert isinstance(learned, FirstLabels)
    return learned, first


def test_what_cannot_be_learned_says_why_and_labels_that_never_differ_move_nothing():
    assert isinstance(fit_first_labels(np.full(20, np.nan), np.zeros(20)), NotEnoughData)
    assert isinstance(fit_first_labels(np.zeros(13), np.zeros(13)), NotEnoughData)
    same = fit_first_labels(np.zeros(20), np.ones(20))
    assert isinstance(same, FirstLabels) and same.correct(0.5, 0.3) == 1.5
    assert (same.chance(0.5, 0.3, 1.5), same.chance(0.5, 0.3, 1.6)) == (1.0, 0.0)
    assert np.isnan(same.chance(0.5, np.nan, 1.5))


def test_chances_come_true_in_new_windows():
    rng = np.random.default_rng(0)
    chances, harmful = [], []
    for _ in range(300):
        learned, _ = fitted(rng, windows=20)
        first = rng.normal(0, 0.05, 10)
        loss = 0.2 + 0.01 + 0.8 * first + rng.normal(0, 0.02, 10)
        chances += [learned.chance(0.2, float(one), 0.23) for one in first]
        harmful += (loss >= 0.23).tolist()
    told = np.array(chances)
    for low, high in ((0.0, 0.1), (0.1, 0.4), (0.4, 0.6), (0.6, 0.9), (0.9, 1.0)):
        some = (low <= told) & (told <= high)
        assert abs(told[some].mean() - np.mean(np.array(harmful)[some])) < 0.05, (low, high)


def test_windows_are_told_from_where_no_other_chance_has_a_larger_expected_f1():
    rng = np.random.default_rng(1)
    for _ in range(50):
        chances = rng.beta(0.5, 2, 60)
        f1 = {cut: 2 * chances[chances >= cut].sum() / ((chances >= cut).sum() + chances.sum()) for cut in chances}
        told = chances >= least_chance(chances)
        assert np.isclose(2 * chances[told].sum() / (told.sum() + chances.sum()), max(f1.values()))


def test_without_a_chance_of_harm_a_window_is_told_when_it_is_likelier_harmful_than_not():
    assert least_chance(np.zeros(20)) == 0.5
    assert least_chance(np.array([np.nan, 0.9, 0.2])) == least_chance(np.array([0.9, 0.2]))
    assert least_chance(np.array([])) == 0.5
