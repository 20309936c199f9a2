"""Ways to tell people: one file each, behind one small promise.

`delivery.py` asks; none of them keeps anything, tries twice, or knows what a retry is.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from gyroscope.alerts.notices import Notice
from gyroscope.clock import EventTime


class Outcome(msgspec.Struct, frozen=True):
    """What became of one try. `said` is why it failed, without anything secret or that the receiver wrote.

    `is_final`: it will fail the same way again. `after_s`: the receiver asked to be left alone for so long.
    """

    is_delivered: bool
    said: str = ""
    is_final: bool = False
    after_s: float = 0.0


DELIVERED = Outcome(True)


class Notifier(Protocol):
    """One receiver. What stands is told to it again every `repeat_s` seconds, for one that forgets; 0: it keeps it."""

    repeat_s: float

    def send(self, notice: Notice, now: EventTime) -> Outcome:
        """Try once, within the notifier's time-out; `now` is wall time. The same notice may be sent again. Never raises
        for what a receiver or a network does."""
