"""Drift per feature and window as a heat map: how far each window's distribution lies from the reference.

Pages and reports call `drift_heat_map` with signals. It draws effects and judges none.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import plotly.graph_objects as go

from gyroscope.clock import EventTime
from gyroscope.records import NotEnoughData, Signal
from gyroscope.reports.theme import FAINT, axis_time, figure, safe, say

# Lightness falls all the way, so the order can be read without colour; blank (unknown) is white, none is cream.
SCALE = ((0.0, "#fbf3dc"), (0.25, "#f2c879"), (0.5, "#e08a3c"), (0.75, "#a8433a"), (1.0, "#4a1237"))
UNKNOWN = "#ffffff"


def drift_heat_map(signals: Sequence[Signal], zone: str = "UTC", limit: float = 0.3) -> go.Figure:
    """Draw features (most drifted on top) against windows.

    Parameters
    ----------
    signals : sequence of Signal
        Effects `w` of the series `drift`, one per window and `column`.
    zone : str
        Time zone of the horizontal axis.
    limit : float
        The plain threshold; the middle of the colour scale, so that colours keep their meaning from day to day.
    """
    if not signals:
        return say(figure([], 120), "no window has been compared with a reference yet")
    columns = _by_worst(signals)
    windows = _with_gaps(sorted({signal.at for signal in signals}))
    # Two versions in one window (a rollout): the one that saw more rows is drawn.
    cells = {(_column(signal), signal.at): signal for signal in sorted(signals, key=lambda signal: signal.n)}
    unknown = sum(isinstance(signal.value, NotEnoughData) for signal in signals)
    grid = [[cells.get((column, at)) for at in windows] for column in columns]
    picture = go.Heatmap(
        x=[axis_time(at, zone) for at in windows],
        y=[_tick(column, place) for place, column in enumerate(columns)],
        z=[[_number(cell) for cell in row] for row in grid],
        text=[[_words(column, cell) for cell in row] for column, row in zip(columns, grid, strict=True)],
        hovertemplate="%{text}<extra></extra>",
        hoverongaps=True,
        colorscale=[list(step) for step in SCALE],
        zmin=0,
        zmax=2 * limit,
        xgap=1 if len(windows) <= 60 else 0,
        ygap=2,
        colorbar={
            "orientation": "h",
            "thickness": 8,
            "len": 0.7,
            "x": 0,
            "xanchor": "left",
            "y": 1.0,
            "yanchor": "bottom",
            "outlinewidth": 0,
            "tickfont": {"size": 10, "color": FAINT},
        },
    )
    blank = f"<br>blank: not enough data ({unknown:,} of {len(signals):,})" if unknown else ""
    return figure(
        [picture],
        130 + 26 * len(columns),
        hovermode="closest",
        plot_bgcolor=UNKNOWN,
        margin={"t": 40},
        yaxis={"autorange": "reversed", "showgrid": False, "type": "category"},
        xaxis={"type": "date", "showgrid": False, "title": {"text": f"effect w, limit {limit:g}{blank}"}},
    )


def _with_gaps(windows: list[EventTime]) -> list[EventTime]:
    """Blank windows beside every gap: a cell reaches halfway to its neighbours, and must not cover other days."""
    steps = [later - at for at, later in pairwise(windows)]
    step = min(steps, default=0)
    blank = [
        EventTime(edge)
        for at, later in pairwise(windows)
        if later - at > step * 3 // 2
        for edge in (at + step, later - step)
    ]
    return sorted({*windows, *blank})


def _by_worst(signals: Sequence[Signal]) -> list[str]:
    worst: dict[str, float] = {}
    for signal in signals:
        effect = _number(signal)
        worst[_column(signal)] = max(worst.get(_column(signal), -1.0), -1.0 if effect is None else effect)
    return sorted(worst, key=lambda column: (-worst[column], column))


def _column(signal: Signal) -> str:
    return dict(signal.labels).get("column", "")


def _tick(column: str, place: int) -> str:
    """Short enough for a telephone; invisible spaces keep two names apart that are cut to the same letters."""
    return safe(column, 18) + "\u200b" * (place if len(column) > 18 else 0)


def _number(signal: Signal | None) -> float | None:
    if signal is None or isinstance(signal.value, NotEnoughData):
        return None
    return float(signal.value)


def _words(column: str, signal: Signal | None) -> str:
    if signal is None:
        return f"{safe(column)}: no window"
    if isinstance(signal.value, NotEnoughData):
        return f"{safe(column)}: not enough data ({safe(signal.value.reason, 120)})"
    interval = f" ({signal.low:.3f} to {signal.high:.3f})" if signal.low is not None and signal.high is not None else ""
    return f"{safe(column)}: effect {signal.value:.3f}{interval}, {signal.n:,} rows"
