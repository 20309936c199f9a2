"""Hour by hour what a model was asked and said, over the band in which an hour alone is no surprise.

Pages and reports call `hours_over_time` with signals. It never reads a store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import plotly.graph_objects as go

from gyroscope.records import NotEnoughData, Signal
from gyroscope.reports.theme import BLUE, GREYS, PALETTE, broken_line, figure, outlines, safe, say, tint

MOST_PANELS = 5
PANEL_PX = 110


def hours_over_time(series: Mapping[str, Sequence[Signal]], zone: str = "UTC") -> go.Figure:
    """Draw one panel per series, the first five: its hours as a line, the interval of each hour as a band."""
    known = {name: points for name, points in series.items() if any(_is_known(point) for point in points)}
    if not known:
        return say(figure([], 120), "no hour is complete yet")
    names = list(known)[:MOST_PANELS]
    height = 1 / len(names)
    axes: dict[str, object] = {}
    traces: list[object] = []
    for number, (name, colour) in enumerate(zip(names, cycle((BLUE, *PALETTE[1:])), strict=False)):
        axis = f"y{number + 1}" if number else "y"
        top = 1 - number * height
        axes[f"yaxis{number + 1}" if number else "yaxis"] = {
            "domain": [max(0.0, top - 0.8 * height), top],
            "nticks": 3,
            "title": {"text": safe(name, 24)},
        }
        traces += [band.update(yaxis=axis) for band in outlines(known[name], zone, tint(GREYS[1], 0.5))]
        x, y = broken_line(known[name], zone)
        traces.append(
            go.Scatter(
                x=x,
                y=y,
                yaxis=axis,
                mode="lines",
                line={"color": colour, "width": 1.2},
                name=name,
                hovertemplate=f"{safe(name, 40)} %{{y:.4g}}<extra></extra>",
            )
        )
    bottom = {"anchor": f"y{len(names)}" if len(names) > 1 else "y", "type": "date"}
    return figure(traces, 60 + PANEL_PX * len(names), xaxis=bottom, showlegend=False, **axes)


def _is_known(point: Signal) -> bool:
    return not isinstance(point.value, NotEnoughData)
