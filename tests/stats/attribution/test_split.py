"""Attribution: both parts add up, the planted feature comes first, noise is nobody's fault."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.records import NotEnoughData
from gyroscope.stats.attribution import FeatureLosses, attribute, tally_losses
from gyroscope.stats.profiles import Layout, fit_layout


class World:
    """Three features; errors are commoner where x is high."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        days = [self.day(4_000) for _ in range(20)]
        self.layout: Layout = fit_layout({name: np.concatenate([day[name] for day in days]) for name in days[0]})
        self.reference = [self.tally(day, self.risk(day)) for day in days]

    def day(self, n: int) -> dict[str, np.ndarray]:
        names = np.array(["a", "b", "c", "d"], dtype=object)
        return {"x": self.rng.normal(0, 1, n), "z": self.rng.normal(0, 1, n), "name": self.rng.choice(names, n)}

    def risk(self, day: dict[str, np.ndarray]) -> np.ndarray:
        return np.clip(0.1 + 0.05 * day["x"], 0.01, 0.9)

    def tally(self, day: dict[str, np.ndarray], risk: np.ndarray) -> FeatureLosses:
        return tally_losses(day, (self.rng.random(risk.size) < risk).astype(float), self.layout)


@pytest.mark.parametrize("seed", range(3))
def test_the_two_parts_of_every_feature_are_the_gap(seed):
    world = World(seed)
    day = world.day(4_000)
    day["x"], day["name"] = day["x"] + 1.5, np.where(day["name"] == "a", "new", day["name"])
    found = attribute(world.reference, world.tally(day, world.risk(day)))
    for one in found.features:
        assert one.moved + one.worse == pytest.approx(found.gap, abs=1e-12)


def test_rows_that_moved_are_told_from_bins_that_became_worse():
    world = World(3)
    moved, worse = world.day(4_000), world.day(4_000)
    moved["x"] = moved["x"] + 0.8
    one = attribute(world.reference, world.tally(moved, world.risk(moved)))
    two = attribute(world.reference, world.tally(worse, world.risk(worse) + 0.15 * (worse["name"] == "b")))
    assert (one.features[0].column, one.verdict) == ("x", "moved")
    assert (two.features[0].column, two.verdict) == ("name", "worse in place")
    assert two.features[0].cells == (world.layout.columns["name"].categories.index("b"),)


def test_a_run_of_numeric_bins_is_named():
    world = World(4)
    day = world.day(4_000)
    hit = (day["z"] > 0.5) & (day["z"] < 1.3)
    found = attribute(world.reference, world.tally(day, world.risk(day) + 0.12 * hit)).features[0]
    edges = np.array(world.layout.columns["z"].edges)
    assert found.column == "z"
    assert abs(edges[found.cells[0] - 1] - 0.5) < 0.3
    assert abs(edges[found.cells[-1]] - 1.3) < 0.5


def test_rows_in_cells_that_nobody_knew_have_moved():
    world = World(5)
    day = world.day(4_000)
    hit = world.rng.random(4_000) < 0.2
    day["z"] = np.where(hit, np.nan, day["z"])
    found = attribute(world.reference, world.tally(day, world.risk(day) + 0.2 * hit))
    assert (found.features[0].column, found.verdict) == ("z", "moved")
    assert found.features[0].unseen == pytest.approx(hit.mean())


def test_a_normal_day_and_a_day_that_is_worse_as_a_whole_single_out_nothing():
    world = World(6)
    verdicts = []
    for extra in (0.0, 0.05):
        for _ in range(10):
            day = world.day(4_000)
            verdicts.append(attribute(world.reference, world.tally(day, world.risk(day) + extra)).verdict)
    assert verdicts.count("cannot tell") >= 15


def test_few_rows_and_no_reference_are_no_ground():
    world = World(7)
    day = world.day(100)
    small = world.tally(day, world.risk(day))
    assert isinstance(attribute(world.reference, small), NotEnoughData)
    assert isinstance(attribute([], small), NotEnoughData)


def test_losses_without_any_variance_single_out_nothing():
    world = World(8)
    same = [tally_losses(day, np.ones(500), world.layout) for day in (world.day(500), world.day(500))]
    assert attribute(same[:1], same[1]).verdict == "cannot tell"
