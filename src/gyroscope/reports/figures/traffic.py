"""Traffic and latency as the machine sees them: requests and errors per second, median and 99th percentile.

Pages call `traffic_and_latency` with signals of the machine's time. It never reads a clock or a store.
"""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from gyroscope.records import Signal
from gyroscope.reports.theme import BLUE, GREEN, ORANGE, VERMILION, broken_line, figure, say

MS = 1_000.0


def traffic_and_latency(
    requests: Sequence[Signal],
    errors: Sequence[Signal],
    median: Sequence[Signal],
    p99: Sequence[Signal],
    zone: str = "UTC",
) -> go.Figure:
    """Draw rates above and latencies (milliseconds) below, by wall time in `zone`.

    `requests` and `errors` are per second, `median` and `p99` in seconds.
    """
    if not requests:
        return say(figure([], 120), "no traffic has been seen yet")
    traces = [
        _line(requests, zone, "requests/s", BLUE, "y"),
        _line(errors, zone, "errors/s", VERMILION, "y"),
        _line(median, zone, "p50, ms", GREEN, "y2"),
        _line(p99, zone, "p99, ms", ORANGE, "y2"),
    ]
    return figure(
        traces,
        320,
        xaxis={"anchor": "y2", "type": "date"},
        yaxis={"domain": [0.55, 1], "title": {"text": "per second"}, "rangemode": "tozero", "nticks": 5},
        yaxis2={"domain": [0, 0.45], "title": {"text": "latency, ms"}, "rangemode": "tozero", "nticks": 5},
    )


def _line(signals: Sequence[Signal], zone: str, name: str, colour: str, axis: str) -> go.Scatter:
    x, y = broken_line(signals, zone, scale=MS if axis == "y2" else 1.0)
    return go.Scatter(
        x=x,
        y=y,
        yaxis=axis,
        mode="lines",
        line={"color": colour, "width": 1.5},
        name=name,
        hovertemplate="%{y:,.4g} " + name + "<extra></extra>",
    )
