"""Scored rows and their labels to outcomes, one tally per cell.

The loop calls this for each day whose rows or labels have changed; a restated day is tallied anew from all of its rows.
Pure; it never decides which label counts, that is the store of labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from gyroscope.monitoring.fold import Cell, Lens, Scored
from gyroscope.records import Signature
from gyroscope.stats.performance import Outcomes, tally

Values = Mapping[tuple[str, int], float]
"""Label by request id and row: 0 or 1, index of the class, or the value."""


def tally_day(
    files: Iterable[Mapping[Cell, Scored]], values: Values, lenses: Mapping[str, Lens]
) -> dict[Cell, Outcomes]:
    """The outcomes of each cell of a day, over the files of that day."""
    parts: dict[Cell, list[Scored]] = {}
    for file in files:
        for cell, scored in file.items():
            parts.setdefault(cell, []).append(scored)
    return {cell: _tally(of_cell, values, lenses[cell.version].signature) for cell, of_cell in parts.items()}


def labels_of(scored: Scored, values: Values) -> NDArray[np.float64]:
    """For each scored row its label, NaN where there is none yet."""
    return np.array([values.get(key, np.nan) for key in scored.keys], np.float64)


def _tally(parts: list[Scored], values: Values, signature: Signature) -> Outcomes:
    labels = np.concatenate([labels_of(part, values) for part in parts])
    outputs = np.concatenate([part.outputs for part in parts])
    known = ~np.isnan(labels)
    return tally(signature.task, outputs[known], labels[known], threshold=signature.threshold, classes=signature.width)
