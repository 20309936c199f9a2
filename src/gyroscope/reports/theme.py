"""The one look of every figure: fonts, colours, light background, margins that leave room on a 390 px screen.

Called by the figure functions. The palette is Okabe and Ito's, told apart by people with any colour vision.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise
from statistics import median

import plotly.graph_objects as go

from gyroscope.clock import EventTime, moment_of
from gyroscope.records import Signal

BLUE, VERMILION, GREEN, ORANGE, SKY, PURPLE = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#CC79A7"
GREYS = ("#9aa5b1", "#cbd2d9", "#7b8794")
PALETTE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
INK, FAINT, GRID, PAPER = "#1f2933", "#616e7c", "#e4e7eb", "#ffffff"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


@cache
def template() -> go.layout.Template:
    """Built once a process and attached to every figure."""
    axis = {
        "automargin": True,
        "gridcolor": GRID,
        "linecolor": GRID,
        "zerolinecolor": GRID,
        "title": {"font": {"size": 12, "color": FAINT}, "standoff": 6},
        "tickfont": {"size": 11, "color": FAINT},
    }
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "size": 12, "color": INK},
            "colorway": list(PALETTE),
            "paper_bgcolor": PAPER,
            "plot_bgcolor": PAPER,
            # 390 px leave 330 px of card: anything wider than 12 px at the sides would eat the picture.
            "margin": {"l": 12, "r": 12, "t": 36, "b": 12},
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 11}},
            "hovermode": "x unified",
            "hoverlabel": {"font": {"family": FONT, "size": 12}},
            "xaxis": {**axis, "nticks": 9, "tickangle": 0},
            "yaxis": axis,
            "dragmode": False,
        }
    )


def figure(traces: Sequence[go.Figure | object], height_px: int, **layout: object) -> go.Figure:
    """A figure in the house's look; its width is that of the place it is put into."""
    drawn = go.Figure(data=traces)
    drawn.update_layout(template=template(), height=height_px, autosize=True, **layout)
    return drawn


def safe(text: str, longest: int = 60) -> str:
    """A name as Plotly shall print it: its own small HTML (links, bold) is switched off, long names are cut.

    >>> safe("<b>air</b>_time")
    '&lt;b&gt;air&lt;/b&gt;_time'
    """
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return html.escape(cut, quote=False)


def axis_time(at: EventTime, zone: str) -> str:
    """Wall-clock text in a zone; Plotly knows no zones and draws what it reads.

    >>> axis_time(EventTime(1362114000000000), "America/New_York")
    '2013-03-01T00:00:00'
    """
    return moment_of(at, zone).replace(tzinfo=None).isoformat()


def tint(colour: str, alpha: float) -> str:
    """A colour of the palette, see-through.

    >>> tint("#0072B2", 0.25)
    'rgba(0,114,178,0.25)'
    """
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"


def runs(signals: Iterable[Signal]) -> list[list[Signal]]:
    """Known values that follow one another; a line is broken where a window is unknown or absent."""
    ordered = sorted(signals, key=lambda signal: signal.at)
    steps = [later.at - earlier.at for earlier, later in pairwise(ordered)]
    # Half a step of slack: a day is 23 or 25 hours long twice a year.
    widest = 1.5 * median(steps) if steps else 0
    parts: list[list[Signal]] = [[]]
    before: EventTime | None = None
    for signal in ordered:
        if before is not None and signal.at - before > widest:
            parts.append([])
        if isinstance(signal.value, float | int):
            parts[-1].append(signal)
        else:
            parts.append([])
        before = signal.at
    return [part for part in parts if part]


def outlines(signals: Iterable[Signal], zone: str, fill: str, edge: int = 0) -> list[go.Scatter]:
    """Intervals as one closed outline per run: a fill to the next line would bridge the holes."""
    found = []
    for part in runs(signals):
        bounded = [signal for signal in part if signal.low is not None and signal.high is not None]
        at = [axis_time(signal.at, zone) for signal in bounded]
        found.append(
            go.Scatter(
                x=at + at[::-1],
                y=[signal.high for signal in bounded] + [signal.low for signal in reversed(bounded)],
                fill="toself",
                fillcolor=fill,
                line={"width": edge, "color": fill},
                mode="lines",
                hoverinfo="skip",
                showlegend=False,
            )
        )
    return found


def broken_line(signals: Iterable[Signal], zone: str, scale: float = 1.0) -> tuple[list[str], list[float | None]]:
    """x and y of a line with a hole between its runs."""
    x: list[str] = []
    y: list[float | None] = []
    for part in runs(signals):
        if x:
            x.append(axis_time(part[0].at, zone))
            y.append(None)
        x += [axis_time(signal.at, zone) for signal in part]
        y += [float(signal.value) * scale for signal in part]  # type: ignore[arg-type]
    return x, y


def by_version(signals: Iterable[Signal]) -> dict[str, list[Signal]]:
    """The signals of each version (and class, where the output has some), in the order of their first appearance."""
    series: dict[str, list[Signal]] = {}
    for signal in sorted(signals, key=lambda signal: signal.at):
        labels = dict(signal.labels)
        name = " ".join(labels[key] for key in ("version", "class") if key in labels)
        series.setdefault(name, []).append(signal)
    return series


def say(drawn: go.Figure, text: str) -> go.Figure:
    """Words in the middle of an empty picture."""
    drawn.add_annotation(
        text=safe(text, 200), showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper", font={"color": FAINT}
    )
    return drawn.update_xaxes(visible=False).update_yaxes(visible=False)
