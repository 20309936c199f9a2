"""The calendar of known days: windows that start on one judge nothing, though they are measured like the others.

`Judge` leaves them out of every replay, so naming a day later takes effect at once. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gyroscope.clock import EventTime, moment_of
from gyroscope.settings import days_of


def excluded(calendar: Mapping[str, str], starts: Iterable[EventTime], zone: str) -> frozenset[EventTime]:
    """Those of some windows that start on a day the user has named.

    >>> from gyroscope.clock import parse_event_time
    >>> christmas = parse_event_time("2013-12-25T00:00:00-05:00")
    >>> excluded({"christmas": "2013-12-24 to 2013-12-26"}, [christmas], "America/New_York") == {christmas}
    True
    """
    stretches = [days_of(days) for days in calendar.values()]
    if not stretches:
        return frozenset()
    days = {start: moment_of(start, zone).date() for start in starts}
    return frozenset(start for start, day in days.items() if any(first <= day <= last for first, last in stretches))
