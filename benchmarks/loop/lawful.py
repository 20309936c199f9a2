"""What the events of a demo must obey, whatever happened in it: one sentence for each that does not.

`o01_story.py` asks for each run. It knows the order of the loops' steps and, of dates, only how much of the year's
falls a run has before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gyroscope.demo.world import UNITS
from gyroscope.retraining.decide import Reason

Event = dict[str, Any]

STEPS = {
    "incident_opened", "incident_resolved", "retraining_started", "retraining_vetoed", "version_registered",
    "shadow_started", "canary_started", "promoted", "rolled_back", "scaled", "done",
}  # fmt: skip
TOLD = {"loaded", "up", "progress", "month", "way", *STEPS}
BEFORE = {
    "shadow_started": ("version_registered",),
    "canary_started": ("shadow_started",),
    "promoted": ("canary_started",),
    "rolled_back": ("shadow_started", "canary_started", "promoted"),
}
"""What a version must have been through, one of these, before a step."""

FALLS = ("performance", "estimate")
FALL = "04"
"""The month in which a model of the winter falls far: 1.5 to 1.9 times the evidence that an alarm takes, and again in
July. One of all months to May has seen it: its July takes it to 1.01, and a successor that learned from June nowhere.
Of a later start an incident of performance may be told, and silence is no less true."""


def broken_laws(events: Sequence[Event]) -> list[str]:
    """All of them, in the order of the events."""
    return [*_form(events), *_versions(events), *_trainings(events)]


def missing(events: Sequence[Event]) -> list[str]:
    """What a whole run without a control must have shown, from whichever month on; one of performance from April."""
    opened = [event["evidence"] for event in _of(events, "incident_opened")]
    has_fall = any(event["at"][5:7] <= FALL for event in _of(events, "up"))
    has = {event["type"] for event in events}
    offered = {event["version"] for event in _of(events, "version_registered") if "somebody" in event["reason"]}
    taken_back = {event["version"] for event in _of(events, "rolled_back")}
    sizes = [tuple(map(int, event["evidence"]["action"].split(" -> "))) for event in _of(events, "scaled")]
    wanted = {
        "an incident of performance": any(one["kind"] in FALLS for one in opened) or not has_fall,
        "an incident of data quality, of a column in another unit": any(_is_true(one) for one in opened),
        "a veto of retraining": "retraining_vetoed" in has,
        "a promotion": "promoted" in has,
        "the poisoned version, taken back": bool(offered) and offered <= taken_back,
        "a pool that grew": any(after > before for before, after in sizes),
        "and shrank": any(after < before for before, after in sizes),
        "an end": [event["type"] for event in events[-1:]] == ["done"],
    }
    return [name for name, is_there in wanted.items() if not is_there]


def _is_true(incident: Event) -> bool:
    """Whether it tells of what a world breaks, and of nothing else."""
    columns = {name for name, _, _ in UNITS}
    return incident["kind"] == "quality" and bool(incident["columns"]) and set(incident["columns"]) <= columns


def _of(events: Sequence[Event], kind: str) -> list[Event]:
    return [event for event in events if event["type"] == kind]


def _form(events: Sequence[Event]) -> Iterator[str]:
    for event in events:
        if event["type"] not in TOLD:
            yield f"nobody knows the type {event['type']}"
        if not event["reason"]:
            yield f"{event['type']} at {event['at']} has no reason"
        if event["type"] in STEPS - {"done"} and "evidence" not in event:
            yield f"{event['type']} at {event['at']} has no evidence"
    if [event["at"] for event in events] != sorted(event["at"] for event in events):
        yield "the events go back in time"


def _versions(events: Sequence[Event]) -> Iterator[str]:
    been: dict[str, set[str]] = {}
    for event in events:
        version, kind = event.get("version", ""), event["type"]
        if kind in BEFORE and not been.get(version, set()) & set(BEFORE[kind]):
            yield f"{kind} of {version} at {event['at']} without {' or '.join(BEFORE[kind])}"
        been.setdefault(version, set()).add(kind)


def _trainings(events: Sequence[Event]) -> Iterator[str]:
    """Each has a trigger that was there before, an incident or its schedule; a veto names a column of an incident of
    data quality that is open.
    """
    standing: dict[str, Event] = {}
    for event in events:
        if event["type"] == "incident_opened":
            standing[event["evidence"]["id"]] = event
        elif event["type"] == "incident_resolved":
            standing.pop(event["evidence"]["id"], None)
        elif event["type"] == "retraining_started" and event["reason"] != Reason.SCHEDULE and not standing:
            yield f"a training at {event['at']} without an incident"
        elif event["type"] == "retraining_vetoed":
            known = {name for one in standing.values() for name in one["evidence"]["columns"]}
            if not known & set(event["evidence"]["columns"].split(", ")):
                yield f"a veto at {event['at']} for {event['evidence']['columns']}, of which no incident tells"
