"""The self-contained report of a comparison: a table of all columns, and pictures of those that moved most.

`Comparison.to_html` calls this. It draws what was compared and judges nothing.
"""

from __future__ import annotations

from gyroscope.records import NotEnoughData
from gyroscope.reports.comparison import (
    HEADER,
    ColumnComparison,
    Comparison,
    cells_of,
    effect_text,
    headline,
    interval_text,
    number_text,
)
from gyroscope.reports.figures.distribution import distribution
from gyroscope.reports.html import Section, Table, self_contained_html
from gyroscope.stats.drift import PLAIN, Distance, plain_distance

MOST_FIGURES = 40


def comparison_html(comparison: Comparison) -> str:
    """The self-contained report: the table of all columns, then the most drifted ones as pictures."""
    rows = tuple(cells_of(column) for column in comparison.columns)
    new = f" Not compared, only in the current data: {', '.join(comparison.added)}." if comparison.added else ""
    head = Section(
        "All columns",
        "Effect w: 0 is no drift, 0.1 small, 0.3 medium, 0.5 large; an interval that starts at 0 is compatible with no "
        f"drift at all.{new}",
        table=Table(HEADER, rows),
    )
    drawn = [_picture(comparison, column) for column in comparison.columns[:MOST_FIGURES]]
    return self_contained_html("Current data against its reference", [head, *drawn], headline(comparison))


def _picture(comparison: Comparison, column: ColumnComparison) -> Section:
    name = column.name
    figure = distribution(name, comparison.reference.columns[name], comparison.current.columns[name])
    before, now = column.reference, column.current
    text = f"Effect {effect_text(column.effect)} ({interval_text(column.effect)})."
    if not isinstance(before.median, NotEnoughData) and not isinstance(now.median, NotEnoughData):
        text += (
            f" Median {before.median:.4g}, now {now.median:.4g}; "
            f"5 to 95 % {number_text(before.p05)} to {number_text(before.p95)}, "
            f"now {number_text(now.p05)} to {number_text(now.p95)}."
        )
    known = {
        key: plain_distance(key, comparison.reference.columns[name], comparison.current.columns[name]) for key in PLAIN
    }
    said = [f"{key} {one.value:.3g} ({one.null:.2g})" for key, one in known.items() if isinstance(one, Distance)]
    text += f" By name, in brackets about what each shows without a change: {', '.join(said)}." if said else ""
    return Section(name, text, figure, f"Shares of rows per bin of {name}, reference and current")
