"""When a notification is tried again, and when it is given up. Pure.

`delivery.py` asks after each try. A receiver that says when is believed, within an hour.
"""

from __future__ import annotations

import msgspec

from gyroscope.alerts.notifiers import Outcome
from gyroscope.alerts.outbox import LONGEST_WAIT_US, Letter
from gyroscope.clock import SECOND_US, EventTime

FIRST_S, LONGEST_S = 1.0, 300.0
"""The second try comes after about a second, each further one after twice as long, at last every five minutes."""


def after(letter: Letter, outcome: Outcome, now: EventTime, give_up_us: int, drawn: float) -> Letter:
    """How the delivery of a letter stands after a try; `drawn` from [0, 1) spreads those that failed together.

    >>> from gyroscope.alerts.notices import Notice
    >>> notice = Notice("m-1-1", "opened", EventTime(0), "m-1", "m", "v", "input", "", "", "open", 0, 0, None, (), None)
    >>> after(Letter(1, "team", notice), Outcome(False, "status 503"), EventTime(0), 60 * SECOND_US, 0.5).next_at
    750000
    """
    tries = letter.tries + 1
    if outcome.is_delivered:
        return msgspec.structs.replace(letter, progress="delivered", tries=tries, said="")
    pause_s = min(LONGEST_S, FIRST_S * 2.0 ** min(letter.tries, 30)) * (0.5 + drawn / 2)
    pause_us = min(int(max(pause_s, outcome.after_s) * SECOND_US), LONGEST_WAIT_US)
    next_at = EventTime(now + pause_us)
    if outcome.is_final or next_at > letter.notice.at + give_up_us:
        return msgspec.structs.replace(letter, progress="given up", tries=tries, said=outcome.said)
    return msgspec.structs.replace(letter, tries=tries, next_at=next_at, said=outcome.said)
