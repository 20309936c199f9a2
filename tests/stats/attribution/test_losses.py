"""Losses by bin: cells as in profiles, sums exact in any order, bytes that come back."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.errors import GyroscopeError, StoreError
from gyroscope.stats.attribution import FeatureLosses, cells_of, tally_losses
from gyroscope.stats.profiles import fit_layout, profile


def rows(seed: int, n: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, n)
    x[rng.random(n) < 0.1] = np.nan
    x[:3] = (np.inf, -np.inf, 1e308)
    names = rng.choice(["a", "b", "c", None], n).astype(object)
    return {"x": x, "name": names, "flag": (rng.random(n) < 0.5).astype(float)}, rng.gamma(1, 1, n)


def test_cells_are_those_of_the_profile():
    reference, _ = rows(0, 2_000)
    layout = fit_layout(reference)
    later, losses = rows(1, 500)
    later["name"][:5] = "unknown"
    counted, tallied = profile(later, layout), tally_losses(later, losses, layout)
    for name, column in counted.columns.items():
        assert tallied.columns[name].counts.tolist() == column.cells.tolist()
        where = cells_of(later[name], layout.columns[name])
        sums = np.bincount(where, losses, len(column.cells))
        assert np.allclose(tallied.columns[name].sums, sums, atol=1e-6)


def test_merging_is_exact_in_any_order():
    columns, losses = rows(2, 70_000)
    losses[:4] = (1e300, -1e300, np.nan, 1e9)
    layout = fit_layout(columns)
    whole = tally_losses(columns, losses, layout)
    cuts = [slice(at, at + 7_000) for at in range(0, 70_000, 7_000)]
    parts = [tally_losses({name: one[cut] for name, one in columns.items()}, losses[cut], layout) for cut in cuts]
    for order in (parts, parts[::-1]):
        merged = order[0]
        for part in order[1:]:
            merged = merged.merge(part)
        assert merged == whole


def test_bytes_come_back_and_damage_is_refused():
    columns, losses = rows(3, 100)
    tallied = tally_losses(columns, losses, fit_layout(columns))
    packed = tallied.to_bytes()
    assert FeatureLosses.from_bytes(packed) == tallied
    for damaged in (b"", packed[:-3], packed.replace(b"gyroscope.losses", b"gyroscope.lossez")):
        with pytest.raises(StoreError, match="no losses of form 1"):
            FeatureLosses.from_bytes(damaged)


def test_other_bins_and_other_lengths_are_refused():
    columns, losses = rows(4, 100)
    tallied = tally_losses(columns, losses, fit_layout(columns))
    other = tally_losses({"x": losses}, losses, fit_layout({"x": losses}))
    with pytest.raises(GyroscopeError, match="same bins"):
        tallied.merge(other)
    with pytest.raises(GyroscopeError, match="shape"):
        tally_losses(columns, losses[:-1], fit_layout(columns))


def test_no_rows_and_absent_columns_are_defined():
    columns, losses = rows(5, 100)
    layout = fit_layout(columns)
    empty = tally_losses({}, np.zeros(0), layout)
    assert (empty.n, empty.mean, empty.variance) == (0, 0.0, 0.0)
    assert tally_losses({}, losses, layout).columns["x"].counts[-1] == 100
