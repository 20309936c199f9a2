"""What was said against what came true: on the diagonal a score means what it says.

Pages, reports and notebooks call `calibration_curve` with the groups of `stats.performance.calibration`.
"""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from gyroscope.records import NotEnoughData
from gyroscope.reports.theme import BLUE, FAINT, GREYS, figure, safe, say
from gyroscope.stats.performance import CalibrationBin


def calibration_curve(
    current: Sequence[CalibrationBin] | NotEnoughData, reference: Sequence[CalibrationBin] | NotEnoughData
) -> go.Figure:
    """Draw both over the diagonal, each group with the interval of its share."""
    drawn = [
        _points(name, found, colour)
        for name, found, colour in (("reference", reference, GREYS[2]), ("since then", current, BLUE))
        if not isinstance(found, NotEnoughData) and found
    ]
    if not drawn:
        reason = current.reason if isinstance(current, NotEnoughData) else "no labelled rows"
        return say(figure([], 120), reason)
    diagonal = go.Scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": FAINT, "dash": "dot", "width": 1}, showlegend=False,
        hoverinfo="skip",
    )  # fmt: skip
    top = max(max(*trace.x, *trace.y) for trace in drawn)
    return figure(
        [diagonal, *drawn],
        300,
        hovermode="closest",
        xaxis={"title": {"text": "score said"}, "range": [0, min(1.0, 1.1 * top)]},
        yaxis={"title": {"text": "share that came true"}, "range": [0, min(1.0, 1.1 * top)]},
    )


def _points(name: str, found: Sequence[CalibrationBin], colour: str) -> go.Scatter:
    return go.Scatter(
        x=[one.score for one in found],
        y=[one.share.value for one in found],
        error_y={
            "type": "data",
            "array": [one.share.high - one.share.value for one in found],
            "arrayminus": [one.share.value - one.share.low for one in found],
            "width": 0,
            "thickness": 1,
        },
        mode="lines+markers",
        line={"color": colour, "width": 1.5},
        marker={"size": 5},
        name=safe(name),
        text=[f"{one.share.n:,} rows" for one in found],
        hovertemplate="said %{x:.3f}, came true %{y:.3f}, %{text}<extra>" + safe(name) + "</extra>",
    )
