"""The demo's HTML report: the table by month and the figures of the page, in one file.

`run.py` calls `write_report` when everything is measured. It reads signals; it measures nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gyroscope.assembly import House
from gyroscope.demo.closing import Way
from gyroscope.demo.flights import ZONE
from gyroscope.demo.outcome import ALWAYS, cells, coverage
from gyroscope.demo.place import MODEL
from gyroscope.demo.stage import Champion
from gyroscope.monitoring.months import Month
from gyroscope.records import NotEnoughData, Signal
from gyroscope.reports.figures.drift import drift_heat_map
from gyroscope.reports.figures.performance import performance_over_time
from gyroscope.reports.figures.predictions import predictions_over_time
from gyroscope.reports.figures.traffic import traffic_and_latency
from gyroscope.reports.html import Section, Table, self_contained_html, write_html

SHOWN = {"brier": "Brier score", "accuracy": "Accuracy", "recall": "Recall", "auc": "AUC"}
TABLE = ("accuracy", "precision", "recall", "f1", "auc")


def write_report(
    path: Path, house: House, champions: Sequence[Champion], by_month: list[Month], ways: Sequence[Way]
) -> None:
    """Write the report. Raises `StoreError` when the folder refuses."""
    seen = _Seen(house, champions)
    sections = [_ways(ways), _months(by_month), *_performance(seen), _predictions(seen), _drift(house, seen)]
    sections.append(_traffic(house))
    versions = ", then ".join(one.version for one in champions)
    subtitle = f"Will a flight arrive more than 15 minutes late? Answered by {versions}. Days are New York's."
    write_html(path, self_contained_html("New York flights, 2013", sections, subtitle))


class _Seen:
    """The signals of event time, each of the version that was champion then."""

    def __init__(self, house: House, champions: Sequence[Champion]) -> None:
        self._house = house
        ends = [one.since for one in champions[1:]] + [ALWAYS[1]]
        self._spans = [(one.version, one.since, end) for one, end in zip(champions, ends, strict=True)]

    def of(self, name: str, **labels: str) -> list[Signal]:
        found: list[Signal] = []
        for version, start, end in self._spans:
            found += self._house.signals.query(name, {"model": MODEL, "version": version, **labels}, start, end)
        return found


def _ways(ways: Sequence[Way]) -> Section:
    header = ("way", "trainings", "Brier score", *(f"2013-{month:02d}" for month in ways[0].by_month))
    rows = tuple(
        (way.name, str(way.trainings), f"{way.brier:.4f}", *(f"{value:.3f}" for value in way.by_month.values()))
        for way in ways
    )
    text = (
        "The same flights, as they were sent, lived through in four ways: the loop by what it answered, the others by "
        "models trained on what was known by then; in hindsight the best of those there were is taken for each month."
    )
    return Section("What the loop was worth", text, table=Table(header, rows))


def _months(by_month: list[Month]) -> Section:
    header = (
        "month",
        "flights",
        "labelled",
        "accuracy",
        "precision",
        "recall",
        "F1",
        "AUC",
        "Brier score",
        "95 % interval",
    )
    rows = tuple(
        (month.month, f"{month.predictions:,}", coverage(month), *cells(month, (*TABLE, "brier")), _interval(month))
        for month in by_month
    )
    text = (
        "Flights without an arrival (cancelled or diverted) never get a label. "
        "The interval of the Brier score is that of the month's own rows."
    )
    return Section("Month by month", text, table=Table(header, rows))


def _interval(month: Month) -> str:
    brier = month.metrics["brier"]
    return "-" if isinstance(brier, NotEnoughData) else f"{brier.low:.3f} to {brier.high:.3f}"


def _performance(seen: _Seen) -> list[Section]:
    coverage = seen.of("label_coverage")
    return [
        Section(
            f"{title} by day",
            "The band holds the mean of all days since the last alarm, at every look (95 %); for a metric that does "
            "not page it is the interval of each day alone. Below, the share of the day's flights that have a label.",
            performance_over_time(
                metric,
                seen.of("performance", metric=metric),
                coverage,
                ZONE,
                means=seen.of("performance_mean", metric=metric),
            ),
            said=f"{title} per day of 2013 with its 95 % interval",
        )
        for metric, title in SHOWN.items()
    ]


def _predictions(seen: _Seen) -> Section:
    figure = predictions_over_time(seen.of("predictions"), seen.of("output_mean"), seen.of("positive_share"), ZONE)
    return Section("Predictions over time", "How many, how high on average, and how many said late.", figure)


def _drift(house: House, seen: _Seen) -> Section:
    limit = house.settings.monitoring.thresholds.drift_effect
    text = (
        "How far each day lies from the held-out days of January and February: an effect size, less the noise of small "
        "samples. Weather columns drift with the season; that alone harms nobody."
    )
    return Section("Drift of every column", text, drift_heat_map(seen.of("drift"), ZONE, limit))


def _traffic(house: House) -> Section:
    names = ("requests_per_s", "errors_per_s", "latency_p50_s", "latency_p99_s")
    start, end = ALWAYS
    requests, errors, median, p99 = (house.signals.query(name, {"model": MODEL}, start, end) for name in names)
    return Section(
        "Traffic and latency",
        "The machine's own time, while the flights were sent.",
        traffic_and_latency(requests, errors, median, p99),
    )
