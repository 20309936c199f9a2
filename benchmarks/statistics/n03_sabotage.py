"""N3: what the harness shows when a step is taken out. Each control must break the budget three times over.

The last one is the other way round: a test that ignores that the reference is a sample *seems* to keep the budget when
production is resampled from its reference, and breaks it when both are drawn afresh. No row here resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from unittest.mock import patch

import numpy as np

from benchmarks.rows import Row, at_least, at_most
from benchmarks.statistics.fine import profiles
from benchmarks.statistics.months import Rate, spread
from benchmarks.statistics.population import Cell, draw, effects
from benchmarks.target import Options
from gyroscope.stats.evidence import Family, Streams, baselines, fit_baselines, replay
from gyroscope.stats.streams import fit_columns

MONTHS, QUICK_MONTHS = 100, 30
STREAMS, WINDOWS = 50, 30
LEAST = 3.0


def measure(options: Options) -> list[Row]:
    """Rows of N3."""
    months = QUICK_MONTHS if options.is_quick else MONTHS
    rows = []
    for place, (said, work) in enumerate(CONTROLS.items()):
        counts = spread(work, [(options.seed, 3, place, m) for m in range(months)])
        rate = Rate.of(counts)
        what = f"control: {said}: false alarms per 30 days +- {rate.error:.2f}"
        judge = at_most if work is resampled_reference else at_least
        bound = 1.0 if work is resampled_reference else LEAST
        rows.append(judge("N3", what, rate.mean, bound, "per 30 days", months))
    return rows


def in_sample(seed: tuple[int, ...]) -> int:
    """Reference windows are compared with a reference that holds them."""
    cell = Cell(rows=50, reference=20)
    before, after = profiles(draw(np.random.default_rng(seed), cell, numbers=0, kinds=(100,) * 50), cell.reference)
    scale = fit_columns(before)
    return _alarms(scale.streams(before), scale.streams(after))


def no_variance_between(seed: tuple[int, ...]) -> int:
    """Windows vary by their rows alone, while traffic grows tenfold."""
    rng = np.random.default_rng(seed)
    sizes = np.r_[np.full(60, 200), np.full(WINDOWS, 2_000)]
    day = rng.normal(0, np.sqrt(0.005), (STREAMS, sizes.size))
    y = day + rng.normal(size=day.shape) / np.sqrt(sizes)
    with patch.object(baselines, "variance_between", lambda y, within: np.zeros(len(y))):
        return _alarms(*_split(y, np.broadcast_to(1 / sizes, y.shape), 60))


def no_memory(seed: tuple[int, ...]) -> int:
    """The step that takes off what the window before foretells is left out; the effects remember 0.6 of it."""
    cell = Cell(rows=1_000, reference=60, icc=0.05, memory=0.6)
    rng = np.random.default_rng(seed)
    y = effects(rng, cell, (STREAMS,)).T * np.sqrt(0.05) + rng.normal(size=(STREAMS, cell.windows)) / np.sqrt(1_000)
    with patch.object(baselines, "_memory", lambda standardised: np.zeros(len(standardised))):
        return _alarms(*_split(y, np.full(y.shape, 1e-3), cell.reference))


def independent_errors(seed: tuple[int, ...]) -> int:
    """The error of the reference is taken as new in each window; the reference is as long as a window."""
    y, mean = _fresh(np.random.default_rng(seed), 1)
    return _naive_alarms((y - mean) / np.sqrt(2.0))


def fresh_reference(seed: tuple[int, ...]) -> int:
    """A test that ignores the error of the reference; both are drawn afresh."""
    y, mean = _fresh(np.random.default_rng(seed), 5)
    return _naive_alarms(y - mean)


def resampled_reference(seed: tuple[int, ...]) -> int:
    """The same test, on production that is resampled from the reference."""
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=(STREAMS, 1)) / np.sqrt(5)
    return _naive_alarms(mean + rng.normal(size=(STREAMS, WINDOWS)) - mean)


CONTROLS: dict[str, Callable[[tuple[int, ...]], int]] = {
    "reference windows compared with themselves": in_sample,
    "no variance between windows": no_variance_between,
    "no memory of the window before": no_memory,
    "reference error independent in each window": independent_errors,
    "a test that ignores the reference's error, both drawn afresh": fresh_reference,
    "the same, production resampled from the reference, seems to keep the budget": resampled_reference,
}


def _split(y: np.ndarray, within: np.ndarray, reference: int) -> tuple[Streams, Streams]:
    names = tuple(f"s{row}" for row in range(len(y)))
    shape = np.zeros(len(y), np.int64), np.ones(len(y)), np.zeros(len(y))
    return (
        Streams(names, y[:, :reference], within[:, :reference], *shape),
        Streams(names, y[:, reference:], within[:, reference:], *shape),
    )


def _alarms(before: Streams, after: Streams) -> int:
    return len(replay(Family("input", fit_baselines(before)), after, np.ones(after.windows)).alarms)


def _fresh(rng: np.random.Generator, times: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows of variance 1, and the mean of a reference so many times as long as a window."""
    return rng.normal(size=(STREAMS, WINDOWS)), rng.normal(size=(STREAMS, 1)) / np.sqrt(times)


def _naive_alarms(z: np.ndarray) -> int:
    """The same detector on scores that are taken for independent standard normals: mixture e-values with mean 0."""
    total = np.pad(np.cumsum(z, axis=1), ((0, 0), (1, 0)))
    begin, alarms = 0, 0
    for window in range(WINDOWS):
        starts = np.arange(begin, window + 1)
        k, sums = window + 1 - starts, total[:, [window + 1]] - total[:, starts]
        e = np.mean([np.exp(g * sums**2 / (2 * (1 + g * k))) / np.sqrt(1 + g * k) for g in (0.25, 1.0, 4.0)], axis=0)
        if e.mean(axis=0).sum() / WINDOWS >= 1:
            begin, alarms = window + 1, alarms + 1
    return alarms
