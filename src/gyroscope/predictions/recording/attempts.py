"""Which attempt at a request is the answered one, and when an id was used for two inputs.

Pure: `numbering.py` asks with all attempts of an id and writes down what this says.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

import msgspec

from gyroscope.clock import SECOND_US

CONFLICT_US = 15 * 60 * SECOND_US
UNKNOWN_INPUT = 0


class Attempt(msgspec.Struct):
    """One attempt as the index knows it; `rows` counts predictions, so an attempt that failed has 0."""

    request_id: str
    attempt: int
    day: str
    input_hash: int
    arrived_at: int
    rows: int
    answered: bool = True
    conflict: bool = False


def judge(attempts: Iterable[Attempt]) -> dict[int, tuple[bool, bool]]:
    """Attempt number -> (answered, id_conflict), for all attempts of one request id.

    Among attempts with the same input the last in time is answered; one that brought a prediction outranks one that
    failed. A failure whose input is not known counts as a try at the same request. Two inputs within 15 minutes are a
    conflict: both stay answered and both are flagged.

    >>> first = Attempt("r", 1, "2013-03-01", 7, 0, 1)
    >>> judge([first, Attempt("r", 2, "2013-03-01", 7, 5, 1)])
    {1: (False, False), 2: (True, False)}
    >>> judge([first, Attempt("r", 2, "2013-03-01", 8, 5, 1)])
    {1: (True, True), 2: (True, True)}
    """
    every = list(attempts)
    groups: dict[int, list[Attempt]] = {}
    for attempt in every:
        groups.setdefault(attempt.input_hash, []).append(attempt)
    unknown = groups.pop(UNKNOWN_INPUT, []) if len(groups) > 1 else []
    answered = {max(group, key=_rank).attempt for group in groups.values()}
    flags = {attempt.attempt: (attempt.attempt in answered, False) for attempt in unknown}
    conflicting = _conflicts(groups) if len(groups) > 1 else set()
    for group in groups.values():
        for attempt in group:
            flags[attempt.attempt] = (attempt.attempt in answered, attempt.attempt in conflicting)
    return {attempt.attempt: flags[attempt.attempt] for attempt in every}


def _conflicts(groups: dict[int, list[Attempt]]) -> set[int]:
    """Attempts that have one with another input near in time: of all near ones, not all are of their own group."""
    times = sorted(attempt.arrived_at for group in groups.values() for attempt in group)
    found: set[int] = set()
    for group in groups.values():
        own = sorted(attempt.arrived_at for attempt in group)
        found |= {
            attempt.attempt for attempt in group if _near(times, attempt.arrived_at) > _near(own, attempt.arrived_at)
        }
    return found


def _near(times: list[int], at: int) -> int:
    """How many of these sorted times lie within the span of a conflict."""
    return bisect_right(times, at + CONFLICT_US) - bisect_left(times, at - CONFLICT_US)


def _rank(attempt: Attempt) -> tuple[bool, int, int]:
    return attempt.rows > 0, attempt.arrived_at, attempt.attempt
