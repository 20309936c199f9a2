"""What figures and pages ask of the store of signals: the newest window, the span that is shown, the metrics to choose.

Every page of a model calls these. Nothing here draws or answers a request.
"""

from __future__ import annotations

from collections.abc import Mapping

from gyroscope.clock import DAY_US, EventTime
from gyroscope.records import NotEnoughData, Signal
from gyroscope.stats.performance import METRICS
from gyroscope.web.parts import Parts

# A year and a bit: the same season twice. Older windows are in the API.
EVENT_SPAN_US = 400 * DAY_US

SHOWN_FIRST = {"binary": "brier", "multiclass": "log_loss", "regression": "rmse", "ranking": "ndcg"}


def newest_window(parts: Parts, model: str) -> EventTime | NotEnoughData:
    """The start of the newest window of event time that was measured."""
    latest = parts.signals.latest("predictions", {"model": model})
    return latest if isinstance(latest, NotEnoughData) else latest.at


def event_signals(parts: Parts, name: str, labels: Mapping[str, str]) -> list[Signal]:
    """The points of one name over the span that pages show."""
    end = newest_window(parts, labels["model"])
    if isinstance(end, NotEnoughData):
        return []
    return parts.signals.query(name, labels, EventTime(end - EVENT_SPAN_US), EventTime(end + 1))


def metrics_of(parts: Parts, model: str) -> tuple[str, ...]:
    """What can be chosen on the page, by the newest version's task, the one shown first in front."""
    task = parts.models.versions(model)[-1].signature.task
    return tuple(sorted(METRICS[task], key=lambda metric: metric != SHOWN_FIRST[task]))


def zone_of(parts: Parts) -> str:
    """The time zone of days and axes."""
    return parts.settings.monitoring.timezone
