"""Streams: what a window says on its scale, its variance against a simulation, merging, floors, bad data."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.records import NotEnoughData
from gyroscope.stats.performance import (
    Outcomes,
    PerformanceStream,
    early_floor,
    metrics,
    performance_streams,
    tally,
    tally_ranking,
)
from gyroscope.stats.performance.scales import SCALES


def window(n: int, rng: np.random.Generator, task: str = "binary") -> Outcomes:
    if task == "binary":
        labels = (rng.random(n) < 0.3).astype(float)
        return tally("binary", 1 / (1 + np.exp(-rng.normal(2 * labels - 1.5, 1.2))), labels)
    if task == "multiclass":
        labels = rng.integers(0, 3, n)
        scores = rng.random((n, 3)) + 0.8 * np.eye(3)[labels]
        return tally("multiclass", scores / scores.sum(axis=1, keepdims=True), labels)
    if task == "ranking":
        scores = rng.normal(size=(n, 8))
        relevant = rng.random((n, 8)) < 1 / (1 + np.exp(1 - scores))
        return tally_ranking(scores.ravel(), relevant.ravel().astype(float), np.repeat(np.arange(n), 8), k=3)
    labels = rng.normal(size=n)
    return tally("regression", labels + rng.standard_t(6, n), labels)


CASES = [(task, metric) for task, scales in SCALES.items() for metric in scales]


@pytest.mark.parametrize(("task", "metric"), CASES)
def test_within_is_the_variance_that_independent_rows_have(task: str, metric: str) -> None:
    rng = np.random.default_rng(5)
    windows = [window(600, rng, task) for _ in range(500)]
    stream = performance_streams(windows, windows, [metric])[metric]
    ratio = stream.current.y.var(ddof=1) / stream.current.within.mean()
    assert 0.75 < ratio < 1.3  # 500 windows: three standard errors are 19 %


@pytest.mark.parametrize(("task", "metric"), CASES)
def test_back_in_its_unit_a_value_is_the_metric(task: str, metric: str) -> None:
    some = window(20_000, np.random.default_rng(6), task)
    stream = performance_streams([some], [some], [metric])[metric]
    known = metrics(some)[metric]
    assert not isinstance(known, NotEnoughData)
    # Half a row in 20,000 beside it; the root mean squared error lost its largest thousandth.
    assert stream.natural(stream.current.y)[0] == pytest.approx(known.value, rel=0.02 if metric == "rmse" else 1e-3)


def test_a_small_window_waits_for_the_next_and_an_immature_one_is_passed_over() -> None:
    rng = np.random.default_rng(7)
    few, some = window(20, rng), window(100, rng)
    stream = performance_streams([some], [few, NotEnoughData("coverage 40 %"), few, few, some])["accuracy"]
    assert stream.current.is_known.tolist() == [False, False, True, False, True]
    assert stream.current.rows[[2, 4]].tolist() == [40, 120]
    assert stream.current.within[2] == pytest.approx(1 / 40)


def test_one_wild_error_does_not_carry_a_window() -> None:
    rng = np.random.default_rng(8)
    calm = [window(500, rng, "regression") for _ in range(20)]
    wild = calm[0].merge(tally("regression", np.array([1e6]), np.array([0.0])))
    stream = performance_streams(calm, [calm[0], wild], ["rmse"])["rmse"]
    plain, moved = stream.natural(stream.current.y)
    assert plain < moved < 1.1 * plain
    assert metrics(wild)["rmse"].value > 1e4  # type: ignore[union-attr]


@pytest.mark.parametrize("metric", ["brier", "accuracy"])
def test_missing_labels_can_only_make_the_floor_worse(metric: str) -> None:
    rng = np.random.default_rng(9)
    for _ in range(100):
        labelled, rest = window(80, rng), window(60, rng)
        stream = performance_streams([labelled] * 3, [labelled.merge(rest)], [metric])[metric]
        floor = early_floor(stream, labelled, 140)
        assert isinstance(floor, tuple)
        assert stream.side * floor[0] <= stream.side * stream.current.y[0] + 1e-12
        assert floor[1] == pytest.approx(stream.current.within[0])


def test_what_has_no_floor_says_so() -> None:
    some = window(100, np.random.default_rng(1))
    streams = performance_streams([some], [])
    assert isinstance(early_floor(streams["auc"], some, 200), NotEnoughData)
    assert isinstance(early_floor(streams["brier"], some, 0), NotEnoughData)


@pytest.mark.parametrize(
    ("task", "outputs", "labels"),
    [
        ("binary", [], []),
        ("binary", [0.5], [1]),
        ("binary", [0.5] * 100, [1] * 100),
        ("binary", [0.0] * 50 + [1.0] * 50, [0] * 50 + [1] * 50),
        ("binary", [np.nan] * 100, [1] * 100),
        ("regression", [1.0] * 100, [1.0] * 100),
        ("regression", [1e308] * 100, [-1e308] * 100),
        ("regression", [], []),
    ],
)
def test_bad_data_gives_finite_values_or_none(task: str, outputs: list[float], labels: list[float]) -> None:
    some = tally(task, np.array(outputs), np.array(labels))  # type: ignore[arg-type]
    for stream in performance_streams([some] * 3, [some]).values():
        assert isinstance(stream, PerformanceStream)
        known = stream.current.is_known
        assert np.isfinite(stream.current.within[known]).all()
        assert np.isnan(stream.current.within[~known]).all()
    assert performance_streams([], [NotEnoughData("no labels")]) == {}
