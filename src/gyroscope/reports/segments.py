"""How each segment of a version does, in words: for the page, the terminal and the HTML report alike.

It measures nothing and draws nothing.
"""

from __future__ import annotations

from gyroscope.monitoring.segments import Segment
from gyroscope.records import NotEnoughData, Task
from gyroscope.stats.performance import PRIMARY, Estimate

FAIRNESS: dict[Task, tuple[str, ...]] = {"binary": ("recall", "false_positive_rate")}
"""Beside the metric that pages: what differs between groups of people first."""

HEADER = ("segment", "labelled rows", "value", "less the rest", "95 % at every look")
"""What the cells of `row_of` are."""


def shown_metrics(task: Task) -> tuple[str, ...]:
    """The metrics that are shown by segment."""
    return (PRIMARY[task], *FAIRNESS.get(task, ()))


def row_of(one: Segment, metric: str) -> tuple[str, ...]:
    """The line of a segment in the table of one metric."""
    value, gap = one.metrics[metric], one.differences[metric]
    said = "-" if isinstance(value, NotEnoughData) else f"{value.value:.3f}"
    if isinstance(gap, NotEnoughData):
        return (one.name, f"{one.rows:,}", said, "-", gap.reason)
    return (one.name, f"{one.rows:,}", said, f"{gap.value:+.3f}", f"{gap.low:+.3f} to {gap.high:+.3f}")


def cell_of(one: Segment, metric: str) -> str:
    """The same in one cell, for a table of several metrics."""
    value, gap = one.metrics[metric], one.differences[metric]
    said = "–" if isinstance(value, NotEnoughData) else f"{value.value:.3f}"
    return f"{said} ({gap.value:+.3f}, {gap.low:+.3f} to {gap.high:+.3f})" if isinstance(gap, Estimate) else said
