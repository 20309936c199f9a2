"""One metric per window of event time with its 95 % interval, and the share of rows with a label below it.

Pages and reports call `performance_over_time` with signals. It never reads a store.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import plotly.graph_objects as go

from gyroscope.records import NotEnoughData, Signal
from gyroscope.reports.theme import (
    FAINT,
    GREYS,
    PALETTE,
    axis_time,
    broken_line,
    by_version,
    figure,
    outlines,
    safe,
    say,
    tint,
)

LOWER_IS_BETTER = frozenset({"brier", "log_loss", "mae", "rmse"})


def performance_over_time(
    metric: str,
    signals: Sequence[Signal],
    coverage: Sequence[Signal],
    zone: str = "UTC",
    early: Sequence[Signal] = (),
    means: Sequence[Signal] = (),
) -> go.Figure:
    """Draw one line per version.

    Parameters
    ----------
    metric : str
        Its name, for the axis.
    signals : sequence of Signal
        One per window and version; unknown ones become crosses that tell their reason.
    coverage : sequence of Signal
        Share (0 to 1) of each window's rows that have a label.
    zone : str
        Time zone of the horizontal axis.
    early : sequence of Signal
        Readings of kind `labels`: windows whose first labels are not like the rest.
    means : sequence of Signal
        `performance_mean`: of all windows since the last alarm, with an interval that holds at every look. The band is
        this one where it is known, else each window's own.
    """
    if not signals and not coverage:
        return say(figure([], 120), "no window has been measured yet")
    traces, so_far = [], by_version(means)
    for colour, (version, series) in zip(cycle(PALETTE), by_version(signals).items(), strict=False):
        band = so_far.get(version, series)
        traces += [*outlines(band, zone, tint(colour, 0.18), edge=1), _line(series, zone, colour, version)]
    traces += [*_unknown(signals, zone), *_misleading(signals, early, zone)]
    traces.append(_coverage(coverage, zone))
    better = "lower is better" if metric in LOWER_IS_BETTER else "higher is better"
    return figure(
        traces,
        340,
        # One shared axis at the very bottom: the gap between the two pictures carries no labels.
        xaxis={"anchor": "y2", "type": "date"},
        yaxis={"domain": [0.34, 1], "title": {"text": f"{safe(metric)} ({better})"}},
        yaxis2={
            "domain": [0, 0.24],
            "range": [0, 1.02],
            "tickformat": ".0%",
            "title": {"text": "labelled"},
            "nticks": 3,
        },
    )


def _line(series: list[Signal], zone: str, colour: str, version: str) -> go.Scatter:
    x, y = broken_line(series, zone)
    known = {axis_time(signal.at, zone): signal for signal in series if not isinstance(signal.value, NotEnoughData)}
    words = [_words(known[at]) if value is not None else "" for at, value in zip(x, y, strict=True)]
    return go.Scatter(
        x=x,
        y=y,
        mode="lines+markers",
        line={"color": colour, "width": 1.5},
        marker={"size": 4},
        name=safe(f"version {version}" if version else "value", 24),
        text=words,
        hovertemplate="%{text}<extra></extra>",
    )


def _words(signal: Signal) -> str:
    interval = f" ({signal.low:.4g} to {signal.high:.4g})" if signal.low is not None and signal.high is not None else ""
    return f"{signal.value:.4g}{interval}, {signal.n:,} rows"


def _unknown(signals: Sequence[Signal], zone: str) -> list[go.Scatter]:
    unknown = [signal for signal in signals if isinstance(signal.value, NotEnoughData)]
    known = [signal.low if signal.low is not None else signal.value for signal in signals if signal not in unknown]
    if not unknown:
        return []
    floor = min((value for value in known if isinstance(value, float | int)), default=0.0)
    return [
        go.Scatter(
            x=[axis_time(signal.at, zone) for signal in unknown],
            y=[floor] * len(unknown),
            mode="markers",
            marker={"symbol": "x-thin-open", "size": 7, "color": FAINT},
            name="not enough data",
            text=[safe(signal.value.reason) for signal in unknown if isinstance(signal.value, NotEnoughData)],
            hovertemplate="not enough data: %{text}<extra></extra>",
        )
    ]


def _misleading(signals: Sequence[Signal], early: Sequence[Signal], zone: str) -> list[go.Scatter]:
    doubted = {(one.at, dict(one.labels).get("version")) for one in early}
    found = [
        one
        for one in signals
        if (one.at, dict(one.labels).get("version")) in doubted and not isinstance(one.value, NotEnoughData)
    ]
    if not found:
        return []
    return [
        go.Scatter(
            x=[axis_time(signal.at, zone) for signal in found],
            y=[signal.value for signal in found],
            mode="markers",
            marker={"symbol": "diamond-open", "size": 10, "color": FAINT, "line": {"width": 2}},
            name="first labels, not like the rest",
            hovertemplate="the first labels are not like the rest<extra></extra>",
        )
    ]


def _coverage(coverage: Sequence[Signal], zone: str) -> go.Bar:
    known = [signal for signal in coverage if not isinstance(signal.value, NotEnoughData)]
    return go.Bar(
        x=[axis_time(signal.at, zone) for signal in known],
        y=[signal.value for signal in known],
        yaxis="y2",
        marker={"color": GREYS[0], "line": {"width": 0}},
        name="rows with a label",
        hovertemplate="%{y:.1%} labelled<extra></extra>",
        showlegend=False,
    )
