"""N1: the budget is kept over a grid of settings in which nothing changes.

50 columns, 30 windows of a day, budget 1: rows a window 20, 100, 1,000, 5,000 and mixed; 20 and 60 reference windows;
intraclass correlation 0, 0.005, 0.05; memory of window effects 0 and 0.3. Full: 60 cells x 200 months.
"""

from __future__ import annotations

from itertools import product

from benchmarks.rows import Row, at_most
from benchmarks.statistics.months import Rate, count_alarms, spread
from benchmarks.statistics.population import Cell
from benchmarks.target import Options

GRID = [Cell(*setting) for setting in product((20, 100, 1_000, 5_000, 0), (20, 60), (0.0, 0.005, 0.05), (0.0, 0.3))]
QUICK = [
    Cell(20, 20),
    Cell(100, 60, 0.005),
    Cell(1_000, 20, 0.05),
    Cell(0, 60, 0.05),
    Cell(100, 20, 0.05, 0.3),
    Cell(1_000, 60, 0.005, 0.3),
]
MONTHS, QUICK_MONTHS = 200, 20


def measure(options: Options) -> list[Row]:
    """Rows of N1."""
    cells, months = (QUICK, QUICK_MONTHS) if options.is_quick else (GRID, MONTHS)
    jobs = [((options.seed, place, m), cell) for place, cell in enumerate(cells) for m in range(months)]
    counts = spread(count_alarms, jobs)
    by_cell = {cell: counts[place * months : (place + 1) * months] for place, cell in enumerate(cells)}
    rates = {cell: Rate.of(seen) for cell, seen in by_cell.items()}
    for cell, rate in rates.items():
        print(f"N1 {cell}: {rate.mean:.3f} +- {rate.error:.3f}")
    rows = [
        _pooled("no memory", 1.0, [seen for cell, seen in by_cell.items() if not cell.memory], options.is_quick),
        _pooled("memory 0.3", 1.5, [seen for cell, seen in by_cell.items() if cell.memory], options.is_quick),
    ]
    worst = max(rates, key=lambda cell: rates[cell].lower_99)
    said = f"false alarms per 30 days, worst of {len(cells)} cells ({worst}), lower 99 % limit"
    return [*rows, at_most("N1", said, rates[worst].lower_99, 1.0, "per 30 days", months)]


def _pooled(which: str, bound: float, counts: list[list[int]], is_quick: bool) -> Row:
    rate = Rate.of(count for seen in counts for count in seen)
    value, limit = (rate.lower_99, "lower 99 %") if is_quick else (rate.upper_95, "upper 95 %")
    said = f"false alarms per 30 days, {which}, pooled: {rate.mean:.3f} +- {rate.error:.3f}, {limit} limit"
    return at_most("N1", said, value, bound, "per 30 days", rate.months)
