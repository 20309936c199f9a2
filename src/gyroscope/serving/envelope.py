"""What travels around a body: ids, event time, time-out. Read strictly, because they end up in the log and in replies.

The plane reads a call's headers here, dialects what a body repeats of them. Ids are printable ASCII, so that none can
break a header, a line of a log or a table.
"""

from __future__ import annotations

from gyroscope.clock import SECOND_NS, EventTime, parse_event_time
from gyroscope.errors import InputError
from gyroscope.ids import MAX_ID

MAX_TIMEOUT_MS = 60_000

# Years 1 to 9999, the days that a calendar and so a table's partition have.
_EARLIEST, _LATEST = -62_135_596_800_000_000, 253_402_300_799_999_999


def read_id(text: str, where: str) -> str:
    """An id as it was sent.

    >>> read_id("order 66", "X-Request-Id")
    'order 66'

    Raises `InputError`, status 400, for one that is too long or not printable ASCII.
    """
    if len(text) <= MAX_ID and text.isascii() and text.isprintable():
        return text
    raise InputError(
        "this id cannot be kept", where=where, fix=f"at most {MAX_ID} printable ASCII characters", status=400
    )


def read_event_time(text: str, where: str) -> EventTime:
    """ISO 8601 or seconds since 1970, within the years 1 to 9999 of UTC.

    >>> read_event_time("1970-01-01T00:00:01Z", "X-Event-Time")
    1000000

    Raises `InputError`, status 400.
    """
    try:
        at = parse_event_time(text)
    except (ValueError, OverflowError):
        at = None
    if at is None or "_" in text or not _EARLIEST <= at <= _LATEST:
        raise InputError(
            "this is no event time",
            where=where,
            fix="ISO 8601 such as 2013-03-01T06:00:00-05:00, or seconds since 1970",
            status=400,
        )
    return at


def waited_ns(door_time: str, arrived_at: EventTime) -> int:
    """How long a call waited at the door, by the date of both; a date that was set meanwhile must not end every call.

    >>> waited_ns("1700000000000000", EventTime(1_700_000_000_250_000))
    250000000
    >>> waited_ns("", EventTime(5)), waited_ns("9", EventTime(5)), waited_ns("x", EventTime(5))
    (0, 0, 0)
    """
    if not (door_time.isascii() and door_time.isdigit() and len(door_time) <= 20):
        return 0
    waited_us = arrived_at - int(door_time)
    return waited_us * 1_000 if 0 <= waited_us <= MAX_TIMEOUT_MS * 1_000 else 0


def read_timeout_ns(text: str, default_ns: int) -> int:
    """How long the client waits, in nanoseconds: what it says, never longer than the default.

    >>> read_timeout_ns("250", 1_000_000_000)
    250000000

    Raises `InputError`, status 400, for anything but whole milliseconds from 1 to 60,000.
    """
    if text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= MAX_TIMEOUT_MS:
        return min(int(text) * (SECOND_NS // 1_000), default_ns)
    raise InputError(
        "this is no time-out",
        where="X-Request-Timeout-Ms",
        fix=f"whole milliseconds from 1 to {MAX_TIMEOUT_MS:,}",
        status=400,
    )
