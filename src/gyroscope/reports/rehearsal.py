"""A rehearsal of scaling as one HTML file: the picture, the table, and what was assumed.

`gyro simulate` calls `rehearsal_html`. It simulates nothing itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from gyroscope.reports.figures.sizes import sizes
from gyroscope.reports.html import Section, Table, self_contained_html
from gyroscope.simulation import Outcome, Trace

HEADER = ("policy", "late or refused", "share", "refused", "replica-seconds", "mean replicas", "reversals")


def rehearsal_html(trace: Trace, outcomes: Sequence[Outcome], assumed: str) -> str:
    """The report as one text; `assumed` says in words which replicas and which promise were simulated."""
    said = "; ".join(f"{one.policy}: {one.violations:,} late or refused" for one in outcomes)
    drawn = Section("What each made of it", text=assumed, figure=sizes(trace, outcomes), said=said)
    listed = Section("In figures", table=Table(HEADER, tuple(rows(outcomes))))
    return self_contained_html(f"Rehearsal: {trace.name}", [drawn, listed])


def rows(outcomes: Sequence[Outcome]) -> list[tuple[str, ...]]:
    """A line for each policy, as the terminal and the report show it."""
    return [
        (
            one.policy,
            f"{one.violations:,}",
            f"{one.violated_share:.3%}",
            f"{one.refused:,}",
            f"{one.replica_s:,.0f}",
            f"{one.replica_s / len(one.sizes):.2f}",
            str(one.reversals),
        )
        for one in outcomes
    ]
