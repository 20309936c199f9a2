"""One file of predictions to a fold per version and cell: counts and a profile, which merge to a window's.

The loop reads each file once and folds it here; the scored rows stay in memory for a while, for their labels to join.
Pure: arrays in, records out. It never reads the table and never judges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.clock import EventTime, parse_event_time
from gyroscope.models.blocks import Blocks, block_starts
from gyroscope.models.reference import output_columns
from gyroscope.predictions.columns import own_column
from gyroscope.records import Feature, Signature
from gyroscope.stats.profiles import CategoryBins, Layout, NumericBins, Profile, profile

Columns = Mapping[str, NDArray[Any]]

WHO = ("request_id", "row", "version", "event_time", "status", "answered", "id_conflict")
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
    only they are in the profile. `positives` are scored rows at or above the threshold of a binary model; `newest` is
    the latest event time, 0 without rows.
    """

    profile: Profile
    answered: int = 0
    errors: int = 0
    scored: int = 0
    positives: int = 0
    newest: int = 0

    def merge(self, other: Fold) -> Fold:
        """The fold of the rows of both, exactly."""
        return Fold(
            profile=self.profile.merge(other.profile),
            answered=self.answered + other.answered,
            errors=self.errors + other.errors,
            scored=self.scored + other.scored,
            positives=self.positives + other.positives,
            newest=max(self.newest, other.newest),
        )


class Scored(msgspec.Struct, frozen=True):
    """Scored rows of one cell: who they are (request id, row), when, and what was said, (n,) or (n, classes)."""

    keys: list[tuple[str, int]]
    event_time: NDArray[np.int64]
    outputs: NDArray[np.float64]


class Lens(msgspec.Struct, frozen=True):
    """What is needed to look at the rows of one version."""

    signature: Signature
    layout: Layout


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
    width = max((signature.width for signature in known), default=0)
    return [*WHO, *features, *(f"output_{k}" for k in range(width))]


def fold_rows(
    rows: Columns, day: str, lenses: Mapping[str, Lens], blocks: Blocks
) -> tuple[dict[Cell, Fold], dict[Cell, Scored]]:
    """The folds of one file, and its scored rows. Rows of versions without a lens are left out."""
    folds: dict[Cell, Fold] = {}
    scored: dict[Cell, Scored] = {}
    for cell, places in _cells(rows, day, lenses, blocks):
        lens = lenses[cell.version]
        answered = rows["answered"][places].astype(bool)
        fine = answered & (rows["status"][places] == STATUS_OK)
        good = scored_places(rows, places)
        outputs = outputs_of(rows, good, lens.signature)
        counted = profile(
            {**features(rows, good, lens.signature), **output_columns(lens.signature, outputs)}, lens.layout
        )
        folds[cell] = Fold(
            profile=counted,
            answered=int(answered.sum()),
            errors=int(answered.sum() - fine.sum()),
            scored=len(good),
            positives=_positives(outputs, lens.signature),
            newest=int(rows["event_time"][places].max()),
        )
        keys = list(zip(rows["request_id"][good].tolist(), rows["row"][good].tolist(), strict=True))
        scored[cell] = Scored(keys, rows["event_time"][good], outputs)
    return folds, scored


def scored_places(rows: Columns, places: NDArray[np.intp]) -> NDArray[np.intp]:
    """Those of some rows that were answered with status 200 and whose request id is nobody else's."""
    fine = rows["answered"][places].astype(bool) & (rows["status"][places] == STATUS_OK)
    good: NDArray[np.intp] = places[fine & ~rows["id_conflict"][places].astype(bool)]
    return good


def outputs_of(rows: Columns, places: NDArray[np.intp], signature: Signature) -> NDArray[np.float64]:
    """What was said, (n,) or (n, classes)."""
    if signature.width == 1:
        return np.asarray(rows["output_0"][places], np.float64)
    return np.column_stack([rows[f"output_{k}"][places] for k in range(signature.width)]).astype(np.float64)


def features(rows: Columns, places: NDArray[np.intp], signature: Signature) -> dict[str, NDArray[Any]]:
    """The columns of a signature under their own names."""
    return {feature.name: _feature(rows, places, feature) for feature in signature.features}


def _feature(rows: Columns, places: NDArray[np.intp], feature: Feature) -> NDArray[Any]:
    """From the column of its own type, where another version's type has taken the plain one; else from the plain one.

    A column that the rows do not have is read as numbers, all missing.
    """
    own, plain = rows[own_column(feature)][places], rows[f"feature_{feature.name}"][places]
    values = own if _has_any(own) else plain
    is_text = feature.dtype == "string"
    if is_text == (values.dtype.kind == "O"):
        return values
    return np.full(len(values), None if is_text else np.nan, dtype=object if is_text else np.float64)


def _has_any(values: NDArray[Any]) -> bool:
    if values.dtype.kind == "O":
        return any(value is not None for value in values)
    return not (values.dtype.kind == "f" and bool(np.isnan(values).all()))


def _cells(
    rows: Columns, day: str, lenses: Mapping[str, Lens], blocks: Blocks
) -> Iterator[tuple[Cell, NDArray[np.intp]]]:
    times = rows["event_time"]
    usable = np.flatnonzero((times >= FIRST) & (times < LAST))
    starts = block_starts(times[usable], blocks)
    versions = rows["version"][usable]
    for version in sorted(set(versions.tolist()) & set(lenses)):
        of_version = versions == version
        for start in np.unique(starts[of_version]).tolist():
            yield Cell(version, EventTime(start), day), usable[of_version & (starts == start)]


def _positives(outputs: NDArray[np.float64], signature: Signature) -> int:
    return int((outputs >= signature.threshold).sum()) if signature.task == "binary" else 0
