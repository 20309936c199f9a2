"""Takes letters out of the outbox and sends them: one loop per notifier, so that a slow one delays no other.

Control runs each in a thread of its own. A letter is tried until it is delivered or given up; a control that was killed
in between sends it again, with the same key.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable

from gyroscope.alerts.notifiers import Forgetful, Notifier, Outcome
from gyroscope.alerts.outbox import Desk, Letter, Outbox
from gyroscope.alerts.patience import after
from gyroscope.clock import SECOND_NS, EventTime, machine_now, wall_now
from gyroscope.errors import StoreError
from gyroscope.records import Signal
from gyroscope.signals.store import Signals

LOG = logging.getLogger(__name__)
AT_ONCE = 100
"""Letters of one turn; those that wait to be written down come on top, so that they keep no place of another."""


class Delivery:
    """The letters of one notifier. `give_up_us` is how long one may take, in microseconds of wall time."""

    def __init__(self, name: str, notifier: Notifier, outbox: Outbox, signals: Signals, give_up_us: int) -> None:
        self._name = name
        self._notifier = notifier
        self._outbox = outbox
        self._signals = signals
        self._give_up_us = give_up_us
        self._unkept: dict[int, Letter] = {}
        self._repeat_ns = 0
        self._spread = random.Random()  # noqa: S311  # spreads tries; nothing is secret about it

    def run_once(self) -> int:
        """Try every letter that is due, then repeat what stands where it is time; how many were delivered.

        Raises `StoreError`, once all were tried, when what became of one could not be written down.
        """
        delivered = 0
        full: StoreError | None = None
        with self._outbox.desk(self._name) as desk:
            due = desk.due(wall_now(), AT_ONCE + len(self._unkept))
            for letter in due:
                done = self._unkept.get(letter.number)
                if done is None or (done.progress == "waiting" and done.next_at <= wall_now()):
                    done = self._unkept[letter.number] = self._try(done or letter)
                    delivered += done.progress == "delivered"
                full = full or self._keep(desk, done)  # another try would wait as long for the same lock
            if isinstance(self._notifier, Forgetful) and machine_now() >= self._repeat_ns:
                new = {letter.number for letter in due}
                self._repeat(self._notifier, [letter for letter in desk.standing() if letter.number not in new])
        if full is not None:
            raise full
        return delivered

    def _keep(self, desk: Desk, done: Letter) -> StoreError | None:
        """Write down how a letter stands, or why not; until then it is known here: nobody is told it twice a second."""
        try:
            desk.keep(done)
            del self._unkept[done.number]
            if done.progress == "given up":
                self._say(done)
        except StoreError as error:
            return error
        return None

    def _try(self, letter: Letter) -> Letter:
        outcome = self._asked(letter.notice.key, lambda now: self._notifier.send(letter.notice, now))
        return after(letter, outcome, wall_now(), self._give_up_us, self._spread.random())

    def _asked(self, what: str, ask: Callable[[EventTime], Outcome]) -> Outcome:
        try:
            outcome = ask(wall_now())
        except Exception as error:  # noqa: BLE001  what one letter or receiver does to a notifier holds up no other letter
            outcome = Outcome(False, f"the notifier failed: {type(error).__name__}")
        if not outcome.is_delivered:
            LOG.info("notifier %s: %s not delivered: %s", self._name, what, outcome.said)
        return outcome

    def _repeat(self, notifier: Forgetful, standing: list[Letter]) -> None:
        """Tell it again to a receiver that may have forgotten. What is not taken, the next time is soon enough for."""
        if standing:
            notices = [letter.notice for letter in standing]
            self._asked(f"{len(notices)} that stand", lambda now: notifier.repeat(notices, now))
        self._repeat_ns = machine_now() + round(notifier.repeat_s * SECOND_NS)

    def _say(self, letter: Letter) -> None:
        """In the log, and as a signal that rules and scrapes can watch."""
        notice = letter.notice
        text = "notifier %s: gave up %s after %d tries: %s; nobody was told that %s %s"
        LOG.error(text, self._name, notice.key, letter.tries, letter.said, notice.incident, notice.happened)
        self._signals.put([undelivered(self._name, self._outbox, wall_now())])


def undelivered(name: str, outbox: Outbox, now: EventTime) -> Signal:
    """How many notifications of a notifier were ever given up."""
    return Signal("undelivered", now, float(outbox.count(name, "given up")), (("notifier", name),))
