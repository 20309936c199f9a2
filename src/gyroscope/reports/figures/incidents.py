"""Incidents over time: one bar each, from when the change began until it was over, and when it was certain.

Pages and reports call `incident_timeline`. It draws what it is given and ranks nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from gyroscope.alerts import Incident
from gyroscope.clock import EventTime
from gyroscope.records import CauseKind
from gyroscope.reports.theme import (
    BLUE,
    GREEN,
    GREYS,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    axis_time,
    figure,
    safe,
    say,
)

COLOURS: dict[CauseKind, str] = {
    "quality": VERMILION,
    "performance": PURPLE,
    "relation": PURPLE,
    "estimate": ORANGE,
    "seasonal": GREEN,
    "output": BLUE,
    "input": SKY,
    "rule": INK,
}
MOST_BARS = 40


def incident_timeline(incidents: Sequence[Incident], upto: EventTime, zone: str = "UTC") -> go.Figure:
    """Draw incidents, the newest on top.

    Parameters
    ----------
    incidents : sequence of Incident
        The newest 40 are drawn.
    upto : EventTime
        Where the bars of those that stand end: the newest window.
    zone : str
        Time zone of the horizontal axis.
    """
    shown = sorted(incidents, key=lambda one: one.since)[-MOST_BARS:]
    if not shown:
        return say(figure([], 120), "no incident so far")
    # Invisible spaces keep apart two bars that are called alike.
    names = [safe(one.title, 26) + "\u200b" * place for place, one in enumerate(shown)]
    traces = [_bar(one, name, upto, zone) for one, name in zip(shown, names, strict=True)]
    return figure(
        [*traces, _certain(shown, names, zone)],
        110 + 26 * len(shown),
        hovermode="closest",
        showlegend=False,
        yaxis={"type": "category", "categoryorder": "array", "categoryarray": names, "showgrid": False},
        xaxis={"type": "date", "title": {"text": "bar: the change; diamond: certain; faint: information or noise"}},
    )


def _bar(one: Incident, name: str, upto: EventTime, zone: str) -> go.Scatter:
    end = one.ended if one.ended is not None else max(upto, one.opened)
    is_faint = not one.pages or one.state == "noise"
    return go.Scatter(
        x=[axis_time(one.since, zone), axis_time(end, zone)],
        y=[name, name],
        mode="lines",
        line={"width": 12, "color": COLOURS[one.kind] if not is_faint else GREYS[1]},
        text=[f"{safe(one.why, 120)}<br>{one.state}"] * 2,
        hovertemplate="%{text}<extra></extra>",
    )


def _certain(shown: Sequence[Incident], names: list[str], zone: str) -> go.Scatter:
    return go.Scatter(
        x=[axis_time(one.opened, zone) for one in shown],
        y=names,
        mode="markers",
        marker={"symbol": "diamond", "size": 8, "color": INK},
        text=[f"{safe(one.why, 120)}<br>certain" for one in shown],
        hovertemplate="%{text}<extra></extra>",
    )
