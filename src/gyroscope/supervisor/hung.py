"""When a process counts as hung, and therefore is killed: pure rules over what was seen.

A frozen or spinning replica still accepts connections, so only a kill frees the requests it holds; the door then
retries them elsewhere. Called once per tick and process by the loop; it kills nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from gyroscope.clock import SECOND_NS

STALE_NS = SECOND_NS // 2
"""No beat and nothing in hand for this long. Beats come every 100 ms: four may be lost."""

STARVED_NS = 3 * SECOND_NS
"""The same for one that wants to run and is not let: killing it would only put another in its place in the queue."""

OVERDUE_NS = SECOND_NS // 2
"""This long past the deadline of the item in hand."""

STOPPED_NS = {"replica": 2 * SECOND_NS // 5, "door": 2 * SECOND_NS // 5, "service": 10 * SECOND_NS}
"""Stopped by a signal for this long. Requests wait for a replica or the door, nobody for a service."""

START_NS = 60 * SECOND_NS
"""From start to ready."""

LATE_TICK_NS = 3 * SECOND_NS // 10
"""Our own tick came this late: the machine stalled, so every silence of that time proves nothing."""


@dataclass(frozen=True)
class Signs:
    """What was seen of one process at one moment; all times on the machine's monotonic clock, 0 for never.

    `calm_ns` is when the supervisor itself last came back from a stall (or began): nobody is blamed for time before.
    `is_starved`: since its last beat the process wanted to run and had the processor for less than half the time.
    """

    kind: str
    started_ns: int
    is_ready: bool
    calm_ns: int
    ready_ns: int = 0
    beat_ns: int = 0
    deadline_ns: int = 0
    stopped_ns: int = 0
    is_starved: bool = False


def hung_reason(signs: Signs, now_ns: int) -> str:
    """Why the process must be killed; empty when it need not be.

    >>> frozen = Signs("replica", started_ns=0, is_ready=True, calm_ns=0, beat_ns=1_000_000_000)
    >>> hung_reason(frozen, 1_400_000_000)
    ''
    >>> hung_reason(frozen, 1_600_000_000)
    'no sign of life for 0.6 s with nothing in hand'
    >>> busy = Signs("replica", started_ns=0, is_ready=True, calm_ns=0, beat_ns=1, deadline_ns=2_000_000_000)
    >>> hung_reason(busy, 2_600_000_000)
    '0.6 s past its deadline'
    """
    if signs.stopped_ns and now_ns - max(signs.stopped_ns, signs.calm_ns) > STOPPED_NS[signs.kind]:
        return f"stopped by a signal for {_s(now_ns - signs.stopped_ns)}"
    if not signs.is_ready:
        slow = now_ns - max(signs.started_ns, signs.calm_ns) > START_NS
        return f"not ready {_s(now_ns - signs.started_ns)} after its start" if slow else ""
    if signs.kind != "replica":
        return ""
    if signs.deadline_ns:
        overdue = now_ns - max(signs.deadline_ns, signs.calm_ns) > OVERDUE_NS
        return f"{_s(now_ns - signs.deadline_ns)} past its deadline" if overdue else ""
    patience_ns = STARVED_NS if signs.is_starved else STALE_NS
    silent = now_ns - max(signs.beat_ns, signs.ready_ns, signs.calm_ns) > patience_ns
    return f"no sign of life for {_s(now_ns - signs.beat_ns)} with nothing in hand" if silent else ""


def _s(span_ns: int) -> str:
    return f"{span_ns / SECOND_NS:.1f} s"
