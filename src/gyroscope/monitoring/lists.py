"""Ranked lists of a day: the rows of each list brought together from all parts of the log, then tallied by cell.

`tally_rows` calls it for versions of task "ranking". A list counts when all of its rows have a label and lie in one
cell. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.monitoring.fold import Cell, Columns, features, outputs_of
from gyroscope.records import Signature
from gyroscope.stats.performance import Outcomes, tally_ranking


class ListRows(msgspec.Struct, frozen=True, eq=False):
    """Some rows of a cell: which list each belongs to, its score, relevance (NaN: unlabelled) and weight, (n,) each."""

    lists: NDArray[Any]
    scores: NDArray[np.float64]
    relevance: NDArray[np.float64]
    weights: NDArray[Any]


def no_list() -> Outcomes:
    """The outcomes of a cell without lists."""
    return tally_ranking(np.empty(0), np.empty(0), np.empty(0))


def list_rows(rows: Columns, places: Any, signature: Signature) -> ListRows:
    """The answered rows at some places of a part of the log."""
    group = features(rows, places, signature).get(signature.group) if signature.group else rows["request_id"][places]
    scores = outputs_of(rows, places, signature)
    lists = np.full(len(scores), "") if group is None else np.asarray(group).astype(str)
    return ListRows(lists, scores, rows["label"][places], rows["weight"][places])


def tally_lists(cells: Mapping[Cell, Sequence[ListRows]]) -> dict[Cell, Outcomes]:
    """The outcomes of the lists of each cell; those that are not whole are `unusable`."""
    whole = {cell: _joined(parts) for cell, parts in cells.items()}
    seen: dict[tuple[str, str], Cell] = {}
    torn: set[tuple[str, str]] = set()
    for cell, rows in whole.items():
        names = [(cell.version, name) for name in np.unique(rows.lists).tolist()]
        torn.update(name for name in names if seen.setdefault(name, cell) != cell)
    return {cell: _tallied(cell, rows, torn) for cell, rows in whole.items()}


def _joined(parts: Sequence[ListRows]) -> ListRows:
    fields = zip(*(msgspec.structs.astuple(part) for part in parts), strict=True)
    return ListRows(*(np.concatenate(field) for field in fields))


def _tallied(cell: Cell, rows: ListRows, torn: set[tuple[str, str]]) -> Outcomes:
    is_torn = np.array([(cell.version, name) in torn for name in rows.lists.tolist()], bool)
    relevance = np.where(is_torn, np.nan, rows.relevance)
    found = [
        tally_ranking(rows.scores[of], relevance[of], rows.lists[of]).scaled(weight)
        for weight in np.unique(rows.weights).tolist()
        for of in (rows.weights == weight,)
    ]
    return reduce(Outcomes.merge, found)
