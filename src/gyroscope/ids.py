"""Ids of requests: how one is made, by the plane and by the client, which gives each request its own before it is sent.

Anything printable and ASCII may be one; what a client sent is checked in `serving/envelope.py`.
"""

from __future__ import annotations

import os

from gyroscope.clock import EventTime

MAX_ID = 128


def new_id(now: EventTime) -> str:
    """A UUID of version 7, in hex: sorted by time, so that a table's ids of one day lie together.

    >>> len(new_id(EventTime(0))), new_id(EventTime(0))[:13]
    (32, '0000000000007')
    """
    noise = os.urandom(9).hex()
    return f"{now // 1_000 & 0xFFFF_FFFF_FFFF:012x}7{noise[:3]}8{noise[3:]}"
