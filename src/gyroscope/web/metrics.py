"""`GET /metrics`: counters of the replicas and the newest of every signal, as Prometheus text.

Counters come from the pulses, which outlive a replica, so they never fall; what is not known is left out.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gyroscope.monitoring.alert_look import ALERTS_FILE, read_look
from gyroscope.records import Signal
from gyroscope.signals.prometheus import CONTENT_TYPE, Family, Histogram, Sample, exposition, gauges
from gyroscope.supervisor.pulse import BATCH_BOUNDS, LATENCY_BOUNDS_S
from gyroscope.web.counted import Counted, read_pulses
from gyroscope.web.overview import overview
from gyroscope.web.parts import Parts

CODES = {"2xx": "requests_2xx", "4xx": "requests_4xx", "5xx": "requests_5xx"}
PLAIN = {
    "rows": "Rows answered.",
    "logged": "Predictions written to the log before the reply.",
    "unlogged": "Predictions answered although the log could not take them.",
    "sampled_out": "Answers that sampling left out of the log; those it kept count for them.",
    "model_calls": "Predictions asked of the model; each may answer several requests (past the line, one each).",
    "model_requests": "Requests that these predictions were for: over model_calls, the mean batch.",
    "copied": "Copies of answered requests sent to a shadow.",
    "copies_lost": "Copies that a shadow could not take, which were dropped.",
    "rejected": "Requests turned away for lack of room or time.",
}
LIMITS = (
    ("gyroscope_inflight_limit", "Requests at once that a replica asks the door for.", 0),
    ("gyroscope_queue_room", "Requests that may wait at the door for a replica.", 1),
)
NOW = (
    ("gyroscope_requests_in_model", "Requests that the model of a replica works on at this moment.", 0),
    ("gyroscope_requests_waiting", "Requests in line inside a replica at this moment.", 1),
)
RENAMED = {
    # Signal -> (its name here, what the name of its label becomes). Prometheus users look for these.
    "performance": ("model_quality", {}),
    "drift": ("drift_score", {"column": "feature"}),
    # Only histograms may end in _count.
    "label_count": ("labelled_rows", {}),
}
HELPS = {
    "desired_replicas": "Replicas that the loop of scaling wants, acting or not.",
    "model_quality": "Newest value of a metric of the model, by windows of event time.",
    "labelled_rows": "Labels joined to rows of the newest window.",
    "drift_score": "Newest effect size w of a feature against the reference.",
}
MACHINE_OR_EVENT = (
    "performance", "drift", "label_coverage", "label_count", "predictions", "output_mean", "positive_share",
    "labels_mature", "error_share", "missing_share", "requests_per_s", "errors_per_s", "latency_p50_s", "latency_p99_s",
    "desired_replicas", "rule", "undelivered",
)  # fmt: skip


def metrics(request: Request) -> Response:
    """One scrape."""
    parts: Parts = request.app.state.parts
    families = [*_families(read_pulses(parts.runtime / "pulses")), *_replicas(parts), *_alerts(parts), *_signals(parts)]
    return Response(exposition(families), media_type=CONTENT_TYPE)


def _families(counted: list[Counted]) -> Iterable[Family]:
    requests = [
        Sample(one.counters[name], (*one.labels, ("code", code))) for one in counted for code, name in CODES.items()
    ]
    yield Family("gyroscope_requests_total", "counter", "Requests answered, by class of status.", tuple(requests))
    times = [Histogram(LATENCY_BOUNDS_S, one.buckets, one.latency_s, one.labels) for one in counted]
    yield Family("gyroscope_request_duration_seconds", "histogram", "Time a replica took for a request.", tuple(times))
    for name, text in PLAIN.items():
        samples = tuple(Sample(one.counters[name], one.labels) for one in counted)
        yield Family(f"gyroscope_{name}_total", "counter", text, samples)
    busy = tuple(Sample(one.counters["busy_ns"] / 1e9, one.labels) for one in counted)
    yield Family("gyroscope_busy_seconds_total", "counter", "Time a replica spent in the model; its rate: busy.", busy)
    queued = tuple(Sample(one.counters["queue_ns"] / 1e9, one.labels) for one in counted)
    text = "Time from the arrival of requests at a replica to their predictions, all together."
    yield Family("gyroscope_queue_seconds_total", "counter", text, queued)
    sizes = [Histogram(BATCH_BOUNDS, (*one.batches, 0), one.counters["model_requests"], one.labels) for one in counted]
    yield Family("gyroscope_batch_requests", "histogram", "Requests that one prediction was for.", tuple(sizes))
    for name, text, index in NOW:
        yield Family(name, "gauge", text, tuple(Sample(one.now[index], one.labels) for one in counted if one.now))
    for name, text, index in LIMITS:
        yield Family(
            name, "gauge", text, tuple(Sample(one.admits[index], one.labels) for one in counted if one.admits[index])
        )


def _replicas(parts: Parts) -> Iterable[Family]:
    models = overview(parts).models
    samples = [
        Sample(count, (("model", model.name), ("state", state)))
        for model in models
        for state, count in (("ready", model.replicas_ready), ("wanted", model.replicas_wanted))
    ]
    yield Family("gyroscope_replicas", "gauge", "Replicas that are ready, and that are wanted.", tuple(samples))


def _alerts(parts: Parts) -> Iterable[Family]:
    look = read_look(parts.runtime / ALERTS_FILE)
    samples = [
        Sample(int(known.is_standing), (("name", known.alert.name), ("model", known.alert.model)))
        for known in (look.alerts if look else ())
    ]
    yield Family("gyroscope_alert", "gauge", "1 while something is wrong that a person should mend.", tuple(samples))


def _signals(parts: Parts) -> list[Family]:
    """The newest of every series; those of a version that has no route any more would stand still for ever."""
    routed = {route.version for model in parts.models.models() for route in parts.routes.routes(model)}
    newest = [
        signal
        for name in MACHINE_OR_EVENT
        for signal in parts.signals.newest(name)
        if dict(signal.labels).get("version", "") in {"", *routed}
    ]
    return gauges([_renamed(signal) for signal in newest], HELPS)


def _renamed(signal: Signal) -> Signal:
    name, labels = RENAMED.get(signal.name, (signal.name, {}))
    renamed = tuple((labels.get(key, key), value) for key, value in signal.labels)
    return msgspec.structs.replace(signal, name=name, labels=renamed)
