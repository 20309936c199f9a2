"""G1: the gates of canary and shadow, without harm and with it.

Canary: 1,000 requests a minute, 5 % of them to the canary, 0.5 % errors; null days with and without bursts that both
arms share; faults that begin at any minute of the first four hours. Shadow: 60 daily differences of equal models.
"""

from __future__ import annotations

import numpy as np

from benchmarks.rows import Row
from benchmarks.statistics.doubt import share_at_least, share_at_most
from benchmarks.target import Options
from gyroscope.stats.comparison import Minutes, log_e_above, log_e_worse

A_DAY, REQUESTS, SHARE, ERRORS = 1440, 1000, 0.05, 0.005
WITHIN, EVIDENCE = 10, np.log(100)


def measure(options: Options) -> list[Row]:
    """2,000 null days and 400 faults of each size in full, 200 and 100 quickly."""
    rng = np.random.default_rng([options.seed, 71])
    days, faults = (200, 100) if options.is_quick else (2_000, 400)
    quick = {"is_quick": options.is_quick}
    null = [bool(log_e_worse(_null(rng, has_bursts=day % 2 == 1)).max() >= EVIDENCE) for day in range(days)]
    claim = "canary: null days rolled back, half of them with shared bursts"
    rows = [share_at_most(("G1", claim), sum(null), days, 0.01, **quick)]
    found = {rate: [_delay(rng, rate) for _ in range(faults)] for rate in (0.05, 0.2)}
    for rate, delays in found.items():
        print(f"G1: 0.5 -> {rate:.0%} errors, median {np.median(delays):.0f} minutes")
        hits = sum(delay <= WITHIN for delay in delays)
        claim = f"canary: 0.5 -> {rate:.0%} errors found within {WITHIN} minutes"
        rows.append(share_at_least(("G1", claim), hits, faults, 0.95, **quick))
    shadows = [bool(log_e_above(rng.normal(0, 0.02, 60)).max() >= np.log(20)) for _ in range(days)]
    claim = "shadow: equal models promoted within 60 days, looked at daily"
    return [*rows, share_at_most(("G1", claim), sum(shadows), days, 0.05, **quick)]


def _null(rng: np.random.Generator, *, has_bursts: bool) -> Minutes:
    rate = np.full(A_DAY, ERRORS)
    for start in rng.integers(0, A_DAY - 10, 5 if has_bursts else 0):
        rate[start : start + 10] = rng.uniform(0.02, 0.3)
    return _arms(rng, rate, rate)


def _delay(rng: np.random.Generator, rate: float) -> int:
    """Minutes from the first minute of a fault to its roll-back, both counted; 99 when it is not found in an hour."""
    start = int(rng.integers(0, 240))
    calm = np.full(start + 60, ERRORS)
    ill = np.where(np.arange(calm.size) < start, ERRORS, rate)
    late = np.flatnonzero(log_e_worse(_arms(rng, calm, ill)) >= EVIDENCE)
    late = late[late >= start]
    return int(late[0]) - start + 1 if late.size else 99


def _arms(rng: np.random.Generator, rate_a: np.ndarray, rate_b: np.ndarray) -> Minutes:
    b = rng.binomial(REQUESTS, SHARE, rate_a.size)
    return Minutes(REQUESTS - b, rng.binomial(REQUESTS - b, rate_a), b, rng.binomial(b, rate_b))
