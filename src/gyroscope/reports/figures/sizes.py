"""What policies made of a trace: requests, the replicas each had, and the promises each broke, one above the other.

`gyro simulate` calls `sizes`. It draws what it is given, at most one point in two pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from gyroscope.reports.theme import INK, PALETTE, figure
from gyroscope.simulation import Outcome, Trace

MOST_POINTS = 600


def sizes(trace: Trace, outcomes: Sequence[Outcome]) -> go.Figure:
    """Draw a trace and its outcomes by minutes from its start; the colours tell the policies apart."""
    step = max(1, -(-len(trace.per_s) // MOST_POINTS))
    minutes = np.arange(0, len(trace.per_s), step) / 60
    traces = [_line("requests/s", minutes, _by(trace.per_s, step) / step, INK, "y")]
    for outcome, colour in zip(outcomes, PALETTE, strict=False):
        size, broken = outcome.sizes[::step].astype(np.float64), _by(outcome.violations_at, step) * 60 / step
        traces.append(_line(outcome.policy, minutes, size, colour, "y2"))
        traces.append(_line(outcome.policy, minutes, broken, colour, "y3"))
    return figure(
        traces,
        560,
        xaxis={"anchor": "y3", "title": {"text": "minutes"}},
        yaxis={"domain": [0.74, 1], "title": {"text": "requests/s"}, "rangemode": "tozero", "nticks": 4},
        yaxis2={"domain": [0.33, 0.68], "title": {"text": "replicas"}, "rangemode": "tozero", "nticks": 5},
        yaxis3={"domain": [0, 0.27], "title": {"text": "late or refused/min"}, "rangemode": "tozero", "nticks": 4},
    )


def _by(values: NDArray[np.generic], step: int) -> NDArray[np.float64]:
    """Sums of so many seconds each."""
    return np.add.reduceat(values.astype(np.float64), np.arange(0, len(values), step))


def _line(name: str, x: NDArray[np.float64], y: NDArray[np.float64], colour: str, axis: str) -> go.Scatter:
    """Sizes go in steps; the lowest lines are named by the colours of those above."""
    return go.Scatter(
        x=x.tolist(),
        y=y.tolist(),
        yaxis=axis,
        mode="lines",
        line={"color": colour, "width": 1.5, "shape": "hv" if axis == "y2" else "linear"},
        name=name,
        legendgroup=name,
        showlegend=axis != "y3",
        hovertemplate="%{y:,.4g} " + name + "<extra></extra>",
    )
