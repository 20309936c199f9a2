"""What the index of request ids holds of an attempt, as a record and as columns, and how it is asked.

`ids.py` keeps these, `numbering.py` and `catch_up.py` make them. Pure: no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gyroscope.predictions.ids.keys import Keys, id_keys
from gyroscope.predictions.ids.runs import ENTRY, Entries
from gyroscope.predictions.recording.attempts import Attempt

ANSWERED, CONFLICT = 1, 2
EPOCH_DAY = date(1970, 1, 1).toordinal()


class Asked:
    """A question in the order of its keys, each key once; `place` leads back: answer[place] is in the order asked.

    `ascending` has every place of the question by key, `order` the first place of each key, `twins` the places whose
    high half stands in another one too.
    """

    def __init__(self, keys: Keys) -> None:
        self.ascending = np.argsort(keys[:, 0])
        ordered = keys[self.ascending]
        same_high = ordered[1:, 0] == ordered[:-1, 0]
        is_new = np.ones(len(keys), dtype=np.bool_)
        is_new[1:] = ~same_high | (ordered[1:, 1] != ordered[:-1, 1])
        self.place = np.empty(len(keys), dtype=np.intp)
        self.place[self.ascending] = np.cumsum(is_new) - 1
        self.order = self.ascending[is_new]
        self.keys: Keys = ordered[is_new]
        first = np.flatnonzero(same_high)
        self.twins = self.ascending[np.union1d(first, first + 1)]


def state_of(attempt: Any, answered: Any, conflict: Any) -> Any:
    """Number and flags of attempts in one integer, of one attempt or of arrays."""
    return attempt * 4 + answered * ANSWERED + conflict * CONFLICT


def entries_of(attempts: Sequence[Attempt]) -> tuple[NDArray[np.uint64], Entries]:
    """Attempts as the columns of a run."""
    keys = id_keys([attempt.request_id for attempt in attempts])
    entries = np.array(
        [
            (0, a.input_hash, a.arrived_at, day_number(a.day), a.rows, 0, state_of(a.attempt, a.answered, a.conflict))
            for a in attempts
        ],
        dtype=ENTRY,
    )
    entries["low"] = keys[:, 1]
    return keys[:, 0], entries


def attempt_of(request_id: str, entry: tuple[int, ...]) -> Attempt:
    """The attempt that an entry of a run stands for."""
    _, hashed, arrived_at, day, rows, _, state = entry
    flags = bool(state & ANSWERED), bool(state & CONFLICT)
    return Attempt(request_id, state >> 2, day_text(day), hashed, arrived_at, rows, *flags)


def day_number(day: str) -> int:
    """Days since 1970-01-01.

    >>> day_number("1970-01-02")
    1
    """
    return date.fromisoformat(day).toordinal() - EPOCH_DAY


def day_text(number: int) -> str:
    """The day with this number.

    >>> day_text(1)
    '1970-01-02'
    """
    return date.fromordinal(number + EPOCH_DAY).isoformat()
