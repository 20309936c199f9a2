"""The self-contained report of a model's segments: for each metric a table and the figure of the model's page.

`gyro monitor show --output` calls this. It measures nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from gyroscope.monitoring.segments import Segment
from gyroscope.records import Version
from gyroscope.reports.figures.segments import segment_differences
from gyroscope.reports.html import Section, Table, self_contained_html
from gyroscope.reports.segments import HEADER, row_of, shown_metrics

NOTHING = Section("No segments", "No column is named in monitor.segments, or none of its rows has a label yet.")
ABOUT = "Held against the rest of the column's rows. An interval without 0 is no chance, whenever it is looked at."


def segments_html(model: str, found: Sequence[tuple[Version, Sequence[Segment]]]) -> str:
    """Of each version whose labelled rows fall in segments, a section for each metric."""
    sections = [
        _section(version, segments, metric)
        for version, segments in found
        if segments
        for metric in shown_metrics(version.signature.task)
    ]
    return self_contained_html(f"{model}: is it as right for everybody?", sections or [NOTHING])


def _section(version: Version, segments: Sequence[Segment], metric: str) -> Section:
    words = metric.replace("_", " ")
    return Section(
        f"{words.capitalize()} of {version.version}",
        ABOUT,
        segment_differences(metric, [(one.name, one.differences[metric]) for one in segments]),
        f"How the {words} of each segment differs from the rest. The table shows the numbers.",
        Table(HEADER, tuple(row_of(one, metric) for one in segments)),
    )
