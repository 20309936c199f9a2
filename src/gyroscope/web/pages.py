"""The pages for people: the list of models, and one page per model.

Each route gathers facts as text and hands them to a template; figures are fetched by the page itself.
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gyroscope.clock import EventTime, day_of, iso, wall_now
from gyroscope.records import NotEnoughData, Signal
from gyroscope.reports.segments import shown_metrics
from gyroscope.settings_models import ModelPolicy
from gyroscope.web.early import early_labels_text
from gyroscope.web.incidents import lines
from gyroscope.web.overview import Event, last_events, overview
from gyroscope.web.parts import Parts, check_model, shown_version
from gyroscope.web.render import page
from gyroscope.web.segments import rows_of
from gyroscope.web.series import EVENT_SPAN_US, event_signals, metrics_of, newest_window

MOST_READINGS = 12
TABLE_ROWS = 31


class Facts(msgspec.Struct, frozen=True):
    """The parts of a model's page that change while one looks at it, as text by the name of their place."""

    texts: dict[str, str]
    events: tuple[Event, ...]


def home(request: Request) -> Response:
    """`GET /`: every model with its state."""
    parts: Parts = request.app.state.parts
    seen = overview(parts)
    return page("home.html", seen=seen, processes=[one for one in seen.processes if one.kind != "replica"])


def model(request: Request) -> Response:
    """`GET /models/{model}`."""
    parts: Parts = request.app.state.parts
    name = check_model(parts, request.path_params["model"])
    known = metrics_of(parts, name)
    version = shown_version(parts, name)
    by_segment = shown_metrics(version.signature.task)
    return page(
        "model.html",
        model=name,
        version=version,
        zone=parts.settings.monitoring.timezone,
        metrics=known,
        facts=_facts(parts, name),
        windows=_windows(parts, name, known),
        readings=_readings(parts, name),
        early=early_labels_text(parts, name),
        incidents=lines(parts, name),
        budget=_budget_text(parts, name),
        segments=rows_of(parts, name, by_segment),
        segment_metrics=by_segment,
        waiting=_waiting_text(parts, name),
        day=lambda at: day_of(at, parts.settings.monitoring.timezone),
    )


def _budget_text(parts: Parts, name: str) -> str:
    """What people said was noise, beside what they can afford."""
    newest = newest_window(parts, name)
    own = parts.settings.models.get(name, ModelPolicy()).monitor.false_alarms
    noise = 0 if isinstance(newest, NotEnoughData) else parts.incidents.noise(name, newest)
    return f"{noise} called noise in 30 days; affordable: {own or parts.settings.monitoring.false_alarms}"


def _waiting_text(parts: Parts, name: str) -> str:
    """Why nothing is judged yet, where that is so."""
    found = parts.monitor.basis(name, shown_version(parts, name).version, wall_now())
    return f"{found.reason}." if isinstance(found, NotEnoughData) else ""


def facts(request: Request) -> Response:
    """`GET /models/{model}/facts.json`: the changing parts again."""
    parts: Parts = request.app.state.parts
    found = _facts(parts, check_model(parts, request.path_params["model"]))
    return Response(msgspec.json.encode(found), media_type="application/json")


def _facts(parts: Parts, name: str) -> Facts:
    seen = next(one for one in overview(parts).models if one.name == name)
    machine = {
        "requests_per_s": ("{:,.0f}", 1.0),
        "errors_per_s": ("{:,.1f}", 1.0),
        "latency_p50_s": ("{:.1f} ms", 1_000.0),
        "latency_p99_s": ("{:.1f} ms", 1_000.0),
    }
    texts = {
        "routes": seen.routes_text,
        "replicas": seen.replicas_text,
        "window": _newest_text(parts, name),
        "as_of": iso(wall_now(), parts.settings.monitoring.timezone)[:19].replace("T", " "),
        **{key: _latest(parts, key, name, text, scale) for key, (text, scale) in machine.items()},
        **{f"labels_{state}": f"{count:,}" for state, count in seen.labels.items()},
    }
    return Facts(texts, tuple(last_events(parts)))


def _newest_text(parts: Parts, name: str) -> str:
    newest = newest_window(parts, name)
    return newest.reason if isinstance(newest, NotEnoughData) else day_of(newest, parts.settings.monitoring.timezone)


def _latest(parts: Parts, signal: str, name: str, text: str, scale: float) -> str:
    latest = parts.signals.latest(signal, {"model": name})
    known = latest if isinstance(latest, NotEnoughData) else latest.value
    return "–" if isinstance(known, NotEnoughData) else text.format(known * scale)


def _windows(parts: Parts, name: str, metrics: tuple[str, ...]) -> list[tuple[EventTime, list[str]]]:
    """The newest windows as a table for people without pictures, newest first; one cell per metric, then coverage."""
    signals = event_signals(parts, "performance", {"model": name})
    covered = {signal.at: signal for signal in event_signals(parts, "label_coverage", {"model": name})}
    cells = {(signal.at, dict(signal.labels).get("metric", "")): signal for signal in signals}
    newest = sorted({*(signal.at for signal in signals), *covered}, reverse=True)[:TABLE_ROWS]
    return [(at, [*(_cell(cells.get((at, metric))) for metric in metrics), _cell(covered.get(at))]) for at in newest]


def _cell(signal: Signal | None) -> str:
    if signal is None:
        return "–"
    if isinstance(signal.value, NotEnoughData):
        return "not enough data"
    return f"{signal.value:.3f}"


def _readings(parts: Parts, name: str) -> list[Signal]:
    """Windows that crossed a plain limit, newest first: information, nobody is paged."""
    newest = newest_window(parts, name)
    if isinstance(newest, NotEnoughData):
        return []
    found = parts.signals.query("reading", {"model": name}, EventTime(newest - EVENT_SPAN_US), EventTime(newest + 1))
    return found[::-1][:MOST_READINGS]
