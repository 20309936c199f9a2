"""Prometheus Alertmanager, API v2: an incident is an alert there, which it groups, routes and silences as it is told.

It keeps alerts in memory, so what stands is told again every minute, as Prometheus does it. An alert whose end has come
is over for it: the end is set a day ahead, which control may be down for, and to now when the incident is over.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gyroscope.alerts.notices import Notice
from gyroscope.alerts.notifiers import Outcome
from gyroscope.alerts.notifiers.posting import Posted, post
from gyroscope.clock import DAY_US, EventTime, iso

PATH = "/api/v2/alerts"
TEST_US = DAY_US // 288
"""A test is over after five minutes."""


class AlertmanagerNotifier:
    """Posts to the Alertmanager at `url`, with or without a path in front."""

    repeat_s = 60.0

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url.rstrip("/") + PATH
        self._timeout_s = timeout_s

    def send(self, notice: Notice, now: EventTime) -> Outcome:
        """One try; Alertmanager takes the same alert again for the same."""
        return self.repeat([notice], now)

    def repeat(self, notices: Sequence[Notice], now: EventTime) -> Outcome:
        """All in one request: a new page waits for one answer at most."""
        body = msgspec.json.encode([alert_of(notice, now) for notice in notices])
        return post(Posted(self._url, body, {"Content-Type": "application/json"}, self._timeout_s), now)


def alert_of(notice: Notice, now: EventTime) -> dict[str, object]:
    """The alert. What identifies it is in its labels; what may change, as its root is found, in its annotations.

    Alertmanager routes by when the alert came, not by event time: a change that data of 2013 shows stands today.
    """
    is_over = notice.happened == "resolved"
    return {
        "labels": {
            "alertname": "GyroscopeIncident",
            "incident": notice.incident,
            "model": notice.model,
            "severity": "page",
        },
        "annotations": {
            "summary": notice.title,
            "description": notice.why,
            "kind": notice.kind,
            "version": notice.version,
            "since": iso(notice.since),
        },
        "startsAt": iso(notice.at if not is_over else EventTime(min(notice.at, now) - 1)),
        "endsAt": iso(now if is_over else EventTime(now + (TEST_US if notice.happened == "test" else DAY_US))),
    }
