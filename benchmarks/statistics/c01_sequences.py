"""C1: how often the confidence sequence of a month or two misses at any look, and how wide it is.

Windows of 1,000 rows with an error rate of 10 % and own Beta effects; reference and months are drawn afresh each time.
Beside it, as sabotage, the same sequence over rows; and the bounds of windows whose labels come late by class.
"""

from __future__ import annotations

import numpy as np

from benchmarks.rows import Row, at_most
from benchmarks.statistics.doubt import share_at_least
from benchmarks.statistics.simulation import clustered_shares
from benchmarks.target import Options
from gyroscope.records import NotEnoughData
from gyroscope.stats.evidence import fit_baselines, stream
from gyroscope.stats.intervals import Z_95
from gyroscope.stats.performance import loss_bounds
from gyroscope.stats.sequences import mean_sequence

ROWS, WINDOWS, RATE = 1_000, 60, 0.10
CORRELATIONS, REFERENCES = (0.0, 0.005, 0.05), (60, 14)
ROW_ICC = 0.005
NOMINAL = 0.94

Rng = np.random.Generator


def measure(options: Options) -> list[Row]:
    """2,000 months in each cell; 200 in a quick run."""
    n, rng = 200 if options.is_quick else 2_000, np.random.default_rng((3, options.seed))
    rows, widest = [], 0.0
    for icc in CORRELATIONS:
        for days in REFERENCES:
            missed, by_rows, ratio = _cell(icc, days, n, rng)
            widest = max(widest, ratio)
            claim = f"joint coverage over {WINDOWS} windows, ICC {icc}, {days} reference windows"
            rows.append(share_at_least(("C1", claim), n - missed, n, NOMINAL, is_quick=options.is_quick))
            if icc == ROW_ICC and days == REFERENCES[0]:
                claim = f"control: a sequence over rows misses at ICC {icc}"
                rows.append(share_at_least(("C1", claim), by_rows, n, 0.5, is_quick=options.is_quick))
    rows.append(at_most("C1", "widest against an interval for one look, windows 10 to 60", widest, 2.0, "ratio", n))
    outside = sum(_is_outside(rng) for _ in range(n))
    rows.append(at_most("C1", "windows whose full-label loss leaves the bounds at some age", outside, 0, "windows", n))
    return rows


def _cell(icc: float, days: int, n: int, rng: Rng) -> tuple[int, int, float]:
    """Months missed by the sequence, by that of rows, and the greatest width against one look."""
    missed = by_rows = 0
    widest = 0.0
    one_look = Z_95 / np.sqrt(np.arange(1, WINDOWS + 1))
    for _ in range(n):
        reference, later = _errors(days, icc, rng), _errors(WINDOWS, icc, rng)
        s2 = float((reference * (1 - reference)).sum() / (days - 1 / ROWS * days))
        within = np.full(days, s2 / ROWS)
        tau2 = float(fit_baselines(stream("errors", reference, within)).tau2[0])
        v = s2 / ROWS + tau2
        known = mean_sequence(later, np.full(WINDOWS, v), v, learned_from=days)
        missed += bool(np.any((known.low > RATE) | (known.high < RATE)))
        widest = max(widest, float(((known.high - known.mean)[9:] / (one_look * np.sqrt(v))[9:]).max()))
        rowwise = mean_sequence(later, np.full(WINDOWS, s2 / ROWS), s2 / ROWS)
        by_rows += bool(np.any((rowwise.low > RATE) | (rowwise.high < RATE)))
    return missed, by_rows, widest


def _errors(windows: int, icc: float, rng: Rng) -> np.ndarray:
    return rng.binomial(ROWS, clustered_shares(np.full(windows, RATE), icc, rng)) / ROWS


def _is_outside(rng: Rng) -> bool:
    """Losses whose labels come later the worse they are, some never: whether any age's bounds leave out the whole."""
    loss = rng.beta(0.3, 2.0, ROWS)
    lag = rng.exponential(1 + 10 * loss)
    lag[rng.random(ROWS) < 0.3 * loss] = np.inf
    for age in (0.1, 0.5, 1.0, 3.0, 10.0, 100.0):
        there = lag <= age
        bounds = loss_bounds(float(loss[there].sum()), float(there.sum()), ROWS)
        assert not isinstance(bounds, NotEnoughData)
        if not bounds[0] - 1e-9 <= loss.mean() <= bounds[1] + 1e-9:
            return True
    return False
