"""A rehearsal: the incidents that another budget would have opened on a model's own history, grouped as in earnest.

The command line and notebooks call it. It writes nothing anywhere.
"""

from __future__ import annotations

import msgspec

from gyroscope.alerts import Incident
from gyroscope.alerts.reconcile import reconcile
from gyroscope.assembly.house import House
from gyroscope.clock import DAY_US, EventTime
from gyroscope.records import Judged
from gyroscope.signals.store import Signals

NEAR_DAYS = 3


class Rehearsal(msgspec.Struct, frozen=True):
    """The incidents that would have paged, oldest first, over so many judged days."""

    days: float
    incidents: tuple[Incident, ...]


def rehearsed(house: House, model: str, now: EventTime, false_alarms: float) -> Rehearsal:
    """Replay everything known of a model at a budget of so many false alarms in 30 days."""
    causes = house.monitor.rehearse(model, now, false_alarms)
    found = reconcile((), Judged(tuple(causes), {}, NEAR_DAYS * DAY_US, now)).incidents.values()
    pages = sorted((one for one in found if one.pages), key=lambda one: one.opened)
    return Rehearsal(_judged_days(house.signals, model), tuple(pages))


def _judged_days(signals: Signals, model: str) -> float:
    """How many days of the model's history there are to replay."""
    points = signals.query("predictions", {"model": model}, EventTime(0), EventTime(1 << 62))
    return (points[-1].at - points[0].at) / DAY_US + 1 if points else 0.0
