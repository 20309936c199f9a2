"""Takes letters out of the outbox and sends them: one loop per notifier, so that a slow one delays no other.

Control runs each in a thread of its own. A letter is tried until it is delivered or given up; a control that was killed
in between sends it again, with the same key.
"""

from __future__ import annotations

import logging
import random

from gyroscope.alerts.notifiers import Notifier, Outcome
from gyroscope.alerts.outbox import Letter, Outbox
from gyroscope.alerts.patience import after
from gyroscope.clock import EventTime, wall_now
from gyroscope.records import Signal
from gyroscope.signals.store import Signals

LOG = logging.getLogger(__name__)


class Delivery:
    """The letters of one notifier. `give_up_us` is how long one may take, in microseconds of wall time."""

    def __init__(self, name: str, notifier: Notifier, outbox: Outbox, signals: Signals, give_up_us: int) -> None:
        self._name = name
        self._notifier = notifier
        self._outbox = outbox
        self._signals = signals
        self._give_up_us = give_up_us
        self._unkept: dict[int, Letter] = {}
        self._spread = random.Random()  # noqa: S311  # spreads tries; nothing is secret about it

    def run_once(self) -> int:
        """Try every letter that is due, oldest first; how many were delivered."""
        delivered = 0
        with self._outbox.desk(self._name) as desk:
            for letter in desk.due(wall_now()):
                done = self._unkept.get(letter.number)
                if done is None or (done.progress == "waiting" and done.next_at <= wall_now()):
                    done = self._try(done or letter)
                self._unkept[letter.number] = done  # on a full disk nobody is told the same five times a second
                desk.keep(done)
                del self._unkept[letter.number]
                delivered += done.progress == "delivered"
                if done.progress == "given up":
                    self._say(done)
        return delivered

    def _try(self, letter: Letter) -> Letter:
        try:
            outcome = self._notifier.send(letter.notice, wall_now())
        except Exception as error:  # noqa: BLE001  what one letter or receiver does to a notifier holds up no other letter
            outcome = Outcome(False, f"the notifier failed: {type(error).__name__}")
        if not outcome.is_delivered:
            LOG.info("notifier %s: %s not delivered: %s", self._name, letter.notice.key, outcome.said)
        return after(letter, outcome, wall_now(), self._give_up_us, self._spread.random())

    def _say(self, letter: Letter) -> None:
        """In the log, and as a signal that rules and scrapes can watch."""
        notice = letter.notice
        text = "notifier %s: gave up %s after %d tries: %s; nobody was told that %s %s"
        LOG.error(text, self._name, notice.key, letter.tries, letter.said, notice.incident, notice.happened)
        self._signals.put([undelivered(self._name, self._outbox, wall_now())])


def undelivered(name: str, outbox: Outbox, now: EventTime) -> Signal:
    """How many notifications of a notifier were ever given up."""
    return Signal("undelivered", now, float(outbox.count(name, "given up")), (("notifier", name),))
