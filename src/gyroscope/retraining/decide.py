"""Whether to train a model anew now, and why; pure, from one record of all that is known.

The loop asks once a second, `gyro retrain --dry-run` when a person wants to know, `gyro explain` from the journal.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from gyroscope.clock import DAY_US, EventTime
from gyroscope.records import Decision

HALTS_AFTER = 2
"""Challengers taken back one after another: the third would be made of the same data by the same code."""


class Reason(StrEnum):
    """Why it trains, or does not."""

    ASKED = "asked for"
    INCIDENT = "an incident says that it got worse"
    SCHEDULE = "it is time"
    LABELS = "enough new labels"
    NO_TRIGGER = "no trigger"
    NOT_SET_UP = "no training function is named"
    RUNNING = "a training is running"
    CHALLENGER = "a challenger is on its way"
    HALTED = "the last challengers were taken back"
    DAILY_CAP = "enough for one day"
    COOL_DOWN = "the last training is too recent"
    TOO_FEW_ROWS = "too few labelled rows"
    BROKEN_DATA = "data is broken"
    SAME_DATA = "the same data as before"


class Policy(msgspec.Struct, frozen=True):
    """When a model is trained: triggers (0 or false: not that one) and what keeps it from being trained."""

    is_set_up: bool = True
    on_incident: bool = True
    every_days: float = 0.0
    new_labels: int = 0
    least_rows: int = 1_000
    cool_down_hours: float = 24.0
    per_day: int = 2


class Broken(msgspec.Struct, frozen=True):
    """An incident of data quality that lasts: its columns, and since when. Rows of one that is over are left out."""

    subjects: tuple[str, ...]
    since: EventTime


class Seen(msgspec.Struct, frozen=True):
    """All that a decision is made of. `now` is event time: how far the predictions have come.

    `rows`, `first`, `last` and `data` describe the labelled rows of the span; `before` is the same digest of the data
    that was trained on last, `rows_before` its rows. `started` has the moments of the last trainings, the newest last,
    `taken_back` how many of its challengers were taken back in a row.
    """

    model: str
    now: EventTime
    policy: Policy = Policy()
    rows: int = 0
    first: EventTime = EventTime(0)
    last: EventTime = EventTime(0)
    data: str = ""
    before: str = ""
    rows_before: int = 0
    started: tuple[EventTime, ...] = ()
    is_running: bool = False
    has_challenger: bool = False
    taken_back: int = 0
    incidents: tuple[str, ...] = ()
    broken: tuple[Broken, ...] = ()
    asked: bool = False


def decide(seen: Seen) -> Decision:
    """ "train", or "keep waiting".

    >>> seen = Seen("m", EventTime(50 * DAY_US), rows=5_000, data="a", incidents=("quality fell",))
    >>> decide(seen).action, str(decide(seen).reason)
    ('train', 'an incident says that it got worse')
    >>> str(decide(msgspec.structs.replace(seen, before="a")).reason)
    'the same data as before'
    """
    figures: dict[str, float | str] = {"rows": seen.rows, "rows_before": seen.rows_before, "data": seen.data}
    trigger = _trigger(seen)
    if not seen.policy.is_set_up:
        return Decision("keep waiting", Reason.NOT_SET_UP)
    if trigger is None:
        return Decision("keep waiting", Reason.NO_TRIGGER, figures)
    figures["trigger"] = trigger
    stop = _stop(seen)
    if stop is not None:
        columns = ", ".join(sorted({name for one in _vetoes(seen) for name in one.subjects}))
        return Decision("keep waiting", stop, {**figures, "columns": columns} if columns else figures)
    if seen.incidents:
        figures["incidents"] = ", ".join(seen.incidents)
    return Decision("train", trigger, figures)


def recompute(inputs: str) -> Decision:
    """The decision again, from what the journal kept."""
    return decide(msgspec.json.decode(inputs, type=Seen))


def _trigger(seen: Seen) -> Reason | None:
    policy, last = seen.policy, seen.started[-1] if seen.started else seen.first
    if seen.asked:
        return Reason.ASKED
    if policy.on_incident and seen.incidents:
        return Reason.INCIDENT
    if policy.every_days and seen.now - last >= policy.every_days * DAY_US:
        return Reason.SCHEDULE
    if policy.new_labels and seen.rows - seen.rows_before >= policy.new_labels:
        return Reason.LABELS
    return None


def _stop(seen: Seen) -> Reason | None:
    """What keeps it from training; who asks by hand waits for no cool-down, and may go on after two that failed."""
    policy = seen.policy
    today = sum(seen.now - at < DAY_US for at in seen.started)
    is_recent = bool(seen.started) and seen.now - seen.started[-1] < policy.cool_down_hours * DAY_US / 24
    stops = {
        Reason.RUNNING: seen.is_running,
        Reason.BROKEN_DATA: bool(_vetoes(seen)),
        Reason.CHALLENGER: seen.has_challenger,
        Reason.HALTED: seen.taken_back >= HALTS_AFTER and not seen.asked,
        Reason.DAILY_CAP: today >= policy.per_day,
        Reason.COOL_DOWN: is_recent and not seen.asked,
        Reason.TOO_FEW_ROWS: seen.rows < policy.least_rows,
        Reason.SAME_DATA: bool(seen.data) and seen.data == seen.before,
    }
    return next((reason for reason, holds in stops.items() if holds), None)


def _vetoes(seen: Seen) -> list[Broken]:
    return [one for one in seen.broken if one.since <= seen.last]
