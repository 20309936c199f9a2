"""What the model said per window of event time: how many rows, their mean output, the share it called positive.

Pages and reports call `predictions_over_time` with signals. It never reads a store.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import plotly.graph_objects as go

from gyroscope.records import NotEnoughData, Signal
from gyroscope.reports.theme import (
    BLUE,
    GREYS,
    PALETTE,
    VERMILION,
    axis_time,
    broken_line,
    by_version,
    figure,
    safe,
    say,
)


def predictions_over_time(
    volume: Sequence[Signal], mean_output: Sequence[Signal], positive_share: Sequence[Signal], zone: str = "UTC"
) -> go.Figure:
    """Draw volume as bars (versions stacked) and below it, where there is any, the mean output and share of positives.

    All three are one signal per window and version; `zone` is the time zone of the horizontal axis.
    """
    if not volume:
        return say(figure([], 120), "no prediction has been recorded yet")
    below = [("mean output", mean_output, BLUE), ("called positive", positive_share, VERMILION)]
    lines = [line for line in below if line[1]]
    places = _places(1 + len(lines))
    axes: dict[str, object] = {"yaxis": {"domain": places[0], "title": {"text": "rows"}, "rangemode": "tozero"}}
    traces: list[object] = [
        _bars(series, zone, version, grey)
        for grey, (version, series) in zip(cycle(GREYS), by_version(volume).items(), strict=False)
    ]
    for number, (name, signals, colour) in enumerate(lines, start=2):
        axes[f"yaxis{number}"] = {"domain": places[number - 1], "title": {"text": name}, "nticks": 4}
        traces += [
            _line(series, zone, f"{name} {safe(of, 40)}", tone, f"y{number}")
            for tone, (of, series) in zip(cycle((colour, *PALETTE)), by_version(signals).items(), strict=False)
        ]
    bottom = {"anchor": f"y{1 + len(lines)}" if lines else "y", "type": "date"}
    return figure(traces, 140 + 120 * len(lines), xaxis=bottom, showlegend=False, barmode="stack", **axes)


def _places(rows: int) -> list[list[float]]:
    """Domains of stacked pictures from top to bottom, 6 % of air between them."""
    height = (1 - 0.06 * (rows - 1)) / rows
    return [[max(0.0, 1 - (row + 1) * height - row * 0.06), 1 - row * (height + 0.06)] for row in range(rows)]


def _bars(series: Sequence[Signal], zone: str, version: str, grey: str) -> go.Bar:
    known = [signal for signal in series if not isinstance(signal.value, NotEnoughData)]
    return go.Bar(
        x=[axis_time(signal.at, zone) for signal in known],
        y=[signal.value for signal in known],
        marker={"color": grey, "line": {"width": 0}},
        name="rows",
        hovertemplate=f"%{{y:,}} rows by {safe(version or 'the model', 24)}<extra></extra>",
    )


def _line(series: Sequence[Signal], zone: str, name: str, colour: str, axis: str) -> go.Scatter:
    x, y = broken_line(series, zone)
    return go.Scatter(
        x=x,
        y=y,
        yaxis=axis,
        mode="lines+markers",
        line={"color": colour, "width": 1.5},
        marker={"size": 4},
        name=name,
        hovertemplate=f"{name} %{{y:.4g}}<extra></extra>",
    )
