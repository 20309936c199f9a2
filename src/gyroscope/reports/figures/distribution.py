"""One column of two profiles side by side: the share of rows in each bin of the reference.

The comparison's report and notebooks call `distribution`. It draws counts and never rows.
"""

from __future__ import annotations

from itertools import pairwise

import plotly.graph_objects as go

from gyroscope.records import NotEnoughData
from gyroscope.reports.theme import BLUE, GREYS, figure, safe, say
from gyroscope.stats.arrays import Floats
from gyroscope.stats.profiles import Bins, ColumnCounts, NumericBins

MOST_BARS = 24
"""More bars are thinner than a finger on a telephone: the smallest categories are added up."""


def distribution(name: str, reference: ColumnCounts, current: ColumnCounts) -> go.Figure:
    """Draw the shares of both on the reference's bins; cells that are empty in both are left out.

    Numeric bins held about the same mass in the reference, so a bar that stands out is rows that moved.
    """
    before, after = reference.shares, current.shares
    if isinstance(before, NotEnoughData) or isinstance(after, NotEnoughData):
        return say(figure([], 120), "one of the two has no rows")
    labels = [*reference.bins.labels, "infinite", "missing"]
    shown = [place for place in range(len(labels)) if before[place] > 0 or after[place] > 0]
    if not isinstance(reference.bins, NumericBins):
        shown = _largest(shown, before + after)
    left_out = 1 - float(after[shown].sum())
    # Names may repeat after they are cut; the bars stand at numbers and carry the names as ticks.
    names = [labels[place] for place in shown]
    traces = [_bars("reference", before[shown], names, GREYS[0]), _bars("current", after[shown], names, BLUE)]
    short = [*_short(reference.bins), "infinite", "missing"]
    ticks = [safe(short[place], 16) for place in shown]
    rest = f"; {left_out:.1%} in smaller categories" if left_out > 0.0005 else ""
    return figure(
        traces,
        300,
        barmode="group",
        bargap=0.15,
        xaxis={
            "tickvals": list(range(len(names))),
            "ticktext": ticks,
            "tickangle": -60,
            "title": {"text": safe(name) + rest},
        },
        yaxis={"tickformat": ".0%", "rangemode": "tozero", "title": {"text": "share of rows"}},
    )


def _short(bins: Bins) -> list[str]:
    """Names for ticks: three digits nearly always tell the bins apart; the hover text has all of them."""
    if not isinstance(bins, NumericBins) or not bins.edges:
        return list(bins.labels)
    inner = [f"{low:.3g} to {high:.3g}" if low < high else f"{low:.3g}" for low, high in pairwise(bins.edges)]
    return [f"below {bins.edges[0]:.3g}", *inner, f"above {bins.edges[-1]:.3g}"]


def _largest(shown: list[int], weight: Floats) -> list[int]:
    largest = sorted(shown, key=lambda place: -weight[place])[:MOST_BARS]
    return sorted(largest)


def _bars(name: str, shares: Floats, names: list[str], colour: str) -> go.Bar:
    return go.Bar(
        x=list(range(len(names))),
        y=shares.tolist(),
        name=name,
        marker={"color": colour, "line": {"width": 0}},
        text=[safe(label) for label in names],
        textposition="none",
        hovertemplate="%{text}: %{y:.2%}<extra>" + name + "</extra>",
    )
