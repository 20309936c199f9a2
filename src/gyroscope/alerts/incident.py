"""The record of an incident, its states, and the order in which a person should look at several.

The store keeps these, `reconcile` makes and moves them. Pure: nothing here knows where they are kept.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from gyroscope.clock import EventTime
from gyroscope.records import Cause, CauseKind, NotEnoughData, Signal

State = Literal["open", "acknowledged", "closed", "noise", "accepted"]

STANDING: tuple[State, ...] = ("open", "acknowledged")

MOVES: dict[State, tuple[State, ...]] = {
    "acknowledged": ("open",),
    "closed": STANDING,
    # Whether a page was worth it is often known only afterwards.
    "noise": (*STANDING, "closed"),
    "accepted": STANDING,
}
"""State -> the states from which people may move it there; only monitors open one, and again when it is soon back."""

Told = Literal["", "opened", "resolved"]
"""What notifiers were last told of an incident."""


class Child(msgspec.Struct, frozen=True):
    """A cause that another one explains: it is shown under it and pages nobody."""

    kind: CauseKind
    version: str
    subjects: tuple[str, ...]
    since: EventTime
    seen: EventTime
    reason: str
    ended: EventTime | None = None


class Note(msgspec.Struct, frozen=True):
    """A sentence that was added later: an incident that was told of is never taken back, only annotated."""

    at: EventTime
    text: str


class Transition(msgspec.Struct, frozen=True):
    """One line of an incident's journal: when (wall time) it came into a state, who moved it and why."""

    at: EventTime
    incident: str
    state: State
    by: str
    reason: str


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One cause and everything known about it. Times are event times; `why` is one line for a tired person.

    `snoozed_until` is wall time, until when nobody is told of it; 0: not snoozed.
    """

    id: str
    model: str
    version: str
    kind: CauseKind
    subjects: tuple[str, ...]
    since: EventTime
    opened: EventTime
    why: str
    ended: EventTime | None = None
    state: State = "open"
    pages: bool = True
    harm_per_day: float | NotEnoughData = NotEnoughData("the harm is not known")
    bundle: tuple[Signal, ...] = ()
    children: tuple[Child, ...] = ()
    notes: tuple[Note, ...] = ()
    is_settled: bool = False
    told: Told = ""
    times_told: int = 0
    snoozed_until: EventTime = EventTime(0)

    @property
    def is_standing(self) -> bool:
        return self.state in STANDING

    @property
    def title(self) -> str:
        """What stands in a list: the kind and what it is about."""
        shown = ", ".join(self.subjects[:3]) + (f" and {len(self.subjects) - 3} more" if len(self.subjects) > 3 else "")
        return f"{TITLES[self.kind]}: {shown}" if shown else TITLES[self.kind]


TITLES: dict[CauseKind, str] = {
    "quality": "broken data",
    "performance": "performance fell",
    "relation": "relation of inputs and outcome changed",
    "estimate": "performance suspected to fall",
    "seasonal": "unusual for this hour",
    "output": "predictions drift",
    "input": "inputs drift",
    "rule": "beyond a limit",
}


def incident_id(cause: Cause) -> str:
    """The same cause has the same name on every machine and after every restart.

    >>> made = {"model": "m", "version": "v", "subjects": (), "since": 0, "seen": 1, "reason": ""}
    >>> incident_id(Cause(kind="input", **made))
    'm-f76bcd9c'
    """
    text = f"{cause.model} {cause.version} {cause.kind} {cause.seen} {'/'.join(cause.subjects[:1])}"
    return f"{cause.model}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def ranked(incidents: list[Incident]) -> list[Incident]:
    """Standing before others, what pages before what informs, most harm first, unknown harm last, newest first."""
    return sorted(incidents, key=_rank)


def _rank(incident: Incident) -> tuple[bool, bool, float, int]:
    known = 0.0 if isinstance(incident.harm_per_day, NotEnoughData) else incident.harm_per_day
    return (not incident.is_standing, not incident.pages, -known, -incident.opened)
