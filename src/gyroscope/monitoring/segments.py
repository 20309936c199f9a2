"""Performance of a version in each segment over all of its labelled windows, and how it differs from the rest.

Pages and `gyro monitor show` ask `Monitor.segments`. It reads the cache; judging has rules of its own.
"""

from __future__ import annotations

from functools import reduce

import msgspec

from gyroscope.clock import EventTime
from gyroscope.monitoring.cache import Cache
from gyroscope.records import NotEnoughData, Window
from gyroscope.stats.performance import Estimate, Outcomes, SegmentOutcomes, metrics, rest_of, segment_gaps

GROUPS = 30
"""Windows next to each other are put together until so many are left: the interval counts groups."""

EVER = Window(EventTime(-(1 << 62)), EventTime(1 << 62))


class Segment(msgspec.Struct, frozen=True):
    """The labelled rows of one segment, their metrics, and these less those of the rest of the column's rows.

    Both intervals are of 95 %; that of a difference holds at every look.
    """

    name: str
    rows: int
    metrics: dict[str, Estimate | NotEnoughData]
    differences: dict[str, Estimate | NotEnoughData]


def segments_of(cache: Cache, model: str, version: str, columns: tuple[str, ...]) -> tuple[Segment, ...]:
    """Every segment of some columns, those of a column next to each other, the largest first."""
    if not columns:
        return ()
    windows = [one for one in cache.segments(model, version, EVER) if one.parts]
    groups = _grouped(windows)
    whole = reduce(SegmentOutcomes.merge, groups, SegmentOutcomes())
    names = [name for name, part in whole.parts.items() if part.n and name.partition("=")[0] in columns]
    names.sort(key=lambda name: (columns.index(name.partition("=")[0]), -whole.parts[name].n, name))
    return tuple(_segment(name, whole.parts[name], groups) for name in names)


def labelled_in(cache: Cache, model: str, version: str, window: Window) -> tuple[Outcomes, SegmentOutcomes] | None:
    """The outcomes of one window, in all and by segment; None where it has no row."""
    found = cache.labelled(model, version, window)
    if not found:
        return None
    outcomes, segments = zip(*found, strict=True)
    return reduce(Outcomes.merge, outcomes), reduce(SegmentOutcomes.merge, segments)


def _segment(name: str, whole: Outcomes, groups: list[SegmentOutcomes]) -> Segment:
    none = NotEnoughData("no labelled row in this window")
    mine = [one.parts.get(name, none) for one in groups]
    rest = [rest_of(name, one) or none for one in groups]
    return Segment(name, whole.n, dict(metrics(whole)), segment_gaps(mine, rest))


def _grouped(windows: list[SegmentOutcomes]) -> list[SegmentOutcomes]:
    size = max(-(-len(windows) // GROUPS), 1)
    return [reduce(SegmentOutcomes.merge, windows[first : first + size]) for first in range(0, len(windows), size)]
