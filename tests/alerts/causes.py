"""Causes made up by day, as monitors would hand them in."""

from __future__ import annotations

from typing import Any, get_args

from gyroscope.clock import DAY_US, EventTime
from gyroscope.records import Cause, CauseKind, Judged

NEAR = 3 * DAY_US


def cause(kind: CauseKind, day: int, *subjects: str, **more: Any) -> Cause:
    """One that began and was certain on that day."""
    at = EventTime(day * DAY_US)
    fields = {"model": "m", "version": "v", "since": at, "seen": at, "reason": f"{kind} since day {day}"}
    return Cause(kind=kind, subjects=subjects, **{**fields, **more})


def judged(*causes: Cause, upto: int = 100) -> Judged:
    """A round in which the windows of both versions were judged up to a day, for every kind."""
    kinds = get_args(CauseKind)
    newest = {(version, kind): EventTime(upto * DAY_US) for version in ("v", "w") for kind in kinds}
    return Judged(causes, newest, NEAR, EventTime(1_000 * DAY_US))
