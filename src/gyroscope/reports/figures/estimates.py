"""What performance was estimated to be before any label, and what labels said afterwards.

Pages, reports and notebooks call `estimated_and_realised` with signals. It draws no verdict.
"""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from gyroscope.records import NotEnoughData, Signal
from gyroscope.reports.theme import BLUE, ORANGE, broken_line, figure, outlines, safe, say, tint


def estimated_and_realised(
    metric: str, estimated: Sequence[Signal], realised: Sequence[Signal], zone: str = "UTC"
) -> go.Figure:
    """Draw the estimate with the interval in which labels should come to lie, and what they said."""
    if not any(not isinstance(signal.value, NotEnoughData) for signal in estimated):
        return say(figure([], 120), "nothing is estimated: a binary model with 14 labelled reference windows is needed")
    traces = [
        *outlines(estimated, zone, tint(ORANGE, 0.16)),
        _line("estimated", estimated, zone, ORANGE),
        _line("realised", realised, zone, BLUE),
    ]
    return figure(traces, 240, xaxis={"type": "date"}, yaxis={"title": {"text": safe(metric)}})


def _line(name: str, signals: Sequence[Signal], zone: str, colour: str) -> go.Scatter:
    x, y = broken_line(signals, zone)
    return go.Scatter(
        x=x,
        y=y,
        mode="lines+markers",
        line={"color": colour, "width": 1.5},
        marker={"size": 4},
        name=name,
        hovertemplate=f"{name} %{{y:.4g}}<extra></extra>",
    )
