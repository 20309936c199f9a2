"""From what monitors are sure of now to what has to be changed in the list of incidents. Pure.

The store calls this within one transaction. The same causes twice change nothing, so a control that was killed in
between opens nothing twice; an incident that was told of is never taken back, only closed and annotated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from gyroscope.alerts.grouping import Group, group
from gyroscope.alerts.incident import Child, Incident, Note, Transition, incident_id
from gyroscope.clock import EventTime
from gyroscope.records import Cause, Judged, NotEnoughData

GONE = "would not be found on today's rows and labels"
BACK = "it is back, too soon after it was over to be another cause"
MONITORS = "monitors"
NOTHING = EventTime(-(1 << 62))


class Changes(msgspec.Struct):
    """Incidents to write, new or changed, and what the journal gets."""

    incidents: dict[str, Incident] = {}
    transitions: list[Transition] = []

    def put(self, incident: Incident) -> None:
        self.incidents[incident.id] = incident


def reconcile(known: Sequence[Incident], found: Judged) -> Changes:
    """What the incidents `known` of a model become."""
    changes = Changes()
    taken: set[str] = set()
    for one in group(found.causes, found.near_us):
        mine = _known(known, one, taken)
        taken.add(mine.id if mine else "")
        if mine is None:
            _open(one, found, changes, {incident.id for incident in known} | set(changes.incidents))
        else:
            _update(mine, one, found, changes)
    for incident in known:
        upto = found.upto.get((incident.version, incident.kind), NOTHING)
        if incident.id in taken or incident.opened > upto:
            continue
        if incident.is_standing:
            _follow(incident, found, changes)
        elif not incident.is_settled:
            changes.put(msgspec.structs.replace(incident, is_settled=True))
    return changes


def _known(known: Sequence[Incident], one: Group, taken: set[str]) -> Incident | None:
    """The incident that already tells of a group: by its root before its children."""
    for cause in one.causes:
        for incident in known:
            if incident.id not in taken and _tells_of(incident, cause):
                return incident
    return None


def _tells_of(incident: Incident, cause: Cause) -> bool:
    """One that people have decided on tells of nothing that began after it was certain: nobody has seen that yet."""
    records: tuple[Incident | Child, ...] = (incident, *incident.children)
    return any(
        _is_same(one, cause) and (incident.is_standing or one.ended is not None or cause.since <= _seen(one))
        for one in records
    )


def _is_same(one: Incident | Child, cause: Cause) -> bool:
    if (one.kind, one.version) != (cause.kind, cause.version):
        return False
    stands_too = one.since < (cause.ended or cause.seen + 1) and (one.ended is None or cause.since < one.ended)
    # A family of monitors is sure of one thing at a time; of rules each says its own.
    is_seen = _seen(one) == cause.seen and cause.kind != "rule"
    return stands_too and (is_seen or bool(set(one.subjects) & set(cause.subjects)))


def _seen(one: Incident | Child) -> EventTime:
    return one.opened if isinstance(one, Incident) else one.seen


def _open(one: Group, found: Judged, changes: Changes, taken: set[str]) -> None:
    """One whose name is taken by an incident that was found to have a deeper root gets the next."""
    root, name = one.root, incident_id(one.root)
    names = (name, *(f"{name}-{place}" for place in range(2, len(taken) + 3)))
    free = next(each for each in names if each not in taken)
    incident = _told(Incident(**_fields(root), id=free, opened=root.seen), one)
    changes.transitions.append(Transition(found.at, incident.id, "open", MONITORS, root.reason))
    changes.put(incident)
    _close_if_over(incident, found, changes)


def _update(mine: Incident, one: Group, found: Judged, changes: Changes) -> None:
    """A deeper root that is seen later takes the place of the first: the person was told once and is told no more."""
    root, now = one.root, mine
    if (root.kind, root.version) != (mine.kind, mine.version):
        now = msgspec.structs.replace(mine, **_fields(root))
        now = _noted(now, found.at, f"first seen as: {mine.why}")
    now = msgspec.structs.replace(now, ended=root.ended, is_settled=root.is_settled, harm_per_day=root.harm_per_day)
    now = _told(now, one)
    if root.note:
        now = _noted(now, found.at, root.note)
    if mine.state == "closed" and mine.ended is not None and root.ended is None:
        now = msgspec.structs.replace(now, state="open")
        changes.transitions.append(Transition(found.at, now.id, "open", MONITORS, BACK))
    if now != mine:
        changes.put(now)
    _close_if_over(now, found, changes)


def _follow(incident: Incident, found: Judged, changes: Changes) -> None:
    """An incident whose cause now belongs to another one, or is not found any more."""
    cause = next((cause for cause in found.causes if _is_same(incident, cause)), None)
    if cause is not None:
        if cause.ended != incident.ended:  # what comes back is told of by the other one
            incident = msgspec.structs.replace(incident, ended=cause.ended, is_settled=cause.ended is not None)
            changes.put(incident)
        _close_if_over(incident, found, changes)
        return
    ended = found.upto[incident.version, incident.kind]
    gone = msgspec.structs.replace(_noted(incident, found.at, GONE), state="closed", ended=ended, is_settled=True)
    changes.put(gone)
    changes.transitions.append(Transition(found.at, incident.id, "closed", MONITORS, GONE))


def _close_if_over(incident: Incident, found: Judged, changes: Changes) -> None:
    if incident.is_standing and incident.ended is not None:
        changes.put(msgspec.structs.replace(incident, state="closed"))
        reason = "all of its series have been quiet again"
        changes.transitions.append(Transition(found.at, incident.id, "closed", MONITORS, reason))


def _told(incident: Incident, one: Group) -> Incident:
    """With its children; consequences may say how much harm there is where the root cannot, and only add to it."""
    children = tuple(
        Child(cause.kind, cause.version, cause.subjects, cause.since, cause.seen, cause.reason, cause.ended)
        for cause in one.children
    )
    harms = [cause.harm_per_day for cause in one.causes if not isinstance(cause.harm_per_day, NotEnoughData)]
    pages = any(cause.pages for cause in one.causes)
    harm = max(harms) if harms else incident.harm_per_day
    return msgspec.structs.replace(incident, children=children, harm_per_day=harm, pages=pages or incident.pages)


def _fields(root: Cause) -> dict[str, Any]:
    names = ("model", "version", "kind", "subjects", "since", "ended", "is_settled", "pages", "harm_per_day", "bundle")
    return {**{name: getattr(root, name) for name in names}, "why": root.reason}


def _noted(incident: Incident, at: EventTime, text: str) -> Incident:
    """Each note once, whatever the number of rounds."""
    if any(note.text == text for note in incident.notes):
        return incident
    return msgspec.structs.replace(incident, notes=(*incident.notes, Note(at, text)))
