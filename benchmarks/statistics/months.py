"""A month of a cell through the product: streams, baselines, replay; and how often it alarmed, with limits.

The rows N1 to N4 call this. The limits are those of a mean of counts: normal with the counts' own variance, which is
taken as Poisson's where they vary less.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np

from benchmarks.statistics.fine import profiles
from benchmarks.statistics.population import Cell, draw
from gyroscope.stats.evidence import Baselines, Course, Family, fit_baselines, replay
from gyroscope.stats.streams import fit_columns

UPPER_95, LIMIT_99 = 1.645, 2.326  # one-sided


@dataclass(frozen=True)
class Rate:
    """False alarms of `months` months: the mean with its standard error."""

    mean: float
    error: float
    months: int

    @staticmethod
    def of(counts: Iterable[float]) -> Rate:
        seen = np.array(list(counts), float)
        mean = float(seen.mean())
        # Three events that did not happen are not impossible: the variance is never below one alarm in all months.
        variance = max(float(seen.var()), mean, 1 / len(seen))
        return Rate(mean, float(np.sqrt(variance / len(seen))), len(seen))

    @property
    def upper_95(self) -> float:
        return self.mean + UPPER_95 * self.error

    @property
    def lower_99(self) -> float:
        return max(self.mean - LIMIT_99 * self.error, 0.0)


def month(seed: tuple[int, ...], cell: Cell, fit: Callable[..., Baselines] = fit_baselines) -> Course:
    """One month of a cell, from a seed of its own."""
    rng = np.random.default_rng(seed)
    before, after = profiles(draw(rng, cell), cell.reference)
    scale = fit_columns(before)
    return replay(Family("input", fit(scale.reference)), scale.streams(after), np.ones(cell.later))


def count_alarms(job: tuple[tuple[int, ...], Cell]) -> int:
    """False alarms of one month; a job of `spread`."""
    return len(month(*job).alarms)


def spread(work: Callable, jobs: list) -> list:
    """The work of all jobs, in order, on as many processes as there are cores (`taskset -c 0`: in this one alone)."""
    workers = len(os.sched_getaffinity(0))
    if workers == 1:
        return list(map(work, jobs))
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:  # a fork of a process with threads may die
        return list(pool.map(work, jobs, chunksize=max(1, len(jobs) // (8 * workers))))
