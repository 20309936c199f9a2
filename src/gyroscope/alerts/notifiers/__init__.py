"""Ways to tell people: one file each, behind one small promise.

`delivery.py` asks; none of them keeps anything, tries twice, or knows what a retry is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

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
    """One receiver."""

    def send(self, notice: Notice, now: EventTime) -> Outcome:
        """Try once, within the notifier's time-out; `now` is wall time. The same notice may be sent again. Never raises
        for what a receiver or a network does."""
        ...


@runtime_checkable
class Forgetful(Notifier, Protocol):
    """A receiver that may forget: all that stands is told to it again every `repeat_s` seconds."""

    repeat_s: float

    def repeat(self, notices: Sequence[Notice], now: EventTime) -> Outcome:
        """Tell it all at once, as `send` would each."""
        ...
