"""Variance between windows against a simulation whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.records import NotEnoughData
from gyroscope.stats.drift import Variance, intraclass


@pytest.mark.parametrize("tau2", [0.0, 0.01, 0.25])
def test_the_variance_between_windows_is_found(tau2: float) -> None:
    rng = np.random.default_rng(5)
    sizes = rng.integers(100, 1_000, 2_000)
    values = 3 + rng.normal(0, np.sqrt(tau2), sizes.size) + rng.normal(0, np.sqrt(1 / sizes))
    found = intraclass(values, sizes, 1.0)
    assert isinstance(found, Variance)
    assert found.tau2 == pytest.approx(tau2, rel=0.1, abs=3e-4)
    assert found.icc == pytest.approx(found.tau2 / (found.tau2 + 1))
    assert found.mean == pytest.approx(3, abs=0.04)


def test_the_formula_by_hand() -> None:
    # w = 10, 30; m = 1.5; Q = 10 * 2.25 + 30 * 0.25 = 30; tau2 = (30 - 1) / (40 - 1000 / 40) = 29 / 15
    found = intraclass(np.array([0.0, 2.0]), np.array([10, 30]), 1.0)
    assert isinstance(found, Variance)
    assert found.tau2 == pytest.approx(29 / 15)
    weights = 1 / (1 / np.array([10, 30]) + 29 / 15)
    assert found.mean == pytest.approx(2 * weights[1] / weights.sum())


@pytest.mark.parametrize(
    ("values", "sizes", "s2", "reason"),
    [
        ([], [], 1.0, "0 windows"),
        ([1.0], [5], 1.0, "1 windows"),
        ([1.0, np.nan, np.inf, 2.0], [5, 5, 5, 0], 1.0, "1 windows"),
        ([1.0, 2.0], [5, 5], 0.0, "above 0"),
        ([1.0, 2.0], [5, 5], np.nan, "above 0"),
    ],
)
def test_too_little_is_not_known(values: list[float], sizes: list[int], s2: float, reason: str) -> None:
    found = intraclass(np.array(values), np.array(sizes), s2)
    assert isinstance(found, NotEnoughData)
    assert reason in found.reason


def test_equal_windows_have_no_variance_between_them() -> None:
    assert intraclass(np.full(5, 0.3), np.full(5, 100), 0.21) == Variance(mean=pytest.approx(0.3), tau2=0.0, icc=0.0)


def test_huge_windows_are_not_known_rather_than_wrong() -> None:
    assert isinstance(intraclass(np.array([1e308, -1e308, 1e308]), np.full(3, 5), 1.0), NotEnoughData)
