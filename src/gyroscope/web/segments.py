"""The segments of a model's page: rows, performance, and how each differs from the rest, as cells and as a figure.

`pages.py` and `figures.py` ask. It only puts what monitoring says into words.
"""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from gyroscope.monitoring.segments import Segment
from gyroscope.records import NotEnoughData, Task
from gyroscope.reports.figures.segments import segment_differences
from gyroscope.stats.performance import PRIMARY, Estimate
from gyroscope.web.parts import Parts, shown_version

FAIRNESS: dict[Task, tuple[str, ...]] = {"binary": ("recall", "false_positive_rate")}
"""Beside the metric that pages: what differs between groups of people first."""


def shown_metrics(task: Task) -> tuple[str, ...]:
    """The metrics of the table of segments."""
    return (PRIMARY[task], *FAIRNESS.get(task, ()))


def rows_of(parts: Parts, model: str, metrics: tuple[str, ...]) -> list[tuple[str, str, list[str]]]:
    """Of each segment its name, rows, and for each metric its value and the difference to the rest."""
    found = parts.monitor.segments(model, shown_version(parts, model).version)
    return [(one.name, f"{one.rows:,}", [_cell(one, metric) for metric in metrics]) for one in found]


def differences(parts: Parts, model: str, _: Mapping[str, str]) -> go.Figure:
    """The figure of the metric that pages."""
    version = shown_version(parts, model)
    metric = PRIMARY[version.signature.task]
    found = parts.monitor.segments(model, version.version)
    return segment_differences(metric, [(one.name, one.differences[metric]) for one in found])


def _cell(one: Segment, metric: str) -> str:
    value, gap = one.metrics[metric], one.differences[metric]
    said = "–" if isinstance(value, NotEnoughData) else f"{value.value:.3f}"
    return f"{said} ({gap.value:+.3f}, {gap.low:+.3f} to {gap.high:+.3f})" if isinstance(gap, Estimate) else said
