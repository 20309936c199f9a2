"""Rows of predictions to a fold per version and cell: counts and a profile, which merge to a window's.

The loop reads each file once, part by part, and folds it here. Rows of a sampled log count as often as they stand for.
Pure: arrays in, records out. It never reads the table and never judges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.clock import EventTime, parse_event_time
from gyroscope.models.blocks import Blocks, block_starts
from gyroscope.models.reference import output_columns
from gyroscope.monitoring.hours import Answers, Hours, count_hours
from gyroscope.predictions.recording.columns import own_column
from gyroscope.records import Feature, Signature
from gyroscope.stats.profiles import CategoryBins, Layout, NumericBins, Profile, profile
from gyroscope.stats.quality import FUTURE_US

Columns = Mapping[str, NDArray[Any]]

WHO = ("version", "event_time", "status", "id_conflict", "weight", "is_shadow", "latency_us", "arrival_time")
STATUS_OK = 200

# A client may claim any time; what lies before the computer or beyond the calendar belongs to no window.
FIRST, LAST = parse_event_time("1900-01-01"), parse_event_time("9000-01-01")


class Cell(msgspec.Struct, frozen=True, order=True):
    """One version's part of one cell of time, by its start; `day` is the partition its rows lie in."""

    version: str
    start: EventTime
    day: str


class Fold(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one version in one cell: of one file, or of several merged.

    `answered` rows include those answered with an error; `scored` ones have status 200 and no conflict of ids, and
    only they are in the profile. `shadow` ones are scored and were shown to nobody. `positives` are scored rows at or
    above the threshold of a binary model. All five count a row as often as its weight says; `answered_squares` and
    `scored_squares` are sums of squared weights. `newest` is the latest event time, of rows stamped later than
    they came that of their arrival, 0 without rows. `future` ones are stamped over five minutes later. `hours` are the
    same rows hour by hour.
    """

    profile: Profile
    answered: int = 0
    errors: int = 0
    scored: int = 0
    shadow: int = 0
    positives: int = 0
    answered_squares: int = 0
    scored_squares: int = 0
    newest: int = 0
    future: int = 0
    hours: Hours = msgspec.field(default_factory=Hours.empty)

    def merge(self, other: Fold) -> Fold:
        """The fold of the rows of both, exactly."""
        return Fold(
            profile=self.profile.merge(other.profile),
            answered=self.answered + other.answered,
            errors=self.errors + other.errors,
            scored=self.scored + other.scored,
            shadow=self.shadow + other.shadow,
            positives=self.positives + other.positives,
            answered_squares=self.answered_squares + other.answered_squares,
            scored_squares=self.scored_squares + other.scored_squares,
            newest=max(self.newest, other.newest),
            future=self.future + other.future,
            hours=self.hours.merge(other.hours),
        )

    @property
    def support(self) -> float:
        """Rows in the table behind one scored row: 1, or 1 / k where the log keeps one in k."""
        return self.scored / self.scored_squares if self.scored_squares else 1.0

    @property
    def answered_support(self) -> float:
        """The same of answered rows."""
        return self.answered / self.answered_squares if self.answered_squares else 1.0


class Lens(msgspec.Struct, frozen=True):
    """What is needed to look at the rows of one version; labels are also tallied by the values of `segments`."""

    signature: Signature
    layout: Layout
    segments: tuple[str, ...] = ()


def bare_layout(signature: Signature) -> Layout:
    """Columns without bins, for a version that has no reference yet: missing values and means are known without one.

    >>> from gyroscope.records import Feature
    >>> list(bare_layout(Signature("binary", (Feature("age"), Feature("from", "string")))).columns)
    ['age', 'from', 'probability']
    """
    features = {
        feature.name: CategoryBins() if feature.dtype == "string" else NumericBins() for feature in signature.features
    }
    outputs = output_columns(signature, np.empty((0, signature.width)))
    return Layout({**features, **{name: NumericBins() for name in outputs}})


def wanted_columns(signatures: Iterable[Signature]) -> list[str]:
    """The columns of the table that folding needs, for any of a model's versions."""
    known = list(signatures)
    features = dict.fromkeys(
        column
        for signature in known
        for feature in signature.features
        for column in (f"feature_{feature.name}", own_column(feature))
    )
    return [*WHO, *features, *output_names(known)]


def output_names(signatures: Iterable[Signature]) -> list[str]:
    """The columns of the table that hold what was said, for any of a model's versions."""
    width = max((signature.width for signature in signatures), default=0)
    return [f"output_{k}" for k in range(width)]


def fold_rows(rows: Columns, day: str, lenses: Mapping[str, Lens], blocks: Blocks) -> dict[Cell, Fold]:
    """The folds of some answered rows of one day; `version` is the place in `lenses`."""
    return {
        cell: _fold(rows, places, lenses[cell.version], blocks.zone)
        for cell, places in cells_of(rows, day, list(lenses), blocks)
    }


def merge_folds(parts: Iterable[Mapping[Cell, Fold]]) -> dict[Cell, Fold]:
    """The folds of all parts, added up."""
    whole: dict[Cell, Fold] = {}
    for part in parts:
        for cell, fold in part.items():
            whole[cell] = whole[cell].merge(fold) if cell in whole else fold
    return whole


def cells_of(
    rows: Columns, day: str, versions: Sequence[str], blocks: Blocks
) -> Iterator[tuple[Cell, NDArray[np.intp] | slice]]:
    """Each cell that some rows belong to, with their places; `version` is the place in `versions`."""
    times, codes = rows["event_time"], rows["version"]
    usable = (times >= FIRST) & (times < LAST)
    if not usable.all():
        places = np.flatnonzero(usable)
        for cell, some in cells_of({"event_time": times[places], "version": codes[places]}, day, versions, blocks):
            yield cell, places[some]
        return
    if not len(times):
        return
    starts = block_starts(times, blocks)
    for start in _distinct(starts):
        in_cell = starts == start
        for code in np.flatnonzero(np.bincount(codes[in_cell])).tolist():
            chosen = in_cell & (codes == code)
            yield Cell(versions[code], EventTime(start), day), _shortest(np.flatnonzero(chosen), len(times))


def _distinct(values: NDArray[np.int64]) -> list[int]:
    least, greatest = int(values.min()), int(values.max())
    return [least] if least == greatest else np.unique(values).tolist()


def among(places: NDArray[np.intp] | slice, chosen: NDArray[np.bool_]) -> NDArray[np.intp] | slice:
    """Those of some places for which `chosen` is true; all of them cost no copy."""
    if chosen.all():
        return places
    within = np.flatnonzero(chosen)
    return within if isinstance(places, slice) else places[within]


def features(rows: Columns, places: Any, signature: Signature) -> dict[str, NDArray[Any]]:
    """The columns of a signature under their own names; those that the rows do not have are left out."""
    found = {feature.name: _feature(rows, places, feature) for feature in signature.features}
    return {name: values for name, values in found.items() if values is not None}


def outputs_of(rows: Columns, places: Any, signature: Signature) -> NDArray[np.float64]:
    """What was said, (n,) or (n, classes)."""
    if signature.width == 1:
        return np.asarray(rows["output_0"][places], np.float64)
    return np.column_stack([rows[f"output_{k}"][places] for k in range(signature.width)]).astype(np.float64)


def _fold(rows: Columns, places: NDArray[np.intp] | slice, lens: Lens, zone: str) -> Fold:
    weights = rows["weight"][places]
    fine = rows["status"][places] == STATUS_OK
    good = fine & ~rows["id_conflict"][places]
    times = rows["event_time"][places]
    came = rows["arrival_time"][places] if "arrival_time" in rows else times
    counted, positives = Profile.empty(lens.layout), 0
    for weight in np.unique(weights[good]).tolist():
        chosen = among(places, good & (weights == weight))
        outputs = outputs_of(rows, chosen, lens.signature)
        columns = {**features(rows, chosen, lens.signature), **output_columns(lens.signature, outputs)}
        counted = counted.merge(profile(columns, lens.layout).scaled(weight))
        positives += weight * _positives(outputs, lens.signature)
    return Fold(
        profile=counted,
        answered=_total(weights),
        errors=_total(weights[~fine]),
        scored=counted.n,
        shadow=_total(weights[good & rows["is_shadow"][places]]),
        positives=positives,
        answered_squares=_total(weights.astype(np.int64) ** 2),
        scored_squares=_total(weights[good].astype(np.int64) ** 2),
        newest=int(np.minimum(times, came).max()),
        future=_total(weights[times > came + FUTURE_US]),
        hours=_hours(rows, places, good, lens.signature, zone),
    )


def _hours(
    rows: Columns, places: NDArray[np.intp] | slice, good: NDArray[np.bool_], signature: Signature, zone: str
) -> Hours:
    times = rows["event_time"][places]
    answers = Answers(
        times=times,
        weights=rows["weight"][places],
        is_error=rows["status"][places] != STATUS_OK,
        is_scored=good,
        is_shadow=rows["is_shadow"][places],
        latency_us=rows["latency_us"][places] if "latency_us" in rows else np.full(len(times), np.nan),
        outputs=outputs_of(rows, places, signature),
    )
    return count_hours(answers, signature, zone)


def _total(weights: NDArray[Any]) -> int:
    return int(weights.sum(dtype=np.int64))


def _shortest(places: NDArray[np.intp], rows: int) -> NDArray[np.intp] | slice:
    """A slice where every row is chosen: it makes no copies of columns."""
    return slice(0, rows) if len(places) == rows else places


def _feature(rows: Columns, places: Any, feature: Feature) -> NDArray[Any] | None:
    """From the column of its own type, where another version's type has taken the plain one; else from the plain one.

    A column of another type is as good as none: all missing.
    """
    plain, own = f"feature_{feature.name}", own_column(feature)
    name = own if own in rows and _has_any(rows[own][places]) else plain
    if name not in rows or (feature.dtype == "string") != (rows[name].dtype.kind == "O"):
        return None
    values: NDArray[Any] = rows[name][places]
    return values


def _has_any(values: NDArray[Any]) -> bool:
    if values.dtype.kind == "O":
        return any(value is not None for value in values)
    return not bool(np.isnan(values).all())


def _positives(outputs: NDArray[np.float64], signature: Signature) -> int:
    return int((outputs >= signature.threshold).sum()) if signature.task == "binary" else 0
