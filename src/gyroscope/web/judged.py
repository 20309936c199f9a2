"""Figures about what monitors are sure of: the time line, the evidence, one incident, and calibration.

`figures.py` lists them beside the others. Each asks a store and calls one figure function.
"""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from gyroscope.alerts import Incident
from gyroscope.clock import DAY_US, HOUR_US, EventTime
from gyroscope.records import NotEnoughData, Signal
from gyroscope.reports.figures.calibration import calibration_curve
from gyroscope.reports.figures.drift import drift_heat_map
from gyroscope.reports.figures.estimates import estimated_and_realised
from gyroscope.reports.figures.evidence import evidence_over_time
from gyroscope.reports.figures.hours import hours_over_time
from gyroscope.reports.figures.incidents import incident_timeline
from gyroscope.reports.figures.performance import performance_over_time
from gyroscope.reports.theme import INK, axis_time
from gyroscope.signals.store import MACHINE_TIME_NAMES
from gyroscope.stats.performance import calibration
from gyroscope.web.parts import Parts
from gyroscope.web.series import EVENT_SPAN_US, event_signals, newest_window, zone_of

CALIBRATION_US = 30 * DAY_US


def incidents(parts: Parts, model: str, _: Mapping[str, str]) -> go.Figure:
    newest = newest_window(parts, model)
    upto = EventTime(0) if isinstance(newest, NotEnoughData) else newest
    return incident_timeline(parts.incidents.all(model), upto, zone_of(parts))


def evidence(parts: Parts, model: str, _: Mapping[str, str]) -> go.Figure:
    return evidence_over_time(event_signals(parts, "evidence", {"model": model}), zone_of(parts))


def estimated(parts: Parts, model: str, _: Mapping[str, str]) -> go.Figure:
    """The Brier score as scores alone let expect it, and as it was; of the newest version."""
    about = {"model": model, "metric": "brier", "version": parts.models.versions(model)[-1].version}
    before, after = (event_signals(parts, name, about) for name in ("performance_estimated", "performance"))
    return estimated_and_realised("brier", before, after, zone_of(parts))


def hours(parts: Parts, model: str, _: Mapping[str, str]) -> go.Figure:
    """The newest two weeks hour by hour; what versions said stands after the series of the model."""
    return hours_over_time(_hourly(parts, model), zone_of(parts))


def calibrated(parts: Parts, model: str, _: Mapping[str, str]) -> go.Figure:
    version = parts.models.versions(model)[-1]
    newest = newest_window(parts, model)
    end = EventTime(0) if isinstance(newest, NotEnoughData) else EventTime(newest + 1)
    current = parts.monitor.outcomes(model, version.version, EventTime(end - CALIBRATION_US), end)
    reference = parts.models.reference(version)
    known = reference if isinstance(reference, NotEnoughData) else reference.outcomes
    now, before = (one if isinstance(one, NotEnoughData) else calibration(one) for one in (current, known))
    return calibration_curve(now, before)


def incident(parts: Parts, model: str, query: Mapping[str, str]) -> go.Figure:
    """The series that an incident is about, with lines where the change began and where it was certain."""
    found = parts.incidents.get(query.get("incident", ""))
    drawn = _series_of(parts, model, found)
    for at, dash in ((found.since, "dot"), (found.opened, "dash")):
        drawn.add_vline(x=axis_time(at, zone_of(parts)), line={"color": INK, "width": 1, "dash": dash})
    return drawn


def _limited(parts: Parts, found: Incident) -> go.Figure:
    """The series that a rule watched, by the seconds of an hour or by windows."""
    signal = found.bundle[0]
    reach = HOUR_US if signal.name in MACHINE_TIME_NAMES else EVENT_SPAN_US
    stretch = EventTime(found.since - reach), EventTime(found.opened + reach)
    points = parts.signals.query(signal.name, dict(signal.labels), *stretch)
    return hours_over_time({signal.name: points}, zone_of(parts))


def _hourly(parts: Parts, model: str) -> dict[str, tuple[Signal, ...]]:
    return {f"{one.name} {one.version}".strip(): one.points for one in parts.monitor.hours(model)}


def _series_of(parts: Parts, model: str, found: Incident) -> go.Figure:
    if found.kind == "rule":
        return _limited(parts, found)
    if found.kind in ("performance", "relation", "estimate"):
        metric, _, segment = next(iter(found.subjects), "").partition(" of ")
        labels = {"model": model, "metric": metric}
        series = (
            event_signals(parts, "segment_performance", {**labels, "segment": segment})
            if segment
            else event_signals(parts, "performance", labels)
        )
        coverage = event_signals(parts, "label_coverage", {"model": model})
        return performance_over_time(metric, series, coverage, zone_of(parts))
    hourly = {name: points for name, points in _hourly(parts, model).items() if name.startswith(found.subjects)}
    if hourly and found.kind in ("seasonal", "quality"):
        return hours_over_time(hourly, zone_of(parts))
    drift = event_signals(parts, "drift", {"model": model})
    chosen = [one for one in drift if dict(one.labels).get("column") in found.subjects]
    return drift_heat_map(chosen, zone_of(parts), parts.settings.monitoring.thresholds.drift_effect)
