"""`GET /models/{model}/figures/{name}.json`: the figures of a model's page, drawn from the newest signals.

Each entry of `DRAWN` asks the store of signals and calls one figure function. A tag saves the browser from drawing
again what has not changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import plotly.graph_objects as go
from starlette.requests import Request
from starlette.responses import Response

from gyroscope.clock import SECOND_US, EventTime
from gyroscope.errors import InputError, did_you_mean
from gyroscope.records import NotEnoughData
from gyroscope.reports.figures.drift import drift_heat_map
from gyroscope.reports.figures.performance import performance_over_time
from gyroscope.reports.figures.predictions import predictions_over_time
from gyroscope.reports.figures.traffic import traffic_and_latency
from gyroscope.reports.html import figure_json
from gyroscope.web import judged, segments
from gyroscope.web.parts import Parts, check_model
from gyroscope.web.series import event_signals, metrics_of, zone_of

MACHINE_SPAN_US = 15 * 60 * SECOND_US


def figure(request: Request) -> Response:
    """One figure as JSON, or 304 when the browser has it already."""
    parts: Parts = request.app.state.parts
    name, model = request.path_params["name"], check_model(parts, request.path_params["model"])
    if name not in DRAWN:
        raise InputError(f"no figure is called {name!r}", where="figures", fix=did_you_mean(name, DRAWN), status=404)
    text = figure_json(DRAWN[name](parts, model, request.query_params))
    tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    return Response(text, media_type="application/json", headers={"ETag": tag})


def _performance(parts: Parts, model: str, query: Mapping[str, str]) -> go.Figure:
    known = metrics_of(parts, model)
    metric = query.get("metric", known[0])
    if metric not in known:
        raise InputError(f"no metric is called {metric!r}", where="metric", fix=did_you_mean(metric, known), status=404)
    series = event_signals(parts, "performance", {"model": model, "metric": metric})
    coverage = event_signals(parts, "label_coverage", {"model": model})
    early = event_signals(parts, "reading", {"model": model, "kind": "labels"})
    means = event_signals(parts, "performance_mean", {"model": model, "metric": metric})
    return performance_over_time(metric, series, coverage, zone_of(parts), early, means)


def _drift(parts: Parts, model: str, _: Mapping[str, str]) -> go.Figure:
    limit = parts.settings.monitoring.thresholds.drift_effect
    return drift_heat_map(event_signals(parts, "drift", {"model": model}), zone_of(parts), limit)


def _predictions(parts: Parts, model: str, _: Mapping[str, str]) -> go.Figure:
    names = ("predictions", "output_mean", "positive_share")
    volume, mean, positive = (event_signals(parts, name, {"model": model}) for name in names)
    return predictions_over_time(volume, mean, positive, zone_of(parts))


def _traffic(parts: Parts, model: str, _: Mapping[str, str]) -> go.Figure:
    latest = parts.signals.latest("requests_per_s", {"model": model})
    if isinstance(latest, NotEnoughData):
        return traffic_and_latency([], [], [], [])
    start, end = EventTime(latest.at - MACHINE_SPAN_US), EventTime(latest.at + 1)
    names = ("requests_per_s", "errors_per_s", "latency_p50_s", "latency_p99_s")
    requests, errors, median, p99 = (parts.signals.query(name, {"model": model}, start, end) for name in names)
    return traffic_and_latency(requests, errors, median, p99, zone_of(parts))


DRAWN: dict[str, Callable[[Parts, str, Mapping[str, str]], go.Figure]] = {
    "performance": _performance,
    "drift": _drift,
    "predictions": _predictions,
    "traffic": _traffic,
    "incidents": judged.incidents,
    "incident": judged.incident,
    "evidence": judged.evidence,
    "calibration": judged.calibrated,
    "estimated": judged.estimated,
    "hours": judged.hours,
    "segments": segments.differences,
}
