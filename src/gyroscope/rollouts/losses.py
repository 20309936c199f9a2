"""Labelled losses of champion and challenger by windows of event time: pairs in the shadow, two arms as a canary.

The loop asks now and then; the table and the labels are read as they are, so a correction changes the next look.
Only complete windows with enough labels count. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.clock import DAY_US, EventTime
from gyroscope.errors import StoreError
from gyroscope.models.blocks import Blocks, block_ends, block_starts
from gyroscope.predictions.reading.selection import Selection
from gyroscope.records import Signature
from gyroscope.rollouts.decide import Windows

COVERED, HALF = 0.95, 0.5
"""Labels a window needs at once, and after `LATER` further windows have ended; with less it says nothing yet."""

LATER = 3
MOST_SEGMENTS = 20

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Compared(msgspec.Struct, frozen=True):
    """The whole and its segments, each value of a column with a few categories."""

    whole: Windows = Windows()
    segments: dict[str, Windows] = {}


class Losses:
    """Reads one model's log. `select` gives the predictions since a moment with their labels."""

    def __init__(self, select: Callable[[EventTime], Selection], signature: Signature, blocks: Blocks) -> None:
        self._select = select
        self._signature = signature
        self._blocks = blocks

    def shadow(self, champion: str, challenger: str, since: EventTime) -> Compared:
        """Pairs of the same requests."""
        columns = ", ".join(f"{side}.{name} AS {side}_{name}" for side in "ps" for name in self._outputs())
        rows = self._read(
            f"SELECT epoch_us(p.event_time) AS at, p.label AS label, {columns}{self._parts('p')}"  # noqa: S608  # ours
            " FROM predictions p JOIN attempts s USING (request_id, row) WHERE s.variant = 'shadow' AND s.answered"
            f" AND s.status = 200 AND p.status = 200 AND p.version = '{champion}' AND s.version = '{challenger}'",
            since,
        )
        if not rows:
            return Compared()
        label = rows["label"]
        difference = self._loss(rows, "p_", label) - self._loss(rows, "s_", label)
        starts = block_starts(rows["at"], self._blocks)
        names = [one for one in rows if one.startswith("part_")]
        parts = {
            f"{name.removeprefix('part_')}={value}": rows[name] == value
            for name in names
            for value in sorted({one for one in rows[name].tolist() if one is not None})
        }
        segments = {name: _mature(starts[of], difference[of], self._blocks).windows for name, of in parts.items()}
        return Compared(_mature(starts, difference, self._blocks).windows, segments)

    def canary(self, champion: str, challenger: str, since: EventTime) -> Compared:
        """The windows' means of either side: other requests, so only the windows are compared."""
        columns = ", ".join(f"{name} AS p_{name}" for name in self._outputs())
        rows = self._read(
            f"SELECT epoch_us(event_time) AS at, label, version = '{challenger}' AS is_new, {columns}"  # noqa: S608
            f" FROM predictions WHERE status = 200 AND version IN ('{champion}', '{challenger}')",
            since,
        )
        if not rows:
            return Compared()
        loss, starts = self._loss(rows, "p_", rows["label"]), block_starts(rows["at"], self._blocks)
        old, new = (_mature(starts[of], loss[of], self._blocks) for of in (rows["is_new"] == 0, rows["is_new"] == 1))
        # The champion has windows from before there was a canary, and either may lack labels where the other has some.
        _, a, b = np.intersect1d(old.starts, new.starts, assume_unique=True, return_indices=True)
        rows_of = np.minimum(old.rows[a], new.rows[b])
        ends = np.minimum(old.ends[a], new.ends[b])
        return Compared(_Mature(old.starts[a], ends, old.means[a] - new.means[b], rows_of).windows)

    def _read(self, query: str, since: EventTime) -> dict[str, Any]:
        try:
            table = self._select(since).sql(query).arrow()
        except StoreError:
            return {}  # nothing was recorded yet
        if not table.num_rows:
            return {}
        return {name: _column(table, name) for name in table.column_names}

    def _outputs(self) -> list[str]:
        return [f"output_{at}" for at in range(self._signature.width)]

    def _parts(self, view: str) -> str:
        few = [
            feature.name
            for feature in self._signature.as_logged.features
            if 0 < len(feature.categories) <= MOST_SEGMENTS and feature.name.isidentifier()
        ]
        return "".join(f", {view}.feature_{name} AS part_{name}" for name in few)

    def _loss(self, rows: dict[str, Any], prefix: str, label: Any) -> Floats:
        """Brier for probabilities, absolute error for numbers; NaN without a label, and for ranked lists."""
        if self._signature.task == "ranking":
            return np.full(len(label), np.nan)
        outputs = np.column_stack([rows[f"{prefix}{name}"].astype(np.float64) for name in self._outputs()])
        classes = self._signature.classes
        if self._signature.task == "multiclass":
            known = np.array([one in classes for one in label])
            index = np.array([classes.index(one) if one in classes else 0 for one in label], np.int64)
            said = outputs[np.arange(len(outputs)), index]
            return np.where(known, (outputs**2).sum(axis=1) - 2 * said + 1, np.nan)
        values = label.astype(np.float64)
        gap = np.asarray(outputs[:, 0] - values, np.float64)
        return gap**2 if self._signature.task == "binary" else np.abs(gap)


class _Mature(NamedTuple):
    """Complete windows with enough labels: where they begin and end, the mean of each and the rows behind it."""

    starts: Ints
    ends: Ints
    means: Floats
    rows: Ints

    @property
    def windows(self) -> Windows:
        days = float((self.ends - self.starts).sum()) / DAY_US  # what lies between them is no evidence
        return Windows(tuple(self.means.tolist()), tuple(self.rows.tolist()), days)


def _mature(starts: Ints, values: Floats, blocks: Blocks) -> _Mature:
    """Of each window the mean; not of the newest, which may still grow."""
    unique, at = np.unique(starts, return_inverse=True)
    every = np.bincount(at, minlength=len(unique))
    has = ~np.isnan(values)
    known = np.bincount(at[has], minlength=len(unique))
    totals = np.bincount(at[has], values[has], minlength=len(unique))
    later = len(unique) - 1 - np.arange(len(unique))
    is_mature = (later >= 1) & (known > 0) & ((known >= COVERED * every) | ((known >= HALF * every) & (later >= LATER)))
    ends = block_ends(unique, blocks)
    found = known[is_mature]
    return _Mature(unique[is_mature], ends[is_mature], totals[is_mature] / found, found)


def _column(table: Any, name: str) -> Any:
    values = table.column(name).to_pylist()
    if name == "at":
        return np.array(values, np.int64)
    if name.startswith("part_") or any(isinstance(value, str) for value in values):
        return np.array(values, object)
    return np.array([np.nan if value is None else value for value in values], np.float64)
