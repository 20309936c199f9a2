"""The segments of a model's page: rows, performance, and how each differs from the rest, as cells and as a figure.

`pages.py` and `figures.py` ask. `reports/` has the words and the figure, which the HTML report shares.
"""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from gyroscope.reports.figures.segments import segment_differences
from gyroscope.reports.segments import cell_of
from gyroscope.stats.performance import PRIMARY
from gyroscope.web.parts import Parts, shown_version


def rows_of(parts: Parts, model: str, metrics: tuple[str, ...]) -> list[tuple[str, str, list[str]]]:
    """Of each segment its name, rows, and for each metric its value and the difference to the rest."""
    found = parts.monitor.segments(model, shown_version(parts, model).version)
    return [(one.name, f"{one.rows:,}", [cell_of(one, metric) for metric in metrics]) for one in found]


def differences(parts: Parts, model: str, _: Mapping[str, str]) -> go.Figure:
    """The figure of the metric that pages."""
    version = shown_version(parts, model)
    metric = PRIMARY[version.signature.task]
    found = parts.monitor.segments(model, version.version)
    return segment_differences(metric, [(one.name, one.differences[metric]) for one in found])
