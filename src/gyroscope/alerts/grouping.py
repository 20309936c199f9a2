"""Which causes are one: broken data explains the drift that follows it, so people are told of the data alone.

`reconcile` calls this with every cause of a model. Pure; it opens and closes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import msgspec

from gyroscope.clock import EventTime
from gyroscope.records import Cause, CauseKind

_ORDER: dict[str, int] = {kind: place for place, kind in enumerate(get_args(CauseKind))}

FOR_EVER = EventTime(1 << 62)


class Group(msgspec.Struct, frozen=True):
    """The root that people are told of, and the causes that it explains."""

    root: Cause
    children: tuple[Cause, ...] = ()

    @property
    def causes(self) -> tuple[Cause, ...]:
        return (self.root, *self.children)


def group(causes: Sequence[Cause], near_us: int) -> list[Group]:
    """One group per cause, by the time it began.

    A cause is explained by one nearer to the root (see `CauseKind`), or of its own kind and earlier, that stands at
    the same time and began within `near_us` of it, or concerns the same column. A rule and what it stands beside must
    concern the same: a slow replica has nothing to do with a column that broke on the same day. What one rule says of
    other series at the same time comes along.

    >>> made = dict(model="m", version="v", since=EventTime(5), seen=EventTime(6), reason="")
    >>> broken, drift = Cause(kind="quality", subjects=("age",), **made), Cause(kind="input", subjects=("age",), **made)
    >>> [(one.root.kind, [child.kind for child in one.children]) for one in group([drift, broken], 2)]
    [('quality', ['input'])]
    """
    left = sorted(causes, key=_rootward)
    groups: list[Group] = []
    while left:
        root, rest = left[0], left[1:]
        explained = [cause for cause in rest if _explains(root, cause, near_us)]
        fired = {cause.subjects[0] for cause in explained if cause.kind == "rule"}
        explained += [
            cause
            for cause in rest
            if cause not in explained and cause.kind == "rule" and cause.subjects[0] in fired
            if overlap(root, cause) and cause.since >= root.since - near_us
        ]
        groups.append(Group(root, tuple(explained)))
        left = [cause for cause in rest if cause not in explained]
    return sorted(groups, key=lambda one: (one.root.since, one.root.seen))


def _rootward(cause: Cause) -> tuple[bool, int, EventTime, str]:
    """What pages is no consequence of what only informs; of the rest the one that was given first."""
    return (not cause.pages, _ORDER[cause.kind], cause.seen, cause.version)


def overlap(one: Cause, other: Cause) -> bool:
    """Whether both stood at some moment."""
    return one.since < (other.ended or FOR_EVER) and other.since < (one.ended or FOR_EVER)


def _explains(root: Cause, cause: Cause, near_us: int) -> bool:
    if not overlap(root, cause):
        return False
    is_near = abs(root.since - cause.since) <= near_us
    is_same = bool(set(root.subjects) & set(cause.subjects))
    if "rule" in (root.kind, cause.kind) and not is_same:
        return False
    return is_near or (cause.since >= root.since and is_same)
