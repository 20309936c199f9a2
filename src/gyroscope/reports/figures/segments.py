"""How each segment differs from the rest of its column, one line each with an interval that holds at every look.

Pages, reports and notebooks call `segment_differences`. It never reads a store.
"""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from gyroscope.records import NotEnoughData
from gyroscope.reports.theme import BLUE, FAINT, figure, safe, say
from gyroscope.stats.performance import Estimate

ROW_PX, FRAME_PX = 22, 90
MOST = 40


def segment_differences(metric: str, found: Sequence[tuple[str, Estimate | NotEnoughData]]) -> go.Figure:
    """Draw each difference around 0; those that are not known are left out.

    Parameters
    ----------
    metric : str
        Its name, for the axis.
    found : sequence of (segment, difference)
        The metric of the segment less that of the rest of its column; the first 40 that are known are drawn.
    """
    known = [(name, gap) for name, gap in found if isinstance(gap, Estimate)][:MOST]
    if not known:
        reason = next((gap.reason for _, gap in found if isinstance(gap, NotEnoughData)), "no segment is named")
        return say(figure([], 120), reason)
    points = go.Scatter(
        x=[gap.value for _, gap in known],
        y=[safe(name, 24) for name, _ in known],
        error_x={
            "type": "data",
            "array": [gap.high - gap.value for _, gap in known],
            "arrayminus": [gap.value - gap.low for _, gap in known],
            "width": 0,
            "thickness": 1.5,
        },
        mode="markers",
        marker={"size": 7, "color": BLUE},
        text=[f"{gap.value:+.3g} ({gap.low:+.3g} to {gap.high:+.3g})" for _, gap in known],
        hovertemplate="%{y}: %{text}<extra></extra>",
        showlegend=False,
    )
    return figure(
        [points],
        FRAME_PX + ROW_PX * len(known),
        hovermode="closest",
        xaxis={
            "title": {"text": f"{safe(metric.replace('_', ' '))}, less the rest"},
            "zeroline": True,
            "zerolinecolor": FAINT,
        },
        yaxis={"autorange": "reversed", "type": "category", "dtick": 1},
    )
