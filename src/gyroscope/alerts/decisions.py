"""What people decide about an incident, from the command line, a page or a program: done, and written into the journal.

`decide` is the one way in. `gyro explain` asks `recompute` whether a decision was allowed, from what the journal kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from gyroscope.alerts.incident import MOVES, STANDING, Incident, State
from gyroscope.alerts.store import Incidents
from gyroscope.clock import DAY_US, EventTime, iso, parse_event_time
from gyroscope.errors import InputError
from gyroscope.records import Decision
from gyroscope.signals.journal import Act, Journal

Verb = Literal["acknowledge", "snooze", "close", "noise", "accept"]

BECOMES: Mapping[Verb, State] = {
    "acknowledge": "acknowledged",
    "close": "closed",
    "noise": "noise",
    "accept": "accepted",
}

SPAN = re.compile(r"(\d{1,4})([hd])")


class Asked(msgspec.Struct, frozen=True):
    """Who wants what, and why. `until` is wall time, for a snooze alone."""

    verb: Verb
    by: str
    reason: str
    until: EventTime = EventTime(0)


class Inputs(msgspec.Struct, frozen=True):
    """What the journal keeps of a decision."""

    incident: str
    state: State
    asked: Asked


def decide(incidents: Incidents, journal: Journal, incident: str, asked: Asked, now: EventTime) -> Incident:
    """Do it and write it down. Raises `InputError` when there is no such incident, or this cannot be done with it."""
    before = incidents.get(incident)
    words = {"by": asked.by, "reason": asked.reason}
    if asked.verb == "snooze":
        after = incidents.snooze(incident, asked.until, **words, at=now)
    else:
        after = incidents.move(incident, BECOMES[asked.verb], **words, at=now)
    if after != before:
        inputs = msgspec.json.encode(Inputs(incident, before.state, asked)).decode()
        journal.append(Act("incidents", before.model, asked.verb, asked.reason, "act", inputs, now))
    return after


def recompute(inputs: str) -> Decision:
    """What may be done with an incident in its state then: the decision again, or `refuse`."""
    kept = msgspec.json.decode(inputs, type=Inputs)
    allowed = STANDING if kept.asked.verb == "snooze" else MOVES[BECOMES[kept.asked.verb]]
    said: dict[str, float | str] = {"incident": kept.incident, "state": kept.state, "by": kept.asked.by}
    if kept.asked.until:
        said["until"] = iso(kept.asked.until)
    return Decision(kept.asked.verb if kept.state in allowed else "refuse", kept.asked.reason, said)


def until_of(text: str, now: EventTime) -> EventTime:
    """The end of a snooze: hours or days from now, or a moment. Raises `InputError` for anything else.

    >>> iso(until_of("8h", EventTime(0)))
    '1970-01-01T08:00:00+00:00'
    """
    span = SPAN.fullmatch(text)
    if span:
        return EventTime(now + int(span[1]) * (DAY_US if span[2] == "d" else DAY_US // 24))
    try:
        return parse_event_time(text)
    except ValueError as error:
        raise InputError(
            f"{text!r} is no time", where="until", fix="such as 8h, 2d or 2026-03-04T08:00:00+01:00"
        ) from error
