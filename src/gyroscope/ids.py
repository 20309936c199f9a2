"""Ids of requests: how one is made, by the plane and by the client, which gives each request its own before it is sent.

Anything printable and ASCII may be one; what a client sent is checked in `serving/envelope.py`.
"""

from __future__ import annotations

import os
from functools import lru_cache

from gyroscope.clock import EventTime

MAX_ID = 128

# Asked of the kernel for so many ids at once: a system call for each would be a twentieth of an ordinary request.
_AT_ONCE, _BYTES = 256, 9
_noise: list[str] = []
_is_told: list[bool] = []


def new_id(now: EventTime) -> str:
    """A UUID of version 7, in hex: sorted by time, so that a table's ids of one day lie together.

    >>> len(new_id(EventTime(0))), new_id(EventTime(0))[:13]
    (32, '0000000000007')
    """
    try:
        noise = _noise.pop()
    except IndexError:
        noise = _more_noise()
    return _moment(now // 1_000) + noise


@lru_cache(maxsize=1)
def _moment(milliseconds: int) -> str:
    """The first 13 digits, the same for all ids of a millisecond: writing them is most of what an id costs."""
    return f"{milliseconds & 0xFFFF_FFFF_FFFF:012x}7"


def _more_noise() -> str:
    if not _is_told:
        # A child that inherited the noise would give the ids of its parent again.
        os.register_at_fork(after_in_child=_noise.clear)
        _is_told.append(True)
    text = os.urandom(_AT_ONCE * _BYTES).hex()
    _noise[:] = [f"{text[at : at + 3]}8{text[at + 3 : at + 2 * _BYTES]}" for at in range(0, len(text), 2 * _BYTES)]
    return _noise.pop()
