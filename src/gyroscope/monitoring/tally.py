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
from gyroscope.monitoring.fold import STATUS_OK, Cell, Columns, Lens, among, cells_of, features, outputs_of
from gyroscope.monitoring.lists import ListRows, list_rows, no_list, tally_lists
from gyroscope.records import Task
from gyroscope.stats.attribution import FeatureLosses, tally_losses
from gyroscope.stats.attribution import cells_of as cells_in
from gyroscope.stats.performance import Arrivals, Outcomes, SegmentOutcomes, count_arrivals, tally
from gyroscope.stats.profiles import Layout

Packed = tuple[bytes, bytes, bytes, bytes]
"""Outcomes, arrivals, losses and segments as they lie in the file."""

LEAST_PROBABILITY = float(np.finfo(np.float64).eps)


class Tally(msgspec.Struct, frozen=True):
    """The labelled rows of one version in one cell: what became of them, when, and what they lost by feature."""

    outcomes: Outcomes
    arrivals: Arrivals
    losses: FeatureLosses
    segments: SegmentOutcomes = SegmentOutcomes()

    def merge(self, other: Tally) -> Tally:
        """The tally of the rows of both, exactly."""
        return Tally(
            self.outcomes.merge(other.outcomes),
            self.arrivals.merge(other.arrivals),
            self.losses.merge(other.losses),
            self.segments.merge(other.segments),
        )

    def packed(self) -> Packed:
        return (
            self.outcomes.to_bytes(),
            self.arrivals.to_bytes(),
            self.losses.to_bytes(),
            self.segments.to_bytes(),
        )

    def scaled(self, weight: int) -> Tally:
        """As if every row had been there `weight` times."""
        return Tally(
            self.outcomes.scaled(weight),
            self.arrivals.scaled(weight),
            self.losses.scaled(weight),
            self.segments.scaled(weight),
        )


def empty_tally(lens: Lens) -> Tally:
    """No label yet."""
    width = lens.signature.width
    return _count({}, np.empty((0, width) if width > 1 else 0), np.empty(0), np.empty(0), lens)


def tally_rows(parts: Iterable[Columns], day: str, lenses: Mapping[str, Lens], blocks: Blocks) -> dict[Cell, Tally]:
    """The tallies of the labelled rows of a day; `version` is the place in `lenses`."""
    whole: dict[Cell, Tally] = {}
    ranked: dict[Cell, list[ListRows]] = {}
    for rows in parts:
        for cell, places in cells_of(rows, day, list(lenses), blocks):
            lens = lenses[cell.version]
            found = _tally(rows, places, lens)
            whole[cell] = whole[cell].merge(found) if cell in whole else found
            if lens.signature.task == "ranking":
                good = among(places, _is_good(rows, places))
                ranked.setdefault(cell, []).append(list_rows(rows, good, lens.signature))
    lists = tally_lists(ranked)
    return {
        cell: msgspec.structs.replace(found, outcomes=lists[cell]) if cell in lists else found
        for cell, found in whole.items()
    }


def row_losses(task: Task, outputs: NDArray[np.float64], labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each row adds to the metric that pages by default: Brier, log loss or absolute error.

    NaN where the label is no class.

    >>> row_losses("binary", np.array([0.5, 0.2]), np.array([1.0, 7.0])).tolist()
    [0.25, nan]
    """
    with np.errstate(invalid="ignore", over="ignore"):
        if task == "regression":
            return np.asarray(np.abs(outputs - labels), np.float64)
        if task == "ranking":
            return np.full(len(labels), np.nan)  # what a list loses is no sum over its rows
        if task == "binary":
            is_class = (labels == 0) | (labels == 1)
            return np.where(is_class, (outputs - labels) ** 2, np.nan)
    is_class = np.isin(labels, np.arange(outputs.shape[1]))
    said = outputs[np.arange(len(labels)), np.where(is_class, labels, 0).astype(np.intp)]
    return np.where(is_class, -np.log(np.clip(said, LEAST_PROBABILITY, 1.0)), np.nan)


def _tally(rows: Columns, places: NDArray[np.intp] | slice, lens: Lens) -> Tally:
    weights = rows["weight"][places]
    good = _is_good(rows, places) & ~np.isnan(rows["label"][places])
    whole = empty_tally(lens)
    for weight in np.unique(weights[good]).tolist():
        chosen = among(places, good & (weights == weight))
        lags_s = (rows["said_at"][chosen] - rows["event_time"][chosen]) / SECOND_US
        columns, outputs = features(rows, chosen, lens.signature), outputs_of(rows, chosen, lens.signature)
        whole = whole.merge(_count(columns, outputs, rows["label"][chosen], lags_s, lens).scaled(weight))
    return whole


def _is_good(rows: Columns, places: NDArray[np.intp] | slice) -> NDArray[np.bool_]:
    good: NDArray[np.bool_] = (rows["status"][places] == STATUS_OK) & ~rows["id_conflict"][places]
    return good


def _count(
    columns: Columns, outputs: NDArray[Any], labels: NDArray[Any], lags_s: NDArray[np.float64], lens: Lens
) -> Tally:
    signature = lens.signature
    task, threshold = signature.task, signature.threshold
    names = set(signature.names)
    bins = {name: found for name, found in lens.layout.columns.items() if name in names}
    return Tally(
        no_list() if task == "ranking" else tally(task, outputs, labels, threshold=threshold, classes=signature.width),
        count_arrivals(task, outputs, labels, lags_s, threshold=threshold),
        tally_losses(columns, row_losses(task, outputs, labels), Layout(bins)),
        _by_segment(columns, outputs, labels, lens),
    )


def _by_segment(columns: Columns, outputs: NDArray[Any], labels: NDArray[Any], lens: Lens) -> SegmentOutcomes:
    """The outcomes of each bin of the reference, for the columns that part the rows into segments."""
    signature = lens.signature
    parts: dict[str, Outcomes] = {}
    missing = np.full(len(labels), np.nan)
    for name in () if signature.task == "ranking" else lens.segments:  # a list may lie in several segments
        bins = lens.layout.columns.get(name)
        if bins is None or name not in signature.names:
            continue
        cells = cells_in(columns.get(name, missing), bins)
        titles = (*bins.labels, "infinite", "missing")
        for cell in np.unique(cells).tolist():
            rows = cells == cell
            key = f"{name}={titles[cell]}"
            found = tally(
                signature.task, outputs[rows], labels[rows], threshold=signature.threshold, classes=signature.width
            )
            parts[key] = parts[key].merge(found) if key in parts else found  # a category may be called "other"
    return SegmentOutcomes(parts)
