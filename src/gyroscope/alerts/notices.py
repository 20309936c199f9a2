"""What notifiers are told of an incident: that it opened, once, and that it is over, once it cannot come back. Pure.

The store asks after each change and keeps the answer in the same transaction. A signal that flaps is one incident, so
it is told of twice at most, whatever it does.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gyroscope.alerts.incident import Incident
from gyroscope.clock import EventTime
from gyroscope.records import CauseKind, NotEnoughData

News = Literal["opened", "resolved"]
Happened = News | Literal["test"]


class Notice(msgspec.Struct, frozen=True):
    """One message about one incident; times are event times, but `at`, when it was decided.

    `key` is the same for every try to deliver it, to whomever.
    """

    key: str
    happened: Happened
    at: EventTime
    incident: str
    model: str
    version: str
    kind: CauseKind
    title: str
    why: str
    state: str
    since: EventTime
    opened: EventTime
    ended: EventTime | None
    subjects: tuple[str, ...]
    harm_rows_per_day: float | None


def told(incident: Incident, at: EventTime) -> tuple[Incident, Notice | None]:
    """The incident as people now know it, and what they have to be told at a moment of wall time.

    >>> made = {"id": "m-1", "model": "m", "version": "v", "kind": "input", "subjects": ("age",), "why": ""}
    >>> now, notice = told(Incident(**made, since=EventTime(0), opened=EventTime(0)), EventTime(9))
    >>> notice.key, notice.happened, told(now, EventTime(10))[1]
    ('m-1-1', 'opened', None)
    """
    happened = _news(incident, at)
    if happened is None:
        return incident, None
    now = msgspec.structs.replace(incident, told=happened, times_told=incident.times_told + 1)
    if happened == "opened":
        now = msgspec.structs.replace(now, snoozed_until=EventTime(0))
    return now, _notice(now, happened, at)


def trial(at: EventTime) -> Notice:
    """A notice that nothing is wrong, to see that it arrives."""
    return Notice(
        key=f"test-{at}", happened="test", at=at, incident="test", model="test", version="", kind="rule",
        title="a test: nothing is wrong", why="somebody asked for this with gyro incidents test", state="closed",
        since=at, opened=at, ended=at, subjects=(), harm_rows_per_day=None,
    )  # fmt: skip


def _news(incident: Incident, at: EventTime) -> News | None:
    if not incident.pages or at < incident.snoozed_until:
        return None
    if incident.is_standing:
        is_reminder = incident.snoozed_until > 0
        return "opened" if incident.told != "opened" or is_reminder else None
    return "resolved" if incident.told == "opened" and _is_over(incident) else None


def _is_over(incident: Incident) -> bool:
    """What a person decided is over at once; what only went quiet may be back, and then nobody has been told lies."""
    return incident.state != "closed" or incident.ended is None or incident.is_settled


def _notice(incident: Incident, happened: Happened, at: EventTime) -> Notice:
    harm = incident.harm_per_day
    return Notice(
        key=f"{incident.id}-{incident.times_told}",
        happened=happened,
        at=at,
        incident=incident.id,
        model=incident.model,
        version=incident.version,
        kind=incident.kind,
        title=incident.title,
        why=incident.why,
        state=incident.state,
        since=incident.since,
        opened=incident.opened,
        ended=incident.ended,
        subjects=incident.subjects,
        harm_rows_per_day=None if isinstance(harm, NotEnoughData) else harm,
    )
