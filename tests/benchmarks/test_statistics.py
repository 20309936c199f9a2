"""The quick mode of the cheap rows of `bench-statistics`: the budget is kept, and sabotage is seen."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from benchmarks.statistics.b01_broken import LATER, REFERENCE, World, normal_of, pages_of
from benchmarks.statistics.fine import FineNumbers, FineTexts, profiles
from benchmarks.statistics.months import Rate
from benchmarks.statistics.population import Cell, draw, effects
from benchmarks.statistics.silence import is_hit
from benchmarks.target import TARGETS, Options

from gyroscope.clock import DAY_US, HOUR_US, EventTime
from gyroscope.records import Cause
from gyroscope.stats.profiles import fit_layout, profile


@pytest.mark.parametrize("row", ["N1", "N2", "N3"])
def test_the_row_holds_in_quick_mode(row, tmp_path):
    rows = importlib.import_module(TARGETS["bench-statistics"][row]).measure(Options(True, 0, tmp_path, (row,)))
    assert [made.claim for made in rows if not made.holds] == []


def test_a_broken_column_that_feeds_forty_features_is_one_incident_that_names_it():
    world = World(np.random.default_rng([0, 17]))
    normal = normal_of(world.days(REFERENCE))
    assert [page.root.subjects for page in pages_of(normal, world.days(LATER, "missing"))] == [("source",)]


@pytest.mark.parametrize(
    ("kind", "about", "late_h", "hits"),
    [
        ("quality", "requests", 0, True),
        ("quality", "requests", 2, True),
        ("quality", "requests", -1, False),
        ("quality", "requests", 3, False),
        ("quality", "labels", 1, False),
        ("seasonal", "requests", 1, False),
    ],
)
def test_a_fault_is_told_of_by_what_it_broke_once_it_began_and_soon(kind, about, late_h, hits):
    began = EventTime(21 * DAY_US)
    at = EventTime(began + late_h * HOUR_US)
    cause = Cause(model="m", version="v", kind=kind, subjects=(about,), since=at, seen=at, reason="it came no more")
    assert is_hit([cause], "stopped", began) is hits


def test_profiles_of_counts_are_those_of_the_rows():
    rng = np.random.default_rng(0)
    values = np.sort(rng.normal(size=30))
    numbers = FineNumbers(values, rng.multinomial(200, np.full(30, 1 / 30), 5), np.full(5, 3))
    texts = FineTexts(rng.multinomial(203, np.full(150, 1 / 150), 5), np.zeros(5, np.int64))
    rows = [
        {
            "x": np.append(np.repeat(values, numbers.counts[t]), np.full(3, np.nan)),
            "c": np.repeat(np.array([f"c{k}" for k in range(150)], dtype=object), texts.counts[t]),
        }
        for t in range(5)
    ]
    layout = fit_layout({name: np.concatenate([day[name] for day in rows[:4]]) for name in ("x", "c")})
    before, after = profiles({"x": numbers, "c": texts}, 4)
    for made, day in zip([*before, *after], rows, strict=True):
        real = profile(day, layout)
        assert made.columns["x"].bins == real.columns["x"].bins
        assert made.columns["x"].counts.tolist() == real.columns["x"].counts.tolist()
        assert (made.columns["x"].least, made.columns["x"].missing) == (real.columns["x"].least, 3)
        assert made.columns["c"].counts[-2:].sum() == pytest.approx(real.columns["c"].counts[-2:].sum(), abs=30)


def test_window_effects_have_the_correlation_that_is_asked_for():
    rng = np.random.default_rng(1)
    x = effects(rng, Cell(100, 300, memory=0.3, later=0), (200,))
    assert np.mean(x[1:] * x[:-1]) == pytest.approx(0.3, abs=0.02)
    assert x.var() == pytest.approx(1, abs=0.02)
    share = draw(rng, Cell(1_000, 400, icc=0.05, later=0), 1, ())["normal0"].counts[:, :30].sum(axis=1) / 1_000
    p = share.mean()
    # A shift of a normal law moves a share near the middle by nearly its whole intraclass correlation.
    assert share.var() / (p * (1 - p)) == pytest.approx(0.05 * 2 / np.pi / (p * (1 - p) * 4) + 1e-3, rel=0.5)


def test_a_rate_without_events_is_not_known_to_be_nought():
    assert Rate.of([0] * 20).upper_95 > 0.05
    assert Rate.of([0] * 20).lower_99 == 0
