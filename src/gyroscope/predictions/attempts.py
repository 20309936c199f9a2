"""Which attempt at a request is the answered one, and when an id was used for two inputs.

Pure: `recorder.py` asks with all attempts of an id and writes down what this says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from gyroscope.clock import SECOND_US
from gyroscope.predictions.wal import Record

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
    if len(groups) > 1:
        groups.pop(UNKNOWN_INPUT, None)
    answered = {max(group, key=_rank).attempt for group in groups.values()}
    known = [attempt for attempt in every if attempt.input_hash != UNKNOWN_INPUT]
    return {
        attempt.attempt: (attempt.attempt in answered, any(_conflict(attempt, other) for other in known))
        for attempt in every
    }


def input_hash(record: Record) -> int:
    """A signed 64-bit digest of what was asked; 0 where the input never became a matrix."""
    if not (record.numeric or record.category):
        return UNKNOWN_INPUT
    digest = hashlib.blake2b(record.numeric, digest_size=8)
    digest.update(record.category)
    for row, column, text in record.unseen:
        digest.update(f"{row},{column},{text}\0".encode())
    return int.from_bytes(digest.digest(), "little", signed=True) or 1


def _rank(attempt: Attempt) -> tuple[bool, int, int]:
    return attempt.rows > 0, attempt.arrived_at, attempt.attempt


def _conflict(one: Attempt, other: Attempt) -> bool:
    return UNKNOWN_INPUT != one.input_hash != other.input_hash and abs(one.arrived_at - other.arrived_at) <= CONFLICT_US
