"""Days of hours to the series that are followed: requests, errors and latency of a model, what each version said.

`Seasons` asks for all days before today, and for today's alone. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.monitoring.hours import ALWAYS, columns_of
from gyroscope.monitoring.judging.hour_days import Day
from gyroscope.records import Signature
from gyroscope.stats.seasonal import Series, counts, means, shares

MOST_CLASSES = 8
"""Of a multiclass model the most frequent are followed: each costs a part of the budget."""

REQUESTS, ERRORS, LATENCY = "requests", "error share", "latency"
OF_CLASS = "share of "
MEAN_OUTPUT, POSITIVE_SHARE = "mean output", "positive share"
OF_VERSION = (MEAN_OUTPUT, POSITIVE_SHARE, OF_CLASS)
"""How the names of series of a version begin; the others are of the model."""
WORSE_UPWARDS = (ERRORS, LATENCY)
"""Fewer errors than usual, and faster answers, are no cause."""

Floats = NDArray[np.float64]


class Key(msgspec.Struct, frozen=True, order=True):
    """A series: what it counts, and of which version; of the model as a whole where that is empty."""

    name: str
    version: str = ""

    def natural(self, y: float) -> float:
        """A value of the series in the unit that people know: a count, a share, seconds, the output's own.

        >>> Key("error share").natural(np.pi), Key("latency").natural(-2.0)
        (1.0, 0.01)
        """
        if self.name == LATENCY:
            return float(10.0 ** min(y, 300.0))
        is_share = self.name.endswith("share") or self.name.startswith(OF_CLASS)
        return float(np.sin(np.clip(y, 0.0, np.pi) / 2) ** 2) if is_share else float(y)


def series_of(days: Sequence[Day], signatures: Mapping[str, Signature]) -> dict[Key, Series]:
    """Every series over all hours of some days, oldest first; an hour that lacks something is NaN there."""
    slots = np.array([slot for day in days for slot in day.slots], np.int64)
    whole = np.zeros((slots.size, len(ALWAYS)))
    for version in {version for day in days for version in day.counts}:
        whole += _stacked(days, version, len(ALWAYS))
    found = {
        Key(REQUESTS): counts(whole[:, 0], slots),
        Key(ERRORS): shares(*_effective(whole, 1, 0, 2), slots),
        Key(LATENCY): _mean(whole, (3, 4, 5), whole[:, 0] / np.maximum(whole[:, 2], 1e-300), slots),
    }
    for version, signature in signatures.items():
        if any(version in day.counts for day in days):
            table = _stacked(days, version, len(columns_of(signature)))
            found |= {Key(name, version): one for name, one in _said(table, signature, slots).items()}
    return found


def followed(series: Mapping[Key, Series]) -> list[Key]:
    """Which of all series are judged: of the classes of a version the most frequent only."""
    chosen: dict[str, list[Key]] = {}
    for key, one in series.items():
        if key.name.startswith(OF_CLASS) and np.isfinite(one.y).any():
            chosen.setdefault(key.version, []).append(key)
    for version, keys in chosen.items():
        chosen[version] = sorted(keys, key=lambda key: -float(np.nanmean(series[key].y)))[:MOST_CLASSES]
    return [key for key in series if not key.name.startswith(OF_CLASS) or key in chosen.get(key.version, ())]


def _said(table: Floats, signature: Signature, slots: NDArray[np.int64]) -> dict[str, Series]:
    if signature.task == "multiclass":
        first = len(ALWAYS)
        return {
            f"{OF_CLASS}{name}": shares(*_effective(table, first + k, 6, 7), slots)
            for k, name in enumerate(signature.classes)
        }
    support = table[:, 6] / np.maximum(table[:, 7], 1e-300)
    output = _mean(table, (6, len(ALWAYS) + 1, len(ALWAYS) + 2), support, slots)
    if signature.task == "regression":
        return {MEAN_OUTPUT: output}
    return {MEAN_OUTPUT: output, POSITIVE_SHARE: shares(*_effective(table, len(ALWAYS), 6, 7), slots)}


def _stacked(days: Sequence[Day], version: str, width: int) -> Floats:
    """The first columns of a version over all hours, zero where it has no row."""
    nothing = [np.zeros((len(day.starts), width)) for day in days]
    parts = [
        day.table(version)[:, :width] if version in day.counts else none
        for day, none in zip(days, nothing, strict=True)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, width))


def _effective(table: Floats, hits: int, rows: int, squares: int) -> tuple[Floats, Floats]:
    """Hits and rows by the columns they stand in; where the log keeps one row in k, as few as stand behind them."""
    support = table[:, rows] / np.maximum(table[:, squares], 1e-300)
    return table[:, hits] * support, table[:, rows] * support


def _mean(table: Floats, columns: tuple[int, int, int], support: Floats, slots: NDArray[np.int64]) -> Series:
    """A mean from the columns of its rows, their sum and the sum of their squares."""
    rows, total, squares = (table[:, column] for column in columns)
    known = np.maximum(rows, 1.0)
    mean = total / known
    n = rows * support
    variance = np.maximum(squares / known - mean * mean, 0.0) * known / np.maximum(known - 1, 1.0)
    return means(mean, variance, n, slots)
