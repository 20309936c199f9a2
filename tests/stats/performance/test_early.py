"""First labels, by simulation: bounds that always hold, a warning that is rarely wrong and sees labels that mislead."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.records import NotEnoughData
from gyroscope.stats.performance import Arrivals, EarlyLabels, count_arrivals, early_labels, is_mature, loss_bounds

HOUR = 3_600.0
DAYS_BEFORE, ROWS, THRESHOLD = 20, 3_000, 0.5
AGES = np.linspace(0, 6 * HOUR, 16)  # six hours of traffic, looked at when they end


class World:
    """Rows of a stretch: scores, labels that follow them, and lags; `lag_hours` are the means by label 0 and 1."""

    def __init__(self, seed: int, n: int, lag_hours: tuple[float, float]) -> None:
        rng = np.random.default_rng(seed)
        self.scores = rng.beta(1.5, 4, n)
        self.labels = (rng.random(n) < self.scores).astype(float)
        self.lags = rng.exponential(np.where(self.labels == 1, lag_hours[1], lag_hours[0]) * HOUR)
        self.ages = rng.uniform(AGES[0], AGES[-1], n)

    @property
    def is_there(self) -> np.ndarray:
        return self.lags <= self.ages

    def arrivals(self, chosen: np.ndarray) -> Arrivals:
        return count_arrivals("binary", self.scores[chosen], self.labels[chosen], self.lags[chosen])

    def loss(self, chosen: np.ndarray) -> np.ndarray:
        return ((self.scores[chosen] >= THRESHOLD) != (self.labels[chosen] == 1)).astype(float)


def looked_at(seed: int, lag_hours: tuple[float, float]) -> tuple[World, EarlyLabels]:
    past = World(seed, DAYS_BEFORE * ROWS, lag_hours)
    now = World(seed + 100_000, ROWS, lag_hours)
    found = early_labels(now.arrivals(now.is_there), past.arrivals(np.ones(len(past.labels), bool)), AGES)
    assert isinstance(found, EarlyLabels)
    return now, found


def test_bounds_without_assumptions_hold_in_every_window() -> None:
    """Whatever decides which labels come first, their class included."""
    everyone = np.ones(ROWS, bool)
    for seed in range(400):
        rng = np.random.default_rng(seed)
        world = World(seed, ROWS, (float(rng.uniform(0.1, 50)), float(rng.uniform(0.1, 50))))
        known = world.loss(world.is_there)
        bounds = loss_bounds(known.sum(), len(known), ROWS)
        assert not isinstance(bounds, NotEnoughData)
        assert bounds[0] <= world.loss(everyone).mean() <= bounds[1]


def test_the_warning_is_false_in_at_most_one_window_in_twenty() -> None:
    """Labels late for no reason of their own."""
    seeds = 200
    false = sum(not looked_at(seed, (4.0, 4.0))[1].is_representative for seed in range(seeds))
    assert false / seeds <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / seeds)


def test_the_warning_fires_where_one_class_is_labelled_later_and_the_weighted_share_is_nearer() -> None:
    warned, plain, weighted = 0, [], []
    for seed in range(100):
        now, found = looked_at(seed, (2.0, 10.0))
        whole = now.loss(np.ones(ROWS, bool)).mean()
        warned += not found.is_representative
        plain.append(abs(found.plain.value - whole))
        weighted.append(abs(found.weighted.value - whole))
    assert warned >= 95
    assert np.mean(weighted) < np.mean(plain) / 3


def test_rows_whose_label_never_comes_so_early_are_seen_in_earlier_windows() -> None:
    """No weight brings back a group of which no label is there."""
    past, now = World(0, 60_000, (1.0, 1.0)), World(1, ROWS, (1.0, 1.0))
    for world in (past, now):
        world.scores[:] = 0.2
        world.lags += 100 * HOUR * world.labels
    found = early_labels(now.arrivals(now.is_there), past.arrivals(np.ones(60_000, bool)), AGES)
    assert isinstance(found, EarlyLabels)
    assert found.difference == 0 and found.before > 0.2
    assert not found.is_representative


def test_no_label_stands_for_more_than_five_rows() -> None:
    """Of a class that nearly never comes in time, the few that do weigh five times as much and no more."""
    past, now = World(0, 60_000, (0.1, 5_000.0)), World(1, 60_000, (0.1, 5_000.0))
    for world in (past, now):
        world.scores[:] = 0.2  # wrong is then whoever is labelled 1
    found = early_labels(now.arrivals(now.is_there), past.arrivals(np.ones(60_000, bool)), AGES)
    assert isinstance(found, EarlyLabels)
    wrong = now.loss(now.is_there).mean()
    assert 4 * wrong < found.weighted.value <= 5 * wrong / (1 + 4 * wrong) + 1e-9


def test_too_few_labels_and_no_past_are_said() -> None:
    few = World(0, 20, (1.0, 1.0))
    past = World(1, 5_000, (1.0, 1.0))
    every = np.ones(5_000, bool)
    assert isinstance(early_labels(few.arrivals(few.is_there), past.arrivals(every), AGES), NotEnoughData)
    assert isinstance(early_labels(past.arrivals(every), Arrivals.empty(), AGES), NotEnoughData)
    assert isinstance(early_labels(past.arrivals(every), past.arrivals(every), AGES, support=0.001), NotEnoughData)


def test_a_mature_window_is_covered_or_old_and_never_less_than_half_labelled() -> None:
    assert [is_mature(share, 0.0, HOUR) for share in (0.94, 0.95)] == [False, True]
    assert [is_mature(0.6, age, HOUR) for age in (HOUR - 1, HOUR)] == [False, True]
    assert not is_mature(0.49, 1e9, HOUR)
    assert not is_mature(0.9, 1e9, NotEnoughData("no label"))


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_arrivals_add_up_and_come_back_from_bytes(task: str) -> None:
    rng = np.random.default_rng(0)
    outputs = rng.dirichlet((1, 1, 1), 500) if task == "multiclass" else rng.random(500)
    labels, lags = rng.integers(0, 2, 500).astype(float), rng.exponential(HOUR, 500)
    whole = count_arrivals(task, outputs, labels, lags)  # type: ignore[arg-type]
    parts = [count_arrivals(task, outputs[k::2], labels[k::2], lags[k::2]) for k in range(2)]  # type: ignore[arg-type]
    assert parts[0].merge(parts[1]).to_bytes() == whole.to_bytes() == parts[1].merge(parts[0]).to_bytes()
    assert Arrivals.from_bytes(whole.to_bytes()).cells == whole.cells
    assert whole.merge(whole).merge(whole).cells == whole.scaled(3).cells
    assert whole.n == 500
    for q in (0.1, 0.5, 0.95):
        assert whole.lag_quantile(q) == pytest.approx(np.quantile(lags, q, method="inverted_cdf"), rel=0.01)


def test_labels_of_a_group_that_came_in_time_are_an_average_over_the_ages() -> None:
    some = count_arrivals("regression", np.zeros(4), np.zeros(4), np.array([10.0, 20.0, 30.0, 40.0]))
    assert some.by_group(some.groups).tolist() == [4.0]
    assert some.by_group(some.groups, np.array([5.0, 25.0])).tolist() == [1.0]
    assert some.by_group(some.groups, np.array([100.0])).tolist() == [4.0]
