"""A reference for a version that was registered without one: its own first days or rows, once they are complete.

The loop asks for each such version, stores what it gets and journals why; until then drift is not known. Rows whose
label has not come by then are in the profiles and not in the performance of the reference. Pure: it reads no store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.clock import EventTime, iso
from gyroscope.models.blocks import Blocks
from gyroscope.models.reference import ReferenceProfile, build_reference
from gyroscope.monitoring.cache import Entry
from gyroscope.monitoring.fold import STATUS_OK, Cell, Columns, features, outputs_of
from gyroscope.monitoring.windows import closes_at, window_of
from gyroscope.records import NotEnoughData, Signature, Version, Window
from gyroscope.settings import Reference

Values = Mapping[tuple[str, int], float]
"""Label by request id and row: 0 or 1, index of the class, or the value."""

LEAST_ROWS = 30
"""Days with fewer rows than this all together are followed by further ones: nothing could be compared with them."""


class Span(msgspec.Struct, frozen=True):
    """Which rows become the reference: those of a stretch of event time, `rows` at most (0: all)."""

    window: Window
    rows: int


def first_span(scored: Mapping[Cell, int], wanted: Reference, blocks: Blocks, now: EventTime) -> Span | NotEnoughData:
    """The first days or rows of a version, given how many scored rows each of its cells has and the data's own time."""
    if not scored:
        return NotEnoughData("no reference, and no prediction yet that could become one")
    start = min(scored).start
    end = start if wanted.first_rows else _days_later(start, wanted.first_days, blocks)
    needed = wanted.first_rows or LEAST_ROWS
    total = sum(n for cell, n in scored.items() if cell.start < end)
    for cell, n in scored.items():
        if total < needed and cell.start >= end:
            total, end = total + n, window_of(cell.start, blocks.length, blocks.zone).end
    if total < needed:
        return NotEnoughData(f"no reference yet: {total} of its first {needed} rows are there")
    closes = closes_at(Window(start, end))
    if now < closes:
        return NotEnoughData(f"no reference yet: its first rows are complete at {iso(closes, blocks.zone)}")
    return Span(Window(start, end), wanted.first_rows)


def build(version: Version, parts: Iterable[tuple[Columns, Values]], span: Span, blocks: Blocks) -> ReferenceProfile:
    """The reference of a span, from the rows of its days, each part with the labels of its day."""
    chosen = [_part(rows, values, version, span) for rows, values in parts]
    times = np.concatenate([part.event_time for part in chosen])
    kept = np.argsort(times, kind="stable")[: span.rows or None]
    columns = {
        name: np.concatenate([part.columns[name] for part in chosen])[kept]
        for name in version.signature.as_logged.names
    }
    outputs = np.concatenate([part.outputs for part in chosen])[kept]
    labels = np.concatenate([part.labels for part in chosen])[kept]
    columns.setdefault("request_id", np.concatenate([part.requests for part in chosen])[kept])
    return build_reference(version.signature, columns, outputs, labels, times[kept], blocks)


def entry_of(version: Version, reference: ReferenceProfile, span: Span, at: EventTime, zone: str) -> Entry:
    """The line of the journal that says why there is a reference now."""
    first, last = iso(span.window.start, zone), iso(span.window.end, zone)
    return Entry(
        at=at,
        model=version.model,
        version=version.version,
        decision="reference made from the first predictions",
        reason="the version was registered without a reference and its first rows are complete",
        evidence=f"{reference.total.n} rows, {reference.outcomes.n} of them labelled, from {first} to {last}",
    )


class _Part(msgspec.Struct, frozen=True):
    columns: dict[str, NDArray[Any]]
    outputs: NDArray[np.float64]
    labels: NDArray[np.float64]
    event_time: NDArray[np.int64]
    requests: NDArray[Any]


def _part(rows: Columns, values: Values, version: Version, span: Span) -> _Part:
    times = rows["event_time"]
    inside = (times >= span.window.start) & (times < span.window.end)
    good = np.flatnonzero(inside & (rows["status"] == STATUS_OK) & ~rows["id_conflict"])
    keys = zip(rows["request_id"][good].tolist(), rows["row"][good].tolist(), strict=True)
    return _Part(
        columns=_features(rows, good, version.signature.as_logged),
        outputs=outputs_of(rows, good, version.signature),
        labels=np.array([values.get(key, np.nan) for key in keys], np.float64),
        event_time=times[good],
        requests=np.asarray(rows["request_id"][good]),
    )


def _features(rows: Columns, places: NDArray[np.intp], signature: Signature) -> dict[str, NDArray[Any]]:
    """The columns of every feature; one that the table does not have is all missing."""
    found = features(rows, places, signature)
    for feature in signature.features:
        if feature.name not in found:
            missing = None if feature.dtype == "string" else np.nan
            found[feature.name] = np.full(len(places), missing, dtype=object if missing is None else np.float64)
    return found


def _days_later(start: EventTime, days: int, blocks: Blocks) -> EventTime:
    """Midnight so many calendar days after the day of a moment."""
    end = window_of(start, "1d", blocks.zone).end
    for _ in range(days - 1):
        end = window_of(end, "1d", blocks.zone).end
    return end
