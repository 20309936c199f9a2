"""Labelled rows to tallies, one per cell: what became of them, and when their labels came.

The reader calls this for each day whose rows or labels have changed; a restated day is tallied anew from all of its
rows. Pure; it never decides which label counts, that is the store of labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.clock import SECOND_US
from gyroscope.models.blocks import Blocks
from gyroscope.monitoring.fold import STATUS_OK, Cell, Columns, Lens, among, cells_of, outputs_of
from gyroscope.records import Signature
from gyroscope.stats.performance import Arrivals, Outcomes, count_arrivals, tally


class Tally(msgspec.Struct, frozen=True):
    """The labelled rows of one version in one cell."""

    outcomes: Outcomes
    arrivals: Arrivals

    def merge(self, other: Tally) -> Tally:
        """The tally of the rows of both, exactly."""
        return Tally(self.outcomes.merge(other.outcomes), self.arrivals.merge(other.arrivals))


def empty_tally(signature: Signature) -> Tally:
    """No label yet."""
    return _count(np.empty((0, signature.width)), np.empty(0), np.empty(0), signature)


def tally_rows(parts: Iterable[Columns], day: str, lenses: Mapping[str, Lens], blocks: Blocks) -> dict[Cell, Tally]:
    """The tallies of the labelled rows of a day; `version` is the place in `lenses`."""
    whole: dict[Cell, Tally] = {}
    for rows in parts:
        for cell, places in cells_of(rows, day, list(lenses), blocks):
            found = _tally(rows, places, lenses[cell.version].signature)
            whole[cell] = whole[cell].merge(found) if cell in whole else found
    return whole


def _tally(rows: Columns, places: NDArray[np.intp] | slice, signature: Signature) -> Tally:
    weights = rows["weight"][places]
    good = (rows["status"][places] == STATUS_OK) & ~rows["id_conflict"][places]
    whole = empty_tally(signature)
    for weight in np.unique(weights[good]).tolist():
        chosen = among(places, good & (weights == weight))
        lags_s = (rows["said_at"][chosen] - rows["event_time"][chosen]) / SECOND_US
        some = _count(outputs_of(rows, chosen, signature), rows["label"][chosen], lags_s, signature)
        whole = whole.merge(Tally(some.outcomes.scaled(weight), some.arrivals.scaled(weight)))
    return whole


def _count(outputs: NDArray[Any], labels: NDArray[Any], lags_s: NDArray[np.float64], signature: Signature) -> Tally:
    task, threshold = signature.task, signature.threshold
    return Tally(
        tally(task, outputs, labels, threshold=threshold, classes=signature.width),
        count_arrivals(task, outputs, labels, lags_s, threshold=threshold),
    )
