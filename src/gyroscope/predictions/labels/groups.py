"""Labels about the same row of a request, and which of them counts.

Pure. `labels.py` brings what is stored and what is new; the outcome depends on the members alone, never on the order in
which they came here.
"""

from __future__ import annotations

from collections.abc import Sequence

from gyroscope.predictions.labels.order import Statement, latest

JOINED, PENDING, QUARANTINED, SUPERSEDED = range(4)
"""States as they are stored. Duplicates and refused labels are counted and have no row of their own."""

Target = tuple[str, int]
"""Request id and row."""


class Kept(Statement):
    """One label as it is stored, and as it was when it was read: `before` is None for a new one.

    `request_id` is where it belongs now; a label of an entity belongs to `waiting_id` until its prediction is found.
    """

    request_id: str = ""
    row: int = 0
    state: int = PENDING
    received_at: int = 0
    day: int | None = None
    joined_at: int | None = None
    entity_key: str | None = None
    said_at: int | None = None
    """The event time that was sent with an entity key."""
    at: int | None = None
    """The event time that is looked for: what was sent, else its default."""
    found_at: int | None = None
    """The event time of the prediction it belongs to."""
    before: tuple[int, int | None, str] | None = None
    """State, day and request as they were read."""

    @property
    def target(self) -> Target:
        return self.request_id, self.row


def waiting_id(entity_key: str, said_at: int | None) -> str:
    """What stands for the request of a label of an entity before it is known: no request can have this id."""
    return f"\0{entity_key}\0{'' if said_at is None else said_at}"


def arrange(group: Sequence[Kept], day: int | None, now: int) -> None:
    """Give every member of a group its state. `day` is where its prediction lies, None when there is none yet."""
    if not group:
        return
    if day is None:  # the index may be in the making: what was joined stays where it was
        day = next((kept.day for kept in group if kept.day is not None), None)
    winner = latest(group)
    for kept in group:
        kept.day = day
        if kept.joined_at is None and day is not None:
            kept.joined_at = now
        if kept is not winner:
            kept.state = SUPERSEDED
        elif day is not None:
            kept.state = JOINED
        elif kept.state != QUARANTINED:
            kept.state = PENDING


def restated_days(kept: Kept) -> set[int]:
    """The days whose joined labels change when this one goes from what it was to what it is."""
    after = (kept.state, kept.day, kept.request_id)
    if kept.before == after:
        return set()
    every = (after,) if kept.before is None else (after, kept.before)
    return {day for state, day, _ in every if state == JOINED and day is not None}
