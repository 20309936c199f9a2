"""An incident store with notifiers, and what its outbox holds in few words."""

from __future__ import annotations

from gyroscope.alerts.notices import Notice
from gyroscope.alerts.outbox import Outbox
from gyroscope.clock import EventTime

FAR = EventTime(1 << 60)


def notice(key: str = "m-1-1", at: int = 0) -> Notice:
    return Notice(
        key=key, happened="opened", at=EventTime(at), incident="m-1", model="m", version="v", kind="quality",
        title="broken data: age", why="all of age is missing", state="open", since=EventTime(0), opened=EventTime(5),
        ended=None, subjects=("age",), harm_rows_per_day=4.5,
    )  # fmt: skip


def sent(outbox: Outbox, notifier: str = "team") -> list[str]:
    """What waits, as it was written: a desk gives out of each incident only the oldest."""
    sql = "SELECT json_extract(notice, '$.happened') FROM outbox WHERE notifier = ? AND progress = 'waiting'"
    with outbox._database.opened() as connection:
        return [happened for (happened,) in connection.execute(f"{sql} ORDER BY number", (notifier,))]
