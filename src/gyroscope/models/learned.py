"""What a fitted scikit-learn estimator remembers of its columns: ranges of numbers, categories of texts.

Used to draw plausible rows when a user has none at hand. It reads public attributes only and guesses nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Learned = dict[str, "tuple[float, float] | list[Any]"]
SPREAD = 3.0
"""Standard deviations around a mean: 99.7 % of a normal column."""


def learned_columns(estimator: Any, names: list[str]) -> Learned:
    """For each column that is known: (low, high), or the list of its categories."""
    kind = type(estimator).__name__
    if kind == "Pipeline":
        return learned_columns(estimator.steps[0][1], names)
    if kind == "ColumnTransformer":
        learned: Learned = {}
        for _, step, chosen in estimator.transformers_:
            if not isinstance(step, str):
                learned |= learned_columns(step, _chosen(chosen, names))
        return learned
    if hasattr(estimator, "categories_"):
        return dict(zip(names, (list(known) for known in estimator.categories_), strict=False))
    return _ranges(estimator, names)


def _ranges(estimator: Any, names: list[str]) -> Learned:
    if hasattr(estimator, "data_min_"):
        return _pairs(names, estimator.data_min_, estimator.data_max_)
    centre = getattr(estimator, "mean_", getattr(estimator, "center_", None))
    if centre is not None and getattr(estimator, "scale_", None) is not None:
        reach = SPREAD * np.asarray(estimator.scale_)
        return _pairs(names, centre - reach, centre + reach)
    thresholds: dict[int, list[float]] = {}
    for feature, threshold in _splits(estimator):
        thresholds.setdefault(feature, []).append(threshold)
    return {names[at]: _around(found) for at, found in thresholds.items() if at < len(names)}


def _splits(estimator: Any) -> Iterator[tuple[int, float]]:
    """(column, threshold) of every split of a tree or of a forest of them."""
    for part in np.ravel(np.asarray(getattr(estimator, "estimators_", [estimator]), dtype=object)):
        tree = getattr(part, "tree_", None)
        if tree is not None:
            inner = tree.feature >= 0
            yield from zip(tree.feature[inner].tolist(), tree.threshold[inner].tolist(), strict=True)


def _around(thresholds: list[float]) -> tuple[float, float]:
    """A little beyond the outermost splits, so that every leaf can be reached."""
    low, high = min(thresholds), max(thresholds)
    margin = (high - low) * 0.1 or max(abs(low), 1.0)
    return low - margin, high + margin


def _pairs(names: list[str], lows: Any, highs: Any) -> Learned:
    return {name: (float(low), float(high)) for name, low, high in zip(names, lows, highs, strict=False)}


def _chosen(columns: Any, names: list[str]) -> list[str]:
    if isinstance(columns, slice):
        return names[columns]
    listed = [columns] if isinstance(columns, str) else list(columns)
    return [column if isinstance(column, str) else names[int(column)] for column in listed]
