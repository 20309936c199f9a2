"""The mean of a metric over all windows since the last alarm, with an interval that holds at every look.

`Verdicts` draws it beside the evidence. Each window's own interval says nothing once one has looked at many of them.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from gyroscope.clock import EventTime
from gyroscope.monitoring.judging.causes import About
from gyroscope.monitoring.judging.tracks import Track
from gyroscope.records import Signal, Task
from gyroscope.stats.performance import SCALES
from gyroscope.stats.sequences import mean_sequence


def running_means(about: About, task: Task, track: Track, since: EventTime) -> list[Signal]:
    """One signal per metric and window that starts at `since` or later; `n` are the windows in the mean."""
    ends = [0, *(alarm.at + 1 for alarm in track.course.alarms), len(track.entries)]
    stretches = [(first, last) for first, last in pairwise(ends) if track.entries[last - 1].window.start >= since]
    return [
        signal
        for row in range(len(track.baselines.names))
        for first, last in stretches
        if first < last
        for signal in _stretch(about, task, track, row, slice(first, last))
        if signal.at >= since
    ]


def _stretch(about: About, task: Task, track: Track, row: int, windows: slice) -> list[Signal]:
    baselines, metric = track.baselines, track.baselines.names[row].partition(":")[2]
    y, within = track.current.y[row, windows], track.current.within[row, windows]
    known = np.isfinite(y)
    found = mean_sequence(
        y,
        within + baselines.tau2[row],
        float(baselines.typical[row]),
        learned_from=float(baselines.windows[row]),
    )
    natural = SCALES[task][metric].natural
    values = np.stack([natural(one) for one in found])
    labels = (("metric", metric), ("model", about.model), ("version", about.version))
    return [
        Signal("performance_mean", entry.window.start, float(mean), labels, float(low), float(high), int(count))
        for entry, is_known, count, (mean, low, high) in zip(
            track.entries[windows], known, np.cumsum(known), values.T, strict=True
        )
        if is_known
    ]
