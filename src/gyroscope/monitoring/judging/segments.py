"""Performance in each segment: which windows say what is normal there, and how the budget is parted with the whole.

`Verdicts` asks for every version whose policy names columns. Pure: what was recorded at entry in, streams out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from gyroscope.monitoring.judging.entered import Entry
from gyroscope.monitoring.judging.tracks import Budget
from gyroscope.records import Cause, NotEnoughData, Task
from gyroscope.stats.evidence import Baselines, Streams, fit_baselines
from gyroscope.stats.performance import PerformanceStream, segment_streams

SEGMENTS: Final = "segments"

NORMAL_WINDOWS = 20
"""The first labelled windows with rows of segments: as few as the budget was measured with (row N1)."""


MOST_OF_IT = 0.5
"""Of the harm of the whole: one segment with half of it carries the fall."""


class Segments(msgspec.Struct, frozen=True, eq=False):
    """What is normal in each segment, and the labelled windows that are judged by it."""

    later: tuple[Entry, ...]
    baselines: Baselines
    current: Streams
    streams: dict[str, PerformanceStream]


def halved(budget: Budget) -> Budget:
    """The whole has one half of what performance may spend, its segments the other: both are known beforehand."""
    return msgspec.structs.replace(budget, false_alarms=budget.false_alarms / 2)


def segments_of(labels: Sequence[Entry], task: Task, budget: Budget) -> Segments | NotEnoughData:
    """The segments of a version, from its labelled windows, oldest first."""
    known = [place for place, one in enumerate(labels) if one.segments and one.window.start not in budget.excluded]
    if len(known) <= NORMAL_WINDOWS:
        return NotEnoughData(f"learning what is normal in segments: {len(known)} of {NORMAL_WINDOWS} labelled windows")
    first = labels[: known[NORMAL_WINDOWS]]
    normal = [one.segments for one in first if one.window.start not in budget.excluded]
    later = tuple(labels[len(first) :])
    before, current, streams = segment_streams(task, normal, [one.segments for one in later])
    baselines = fit_baselines(before)
    if not baselines.names:
        return NotEnoughData("no segment has enough labelled rows in its windows")
    return Segments(later, baselines, current, streams)


def carried(cause: Cause, parts: Sequence[Cause]) -> Cause:
    """The fall of the whole; its why line names the segment that fell at the same time and makes most of the harm."""
    at_once = [one for one in parts if one.since <= cause.seen and (one.ended is None or one.ended > cause.since)]
    known = [(one.harm_per_day, one) for one in at_once if not isinstance(one.harm_per_day, NotEnoughData)]
    if not known or isinstance(cause.harm_per_day, NotEnoughData):
        return cause
    harm, most = max(known, key=lambda pair: pair[0])
    if harm < MOST_OF_IT * cause.harm_per_day:
        return cause
    return msgspec.structs.replace(cause, reason=f"{cause.reason}; most of it is {most.subjects[0]}")
