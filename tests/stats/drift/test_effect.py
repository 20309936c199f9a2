"""Drift effects: coverage of the interval, silence without drift, and odd data."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gyroscope.errors import GyroscopeError
from gyroscope.records import NotEnoughData
from gyroscope.stats.drift import DriftEffect, EffectSize, drift, drifts, effective_rows, effects
from gyroscope.stats.drift.columns import LEAST_ROWS, LEAST_SHARE
from gyroscope.stats.profiles import CategoryBins, ColumnCounts, NumericBins, fit_layout, profile


def column(counts: np.ndarray) -> ColumnCounts:
    names = tuple(f"c{i}" for i in range(counts.size))
    return ColumnCounts(CategoryBins(names), np.append(counts, [0, 0]), 0)


def measured(reference: ColumnCounts, current: ColumnCounts, icc: float = 0.0) -> DriftEffect:
    effect = drift(reference, current, icc)
    assert isinstance(effect, DriftEffect)
    return effect


def true_effect(p: np.ndarray, q: np.ndarray, rows: int) -> float:
    return float(np.sqrt(((p - q) ** 2 / np.maximum(p, max(LEAST_SHARE, LEAST_ROWS / rows))).sum()))


@pytest.mark.parametrize("cells", [2, 20, 100])
@pytest.mark.parametrize("current_rows", [50, 900])
@pytest.mark.parametrize("tilt", [0.0, 0.2, 0.6])
def test_the_interval_covers_the_true_effect(cells: int, current_rows: int, tilt: float) -> None:
    rng = np.random.default_rng(42)
    p = 1 / np.arange(1.0, cells + 1)
    q = p * np.exp(tilt * np.linspace(-1, 1, cells))
    p, q = p / p.sum(), q / q.sum()
    truth = true_effect(p, q, 5_000)
    covered = loud = 0
    for _ in range(150):
        effect = measured(column(rng.multinomial(5_000, p)), column(rng.multinomial(current_rows, q)))
        covered += effect.low <= truth <= effect.high
        loud += effect.low > 0
    assert covered >= 0.90 * 150
    if tilt == 0:
        assert loud <= 0.08 * 150  # nothing has changed: `low` says so
    if tilt == 0.6 and current_rows == 900:
        assert loud >= 0.95 * 150


def test_clustered_rows_are_silent_only_when_the_icc_is_told() -> None:
    rng = np.random.default_rng(1)
    p, icc, n = np.full(5, 0.2), 0.05, 900
    reference = column(sum(rng.multinomial(n, rng.dirichlet(p * (1 / icc - 1))) for _ in range(60)))
    windows = [column(rng.multinomial(n, rng.dirichlet(p * (1 / icc - 1)))) for _ in range(150)]
    told = sum(drift(reference, window, icc, reference_windows=60).low > 0 for window in windows)  # type: ignore[union-attr]
    untold = sum(drift(reference, window).low > 0 for window in windows)  # type: ignore[union-attr]
    assert told <= 0.1 * 150 < 0.9 * 150 <= untold


def test_a_reference_of_few_windows_is_known_less_well() -> None:
    reference, current = column(np.array([30_000, 24_000])), column(np.array([450, 450]))
    one, many = drift(reference, current, 0.01), drift(reference, current, 0.01, reference_windows=60)
    assert isinstance(one, DriftEffect) and isinstance(many, DriftEffect)
    assert one.high - one.low > 1.2 * (many.high - many.low)


def test_the_effect_is_unbiased_where_the_plain_one_is_not() -> None:
    rng = np.random.default_rng(3)
    p = np.full(20, 0.05)
    effects = [measured(column(rng.multinomial(5_000, p)), column(rng.multinomial(200, p))).effect for _ in range(200)]
    assert np.median(effects) == 0.0
    plain = [measured(column(rng.multinomial(5_000, p)), column(rng.multinomial(200, p))).psi for _ in range(50)]
    null = measured(column(rng.multinomial(5_000, p)), column(rng.multinomial(200, p))).psi_null
    assert np.mean(plain) == pytest.approx(null, rel=0.15)


def test_a_new_value_and_a_changed_constant_are_seen_and_finite() -> None:
    day = {"x": np.full(500, 3.0), "s": np.full(500, "a", dtype=object)}
    layout = fit_layout(day)
    other = profile({"x": np.full(500, 4.0), "s": np.full(500, "b", dtype=object)}, layout)
    for name, reference in profile(day, layout).columns.items():
        effect = measured(reference, other.columns[name])
        assert effect.low > 1 and math.isfinite(effect.high)
        assert effect.tv == pytest.approx(1.0, abs=0.01)
        assert effect.js == pytest.approx(1.0)


def test_missing_values_are_part_of_the_distribution() -> None:
    full, holes = np.arange(1_000.0), np.where(np.arange(1_000) % 4 == 0, np.nan, np.arange(1_000.0))
    layout = fit_layout({"x": full})
    effect = measured(profile({"x": full}, layout).columns["x"], profile({"x": holes}, layout).columns["x"])
    assert effect.low > 0.3
    assert effect.ks is not None and effect.ks < 0.01  # among the values that are there, nothing moved


@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_rows_are_not_enough_data(rows: int) -> None:
    layout = fit_layout({"x": np.arange(50.0)})
    reference = profile({"x": np.arange(50.0)}, layout).columns["x"]
    little = profile({"x": np.arange(float(rows))}, layout).columns["x"]
    for answer in (drift(reference, little), drift(little, reference), drift(reference, reference, 1.0)):
        assert isinstance(answer, NotEnoughData)
        assert "each needs 2" in answer.reason


@pytest.mark.parametrize(
    "values", [np.full(9, np.nan), np.full(9, np.inf), np.full(9, 1e308), np.full(9, -1e308), np.array([0.0, np.nan])]
)
def test_odd_windows_give_finite_numbers(values: np.ndarray) -> None:
    for first in (np.arange(50.0), np.full(50, np.nan), np.full(50, 1e308)):
        layout = fit_layout({"x": first})
        effect = measured(profile({"x": first}, layout).columns["x"], profile({"x": values}, layout).columns["x"])
        numbers = [effect.effect, effect.low, effect.high, effect.tv, effect.psi, effect.js, effect.hellinger]
        assert all(map(math.isfinite, numbers))
        assert effect.low <= effect.effect <= effect.high
        assert effect.ks is None or 0 <= effect.ks <= 1


def test_columns_on_other_bins_and_a_wrong_icc_are_refused() -> None:
    x, y = ColumnCounts.empty(NumericBins((0.0, 1.0))), ColumnCounts.empty(NumericBins((0.0, 2.0)))
    with pytest.raises(GyroscopeError, match="different bins"):
        drift(x, y)
    for icc in (-0.1, 1.1, math.nan):
        with pytest.raises(GyroscopeError, match="no intraclass correlation"):
            drift(x, x, icc)


def test_effective_rows_are_those_of_the_design() -> None:
    assert effective_rows(0, 0.5) == 0.0
    assert effective_rows(900, 0.1) == pytest.approx(900 / (1 + 899 * 0.1))


def test_columns_side_by_side_are_what_each_is_alone() -> None:
    rng = np.random.default_rng(5)
    day = {
        "x": rng.normal(size=900),
        "s": rng.choice(["a", "b", "c"], 900).astype(object),
        "nothing": np.full(900, np.nan),
    }
    layout = fit_layout(day)
    before = profile(day, layout).columns
    now = profile({"x": rng.normal(0.3, 1, 200), "s": day["s"][:200]}, layout).columns
    icc = {"x": 0.02, "s": 0.9}
    together = effects(before, icc, 30).of(now, support=0.5)
    for name, column in now.items():
        alone = drift(before[name], column, icc.get(name, 0.0), reference_windows=30, support=0.5)
        if isinstance(alone, NotEnoughData):
            assert together[name] == alone
        else:
            assert together[name] == (alone.effect, alone.low, alone.high)
    assert {type(found) for found in together.values()} == {EffectSize, NotEnoughData}
    assert drifts(before, now, icc, reference_windows=30)["x"] == drift(
        before["x"], now["x"], 0.02, reference_windows=30
    )


def test_nothing_has_not_moved() -> None:
    assert effects({}, {}).of({}) == {}


def test_windows_together_are_what_each_is_alone() -> None:
    rng = np.random.default_rng(3)
    names = np.array(["a", "b", "c", None], dtype=object)

    def window(rows: int, shift: float) -> dict[str, np.ndarray]:
        x = np.where(rng.random(rows) < 0.1, np.nan, rng.normal(shift, 1, rows))
        return {"x": x, "kind": names[rng.integers(0, 4, rows)], "gone": np.full(rows, np.nan)}

    layout = fit_layout(window(500, 0.0))
    against = effects(profile(window(5_000, 0.0), layout).columns, {"x": 0.01}, 20)
    rows = [1, 2, 30, 400, 1_000]
    parts = [profile(window(n, 0.2 * place), layout).columns for place, n in enumerate(rows)]
    supports = [1.0, 1.0, 0.5, 1.0, 0.25]
    alone = [against.of(part, support=support) for part, support in zip(parts, supports, strict=True)]
    assert against.of_each(parts, supports=supports) == alone
    assert isinstance(alone[0]["x"], NotEnoughData)
    assert alone[4]["x"].effect > alone[2]["kind"].effect
    assert against.of_each([], supports=[]) == []
