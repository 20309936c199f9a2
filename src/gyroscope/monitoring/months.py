"""What became of a version by calendar month: scored predictions, how many have a label, and what these say.

The monitor asks for its readers; reports print them. It reads the cache and measures nothing anew.
"""

from __future__ import annotations

from functools import reduce

import msgspec

from gyroscope.clock import EventTime, moment_of
from gyroscope.monitoring.cache import Cache
from gyroscope.monitoring.fold import Cell
from gyroscope.records import NotEnoughData, Window
from gyroscope.stats.performance import Estimate, Outcomes, metrics


class Month(msgspec.Struct, frozen=True):
    """One calendar month of one version: scored predictions, how many have a label, and the metrics of those."""

    month: str
    predictions: int
    labelled: int
    metrics: dict[str, Estimate | NotEnoughData]


def months(cache: Cache, model: str, version: str, zone: str) -> list[Month]:
    """Every calendar month of a time zone that has predictions of a version, oldest first."""
    by_month: dict[str, list[tuple[Cell, int]]] = {}
    for cell, scored in cache.scored_by_cell(model, version).items():
        name = moment_of(cell.start, zone).strftime("%Y-%m")
        by_month.setdefault(name, []).append((cell, scored))
    return [_month(cache, model, name, cells) for name, cells in by_month.items()]


def _month(cache: Cache, model: str, name: str, cells: list[tuple[Cell, int]]) -> Month:
    first, last = cells[0][0], cells[-1][0]
    found = cache.tallies(model, first.version, Window(first.start, EventTime(last.start + 1)))
    outcomes = reduce(Outcomes.merge, found) if found else None
    known = {} if outcomes is None else metrics(outcomes)
    labelled = 0 if outcomes is None else outcomes.n
    return Month(name, sum(scored for _, scored in cells), labelled, known)
