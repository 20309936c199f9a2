"""Signs that a reference was made from rows the model was trained on.

`gyro models add` prints these complaints and asks; the demo checks itself with them. It refuses nothing:
a promise that the rows were held out is the user's to give.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

EQUAL_WITHIN = 1e-9
"""Relative. Scores of another model on the same rows differ by far more; the same model differs by rounding at most."""

SAME_SHARE = 0.99
OVERLAP_SHARE = 0.05
"""Of the rows that do not repeat anyway: the same flight on another Monday is a repetition and no leak."""


def looks_in_sample(
    columns: Mapping[str, NDArray[Any]],
    outputs: NDArray[np.float64],
    event_times: NDArray[np.int64] | None,
    *,
    own_outputs: NDArray[np.float64] | None = None,
    training: Mapping[str, NDArray[Any]] | None = None,
    is_promised: bool = False,
) -> list[str]:
    """Complaints in plain words; an empty list when nothing looks wrong.

    `own_outputs` is what this very version says on these rows: predictions made by folds differ from it. Equal ones are
    fine when the rows came after training, which `is_promised` says. `training` holds the rows it was trained on.

    >>> looks_in_sample({"x": np.zeros(2)}, np.ones(2), np.arange(2), own_outputs=np.ones(2), is_promised=True)
    []
    """
    complaints = []
    if event_times is None:
        complaints.append(
            "The reference has no event times, so it cannot be cut into windows: how much a normal day differs from "
            "another is unknown, and every interval will be too narrow. Name the column that holds the time."
        )
    if own_outputs is not None and not is_promised:
        same = _same_share(outputs, own_outputs)
        if same >= SAME_SHARE:
            complaints.append(
                f"{same:.0%} of the reference scores are exactly what this version says on these rows. If it was "
                "trained on them, the reference is better than the model really is and production will look like harm. "
                "Give predictions of held-out days, or promise that these rows came after training (--held-out)."
            )
    if training is not None:
        seen, usual = overlap(columns, training), repetition(columns, training)
        if seen - usual > OVERLAP_SHARE * (1 - usual):
            complaints.append(
                f"{seen:.1%} of the reference rows are also training rows, where {usual:.1%} would repeat by chance: "
                "leave them out."
            )
    return complaints


def overlap(rows: Mapping[str, NDArray[Any]], training: Mapping[str, NDArray[Any]]) -> float:
    """Share of rows whose values in all shared columns occur together in the training rows; 0 without shared columns.

    >>> overlap({"a": np.array([1.0, 2.0])}, {"a": np.array([2.0, 3.0])})
    0.5
    """
    shared = sorted(set(rows) & set(training))
    if not shared or not len(rows[shared[0]]):
        return 0.0
    return float(np.isin(_row_hashes(rows, shared), _row_hashes(training, shared)).mean())


def repetition(rows: Mapping[str, NDArray[Any]], training: Mapping[str, NDArray[Any]]) -> float:
    """Share of training rows that are there more than once: so many rows of other days repeat without any leak.

    >>> repetition({"a": np.array([7.0])}, {"a": np.array([2.0, 2.0, 3.0, 4.0])})
    0.5
    """
    shared = sorted(set(rows) & set(training))
    if not shared or not len(training[shared[0]]):
        return 0.0
    _, inverse, counts = np.unique(_row_hashes(training, shared), return_inverse=True, return_counts=True)
    return float((counts[inverse] > 1).mean())


def _same_share(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    left, right = np.asarray(left, np.float64), np.asarray(right, np.float64)
    if left.shape != right.shape or not left.size:
        return 0.0
    return float(np.isclose(left, right, rtol=EQUAL_WITHIN, atol=EQUAL_WITHIN).mean())


def _row_hashes(columns: Mapping[str, NDArray[Any]], names: list[str]) -> NDArray[np.int64]:
    """One number per row, comparable within this process: numbers by value, so that 1, 1.0 and True agree."""
    lists = [_plain(columns[name]) for name in names]
    return np.array([hash(row) for row in zip(*lists, strict=True)], np.int64)


def _plain(column: NDArray[Any]) -> list[Any]:
    """Python values, with None for missing: NaN is unequal to itself and would hide a row that is there twice."""
    return [None if value is None or value != value else value for value in np.ma.asarray(column).tolist()]
