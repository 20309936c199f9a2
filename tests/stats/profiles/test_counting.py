"""Counting many values without sorting them gives what sorting gives, on any values and any bins."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.stats.profiles import Layout, NumericBins, Profile, profile

RNG = np.random.default_rng(3)
ROWS = 5_000

VALUES = {
    "normal": RNG.normal(0, 1, ROWS),
    "of one sign": -np.abs(RNG.normal(3, 1, ROWS)),
    "of any size": np.exp(RNG.normal(0, 50, ROWS)) * RNG.choice([-1, 1], ROWS),
    "half zero": np.where(RNG.random(ROWS) < 0.5, RNG.choice([0.0, -0.0], ROWS), RNG.normal(0, 1, ROWS)),
    "zero": np.zeros(ROWS),
    "whole": RNG.integers(-5, 5, ROWS).astype(np.float64),
    "at the ends": RNG.choice([1e308, -1e308, 5e-324, -5e-324, 0.0, np.finfo(np.float64).max], ROWS),
    "with holes": np.where(RNG.random(ROWS) < 0.3, RNG.choice([np.nan, np.inf, -np.inf], ROWS), RNG.normal(0, 1, ROWS)),
}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("bins", ["twenty", "beyond", "zero", "one", "none"])
def test_many_rows_are_counted_as_their_parts_are(kind: str, bins: str) -> None:
    values = VALUES[kind]
    finite = values[np.isfinite(values)]
    edges = {
        "twenty": np.sort(np.quantile(finite, np.linspace(0, 1, 21), method="lower")).tolist(),
        "beyond": [-1.7e308, -1.0, 0.0, 1.0, np.finfo(np.float64).max],
        "zero": [-0.0, 5e-324],
        "one": [finite[0], finite[0]],
        "none": [],
    }[bins]
    layout = Layout({"x": NumericBins(tuple(edges))})
    parts = [profile({"x": part}, layout) for part in np.array_split(values, 10)]  # few rows each: these are sorted
    assert profile({"x": values}, layout) == Profile.merge_all(parts)
