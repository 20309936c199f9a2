"""Causes made up by day, as monitors would hand them in."""

from __future__ import annotations

from typing import Any

from gyroscope.clock import DAY_US, EventTime
from gyroscope.records import Cause, CauseKind

NEAR = 3 * DAY_US


def cause(kind: CauseKind, day: int, *subjects: str, **more: Any) -> Cause:
    """One that began and was certain on that day."""
    at = EventTime(day * DAY_US)
    fields = {"model": "m", "version": "v", "since": at, "seen": at, "reason": f"{kind} since day {day}"}
    return Cause(kind=kind, subjects=subjects, **{**fields, **more})
