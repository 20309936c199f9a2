"""S1: spikes of three hours in Poisson and negative binomial traffic and in the real flights out of New York.

One spike per four weeks, 4 or 5 standard deviations of the hour a bin; everything that pages elsewhere is false. The
series have hours, weekends and levels of 5 to 500 an hour.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from benchmarks.rows import Row
from benchmarks.statistics.doubt import rate_at_most, share_at_least
from benchmarks.target import Options
from gyroscope.demo.flights import ZONE, load_flights
from gyroscope.stats.seasonal import counts, hours_of_week, seasonal

WEEK, WEEKS, FIRST = 168, 52, 8
SPIKE, AFTERGLOW = 3, 6
PHI = {"Poisson": 1.0, "negative binomial": 3.0, "flights": 1.0}

# With the days of travel around them; everything else that pages on flights counts as false.
HOLIDAYS = (
    ("01-01", "01-02"), ("01-19", "01-21"), ("02-16", "02-18"), ("03-29", "04-01"), ("05-25", "05-27"),
    ("07-03", "07-07"), ("08-31", "09-02"), ("10-12", "10-14"), ("11-27", "12-01"), ("12-21", "12-31"),
)  # fmt: skip


def measure(options: Options) -> list[Row]:
    """Three kinds of series, two sizes of spikes, 60 spikes each (600 in full)."""
    flights = _flights()
    rows = []
    for kind in PHI:
        runs = (6 if options.is_quick else 60, np.random.default_rng([options.seed, len(kind)]))
        five, four = _spikes(kind, 5.0, runs, flights), _spikes(kind, 4.0, runs, flights)
        quick = {"is_quick": options.is_quick}
        rows += [
            rate_at_most(("S1", f"{kind}: false pages"), five[0], five[1], 1.0, **quick),
            share_at_least(("S1", f"{kind}: spikes of 5 sd found within 2 hours"), five[2][1], five[3], 0.9, **quick),
            share_at_least(("S1", f"{kind}: spikes of 4 sd found within 3 hours"), four[2][2], four[3], 0.9, **quick),
        ]
    return rows


def _spikes(
    kind: str, size: float, runs: tuple[int, np.random.Generator], flights: tuple[np.ndarray, ...]
) -> tuple[int, float, list[int], int]:
    """(false pages, months, spikes found within 1, 2, 3 hours, spikes)."""
    false, months, found, total = 0, 0.0, [0, 0, 0], 0
    for _ in range(runs[0]):
        y, slots, mean, skipped = flights if kind == "flights" else _traffic(kind, runs[1])
        y = y.copy()
        starts = _place(runs[1], mean, skipped)
        for start in starts:
            bins = slice(start, start + SPIKE)
            y[bins] += np.round(size * np.sqrt(PHI[kind] * mean[bins]))
        walked = seasonal(counts(y, slots), excluded=skipped)
        pages = np.array([page.at for page in walked.pages])
        delays = [pages[(pages >= start) & (pages < start + AFTERGLOW)] - start for start in starts]
        firsts = [int(late[0]) for late in delays if late.size]
        found = [more + sum(first <= hours for first in firsts) for hours, more in enumerate(found)]
        false += len(pages) - sum(late.size for late in delays)
        months += float((walked.grades > 0).sum()) / 720
        total += len(starts)
    return false, months, found, total


def _place(rng: np.random.Generator, mean: np.ndarray, skipped: np.ndarray) -> list[int]:
    """One start in every four weeks, where there is traffic and no holiday."""
    good = (mean >= 1) & ~skipped
    good &= np.roll(good, -1) & np.roll(good, -2)
    blocks = range(FIRST * WEEK, WEEKS * WEEK - 4 * WEEK + 1, 4 * WEEK)
    return [int(rng.choice(np.flatnonzero(good[at : at + 4 * WEEK - WEEK // 2]))) + at for at in blocks]


def _traffic(kind: str, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    slots = hours_of_week(0, WEEKS * WEEK)
    level = float(np.exp(rng.uniform(np.log(5), np.log(500))))
    mean = level * np.exp(0.8 * np.sin((slots % 24 - 9) / 12 * np.pi)) * np.where(slots >= 120, 0.6, 1.0)
    phi = PHI[kind]
    y = rng.poisson(mean) if phi == 1 else rng.negative_binomial(mean / (phi - 1), 1 / phi)
    return y.astype(float), slots, mean, np.zeros(y.size, bool)


def _flights() -> tuple[np.ndarray, ...]:
    """Scheduled departures an hour by the local clock; the mean of an hour is that of its slot, without holidays."""
    hours = load_flights().departs // 3_600_000_000
    first = int(hours.min())
    y = np.bincount(hours - first).astype(float)[: WEEKS * WEEK]
    zone = ZoneInfo(ZONE)
    local = [datetime.fromtimestamp((first + at) * 3600, UTC).astimezone(zone) for at in range(y.size)]
    slots = np.array([at.weekday() * 24 + at.hour for at in local])
    skipped = np.array([any(a <= f"{at:%m-%d}" <= b for a, b in HOLIDAYS) for at in local])
    usual = np.array([np.median(y[(slots == slot) & ~skipped]) for slot in range(WEEK)])
    return y, slots, usual[slots], skipped
