"""What the house has done since the last look, from its own books: incidents, journal and challengers, as events.

`run.py` asks several times a second and tells people or programs. It reads what the loops wrote; it causes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from gyroscope.alerts import Incident
from gyroscope.assembly import House
from gyroscope.clock import EventTime
from gyroscope.demo.place import MODEL
from gyroscope.records import Decision, NotEnoughData
from gyroscope.retraining import decide as retraining
from gyroscope.rollouts import decide as rollouts
from gyroscope.scaling import recompute as sized
from gyroscope.signals.journal import Act

MOST = 500

STEPS = {
    "shadow": "shadow_started",
    "canary": "canary_started",
    "promote": "promoted",
    "roll back": "rolled_back",
    "train": "retraining_started",
}


class Event(msgspec.Struct, frozen=True):
    """One thing that happened: type, moment of the machine, reason in words, and the figures it was decided on."""

    type: str
    at: EventTime
    reason: str
    evidence: dict[str, Any]
    version: str = ""


class Books:
    """Remembers what was told."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._acts: set[str] = set()
        self._tries: set[int] = set()
        self._told: dict[str, int] = {}

    def news(self) -> list[Event]:
        """What is new, in the order in which it happened."""
        return sorted([*self._of_incidents(), *self._of_acts(), *self._of_tries()], key=lambda event: event.at)

    def _of_incidents(self) -> Iterator[Event]:
        """Openings, also of those that came back, and closings."""
        for incident in self._house.incidents.all(MODEL):
            journal = self._house.incidents.journal(incident.id)
            for line in journal[self._told.get(incident.id, 0) :]:
                kind = "incident_opened" if line.state == "open" else "incident_resolved"
                reason = incident.why if line.state == "open" else line.reason
                yield Event(kind, line.at, f"{incident.title}: {reason}", _shown(incident), incident.version)
            self._told[incident.id] = len(journal)

    def _of_acts(self) -> Iterator[Event]:
        for act in reversed(self._house.journal.newest(most=MOST)):
            if act.id not in self._acts and act.mode == "act":
                yield from _told(act)
            self._acts.add(act.id)

    def _of_tries(self) -> Iterator[Event]:
        for one in self._house.challengers.every(MODEL):
            if one.number not in self._tries:
                self._tries.add(one.number)
                yield Event("version_registered", one.proposed_at, f"offered by {one.origin}", {}, one.version)


def _shown(incident: Incident) -> dict[str, Any]:
    harm = incident.harm_per_day
    figures = [one for one in incident.bundle if not isinstance(one.value, NotEnoughData)]
    return {
        "id": incident.id,
        "kind": incident.kind,
        "columns": list(incident.subjects),
        "pages": incident.pages,
        "harm_per_day": harm.reason if isinstance(harm, NotEnoughData) else harm,
        "explains": [child.kind for child in incident.children],
        "figures": [[one.name, dict(one.labels), one.value, one.low, one.high] for one in figures],
    }


def _told(act: Act) -> Iterator[Event]:
    kind = STEPS.get(act.action, "")
    version = ""
    if act.loop == "scaling" and "->" in act.action:
        kind = "scaled"
    if act.loop == "retraining" and act.reason == retraining.Reason.BROKEN_DATA:
        kind = "retraining_vetoed"
    if act.loop == "rollouts":
        version = msgspec.json.decode(act.inputs, type=rollouts.Seen).version
    if kind:
        again: dict[str, Callable[[str], Decision]] = {
            "scaling": sized,
            "retraining": retraining.recompute,
            "rollouts": rollouts.recompute,
        }
        evidence = {"act": act.id, "action": act.action, **again[act.loop](act.inputs).evidence}
        yield Event(kind, act.at, act.reason, evidence, version)
