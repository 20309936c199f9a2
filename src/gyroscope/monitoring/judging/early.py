"""A harm so large that the labels which are there suffice: the next window, at the least harm that it can still have.

`Verdicts` asks while labels come. The window is entered once, when its labels are mature, and its evidence can then
only be larger: what is told early costs the budget nothing. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np

from gyroscope.monitoring.judging.entered import Entry
from gyroscope.monitoring.judging.tracks import Budget, Track, follow
from gyroscope.records import NotEnoughData
from gyroscope.stats.performance import Outcomes, PerformanceStream, early_floor

BOUNDED: Final = frozenset({"brier", "accuracy"})
"""The metrics of which missing labels leave a least harm."""

EARLY = "sure before all labels of its last window are there"


def previewed(
    track: Track, streams: Mapping[str, PerformanceStream], early: Entry, outcomes: Outcomes, budget: Budget
) -> Track | None:
    """The track with that window as its last one, if its evidence reaches the budget; `early.rows` are all its rows.

    A window before it whose few rows wait to be merged with the next says nothing alone: then there is no preview.
    """
    names, known = track.baselines.names, track.current
    if track.entries and not np.isfinite(known.y[:, -1]).any():
        return None
    floors = [early_floor(streams[name.partition(":")[2]], outcomes, early.rows) for name in names]
    absent = (np.nan, np.nan)
    last = np.array([absent if isinstance(floor, NotEnoughData) else floor for floor in floors])
    current = msgspec.structs.replace(
        known, y=np.column_stack([known.y, last[:, 0]]), within=np.column_stack([known.within, last[:, 1]])
    )
    found = follow("performance", track.baselines, [*track.entries, early], current, budget, track.course.state)
    return found if any(alarm.at == len(track.entries) for alarm in found.course.alarms) else None
