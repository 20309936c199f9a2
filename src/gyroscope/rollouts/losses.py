"""Labelled losses of champion and challenger by windows of event time: pairs in the shadow, two arms as a canary.

Sums of days, which whoever reads the log keeps, are put together here: a correction changes those of its day. Only
complete windows with enough labels count. It reads nothing and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
from arro3.core import Table
from numpy.typing import NDArray

from gyroscope.clock import DAY_US
from gyroscope.models.blocks import Blocks, block_ends, block_starts
from gyroscope.predictions.reading.columns import as_array, times_of
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


Sums = dict[str, dict[int, tuple[int, int, float]]]
"""By what the rows have in common and the start of their window: rows, labelled ones, and what these lose in all."""

EVERY, OLD, NEW = "", "old", "new"


class Losses:
    """Of one challenger against one champion. `query` asks for them by day of the table, and ends in a WHERE."""

    def __init__(
        self, stage: Literal["shadow", "canary"], champion: str, challenger: str, signature: Signature, blocks: Blocks
    ) -> None:
        self._is_paired = stage == "shadow"
        self._champion, self._challenger = champion, challenger
        self._signature = signature
        self._blocks = blocks

    @property
    def query(self) -> str:
        """Pairs of the same requests in the shadow, what either side answered as a canary."""
        if not self._is_paired:
            columns = ", ".join(f"p.{name} AS p_{name}" for name in self._outputs())
            new, either = f"p.version = '{self._challenger}'", f"('{self._champion}', '{self._challenger}')"
            return (
                f"SELECT p.day, epoch_us(p.event_time) AS at, label, {new} AS is_new, {columns}"  # noqa: S608  # ours
                f" FROM predictions p WHERE p.status = 200 AND p.version IN {either}"
            )
        columns = ", ".join(f"{side}.{name} AS {side}_{name}" for side in "ps" for name in self._outputs())
        return (
            f"SELECT p.day, epoch_us(p.event_time) AS at, label, {columns}{self._parts('p')}"  # noqa: S608  # ours
            " FROM predictions p JOIN attempts s USING (request_id, row) WHERE s.variant = 'shadow' AND s.answered"
            f" AND s.status = 200 AND p.status = 200"
            f" AND p.version = '{self._champion}' AND s.version = '{self._challenger}'"
        )

    def by_day(self, answer: Table) -> dict[str, Sums]:
        """An answer to the query as sums by day."""
        rows = {name: as_array(answer.column(name)) for name in answer.column_names if name != "at"}
        loss = self._loss(rows, "p_", rows["label"])
        if self._is_paired:
            loss -= self._loss(rows, "s_", rows["label"])
        days, day_at = np.unique(rows["day"], return_inverse=True)
        starts, start_at = np.unique(block_starts(times_of(answer, "at"), self._blocks), return_inverse=True)
        cells, cell_at = np.unique(day_at * len(starts) + start_at, return_inverse=True)
        found: dict[str, Sums] = {day: {} for day in days.tolist()}
        for name, those in self._kinds(rows):
            for cell, sums in zip(cells.tolist(), _summed(cell_at[those], loss[those], len(cells)), strict=True):
                if sums[0]:
                    day, start = divmod(cell, len(starts))
                    found[str(days[day])].setdefault(name, {})[int(starts[start])] = sums
        return found

    def compared(self, days: Iterable[Sums]) -> Compared:
        """All of them together."""
        total: Sums = {}
        for sums in days:
            for name, windows in sums.items():
                mine = total.setdefault(name, {})
                for start, more in windows.items():
                    before = mine.get(start, (0, 0, 0.0))
                    mine[start] = (before[0] + more[0], before[1] + more[1], before[2] + more[2])
        starts = sorted({start for windows in total.values() for start in windows})
        ends = dict(zip(starts, block_ends(np.array(starts, np.int64), self._blocks).tolist(), strict=True))
        mature = {name: _mature(windows, ends) for name, windows in total.items()}
        if self._is_paired:
            whole = mature.pop(EVERY, _mature({}, ends)).windows
            return Compared(whole, {name: one.windows for name, one in sorted(mature.items())})
        old, new = (mature.get(name, _mature({}, ends)) for name in (OLD, NEW))
        # The champion has windows from before there was a canary, and either may lack labels where the other has some.
        _, a, b = np.intersect1d(old.starts, new.starts, assume_unique=True, return_indices=True)
        rows = np.minimum(old.rows[a], new.rows[b])
        return Compared(_Mature(old.starts[a], old.ends[a], old.means[a] - new.means[b], rows).windows)

    def _kinds(self, rows: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        """What is added up by itself: all pairs and each value of a column with a few; or the two sides."""
        if not self._is_paired:
            yield from ((OLD, rows["is_new"] == 0), (NEW, rows["is_new"] == 1))
            return
        yield EVERY, np.ones(len(rows["day"]), bool)
        for column in (one for one in rows if one.startswith("part_")):
            for value in sorted({one for one in rows[column].tolist() if one is not None}):
                yield f"{column.removeprefix('part_')}={value}", rows[column] == value

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


def _summed(at: Ints, values: Floats, cells: int) -> list[tuple[int, int, float]]:
    """Of each cell; a value that is not known counts as a row only."""
    has = ~np.isnan(values)
    every, known = np.bincount(at, minlength=cells), np.bincount(at[has], minlength=cells)
    totals = np.bincount(at[has], values[has], minlength=cells)
    return list(zip(every.tolist(), known.tolist(), totals.tolist(), strict=True))


def _mature(windows: dict[int, tuple[int, int, float]], ends: dict[int, int]) -> _Mature:
    """Of each window the mean; not of the newest, which may still grow."""
    starts = np.array(sorted(windows), np.int64)
    every, known, totals = np.array([windows[at] for at in starts.tolist()], np.float64).reshape(-1, 3).T
    later = len(starts) - 1 - np.arange(len(starts))
    is_mature = (later >= 1) & (known > 0) & ((known >= COVERED * every) | ((known >= HALF * every) & (later >= LATER)))
    full, found = starts[is_mature], known[is_mature]
    until = np.array([ends[start] for start in full.tolist()], np.int64)
    return _Mature(full, until, totals[is_mature] / found, found.astype(np.int64))
