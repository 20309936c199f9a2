"""How near each family of monitors came to its budget, window by window: an incident opens where a line reaches 1.

Pages and reports call `evidence_over_time` with the signal `evidence`. It draws evidence, never effects.
"""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from gyroscope.records import NotEnoughData, Signal
from gyroscope.reports.figures.incidents import COLOURS
from gyroscope.reports.theme import FAINT, axis_time, figure, safe, say

FLOOR = 1e-3
"""Evidence below a thousandth of an incident is drawn at it: a line that falls to 1e-30 hides the rest."""


def evidence_over_time(signals: Sequence[Signal], zone: str = "UTC") -> go.Figure:
    """Draw one line per family and version on a logarithmic axis, and the line at 1."""
    known = [signal for signal in signals if not isinstance(signal.value, NotEnoughData)]
    if not known:
        return say(figure([], 120), "no window has been judged yet")
    series: dict[tuple[str, str], list[Signal]] = {}
    for signal in known:
        labels = dict(signal.labels)
        series.setdefault((labels.get("family", ""), labels.get("version", "")), []).append(signal)
    many = len({version for _, version in series}) > 1
    traces = [
        _line(family + (f" {version[:6]}" if many else ""), family, found, zone)
        for (family, version), found in sorted(series.items())
    ]
    drawn = figure(
        traces,
        240,
        xaxis={"type": "date"},
        yaxis={"type": "log", "range": [-3.1, 2.1], "title": {"text": "evidence, of one incident"}, "dtick": 1},
    )
    return drawn.add_hline(y=1, line={"color": FAINT, "width": 1, "dash": "dash"})


def _line(name: str, family: str, signals: Sequence[Signal], zone: str) -> go.Scatter:
    ordered = sorted(signals, key=lambda signal: signal.at)
    values = [float(signal.value) for signal in ordered if not isinstance(signal.value, NotEnoughData)]
    return go.Scatter(
        x=[axis_time(signal.at, zone) for signal in ordered],
        y=[min(max(value, FLOOR), 1 / FLOOR) for value in values],
        customdata=values,
        mode="lines",
        name=safe(name, 24),
        line={"width": 1.5, "color": COLOURS.get(family, FAINT)},  # type: ignore[call-overload]
        hovertemplate="%{customdata:.3g}<extra>" + safe(name, 24) + "</extra>",
    )
