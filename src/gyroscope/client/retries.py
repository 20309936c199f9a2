"""When to ask again: what may be repeated, how often, how soon. Pure but for the budget's own count.

`conversation.py` asks. Every request has an id before it is first sent, so a repeated one is recorded as one.
"""

from __future__ import annotations

import threading

from gyroscope.client.wire import Lost, Reply

ATTEMPTS = 3
REPEATED = frozenset({429, 502, 503, 504})
"""Statuses that say "not now"; every other one would be the same again."""

# A server that fails for everybody gets a tenth more requests, not three times as many; ten may come at once.
_EARNED, _MOST = 0.1, 10.0
_FIRST_PAUSE_S = 0.05


class Budget:
    """At most one repeat for ten requests, after the first ten repeats. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = _MOST

    def earn(self) -> None:
        """A new request has been made."""
        with self._lock:
            self._left = min(self._left + _EARNED, _MOST)

    def spend(self) -> bool:
        """Whether a repeat can be had; then it is had."""
        with self._lock:
            if self._left < 1:
                return False
            self._left -= 1
            return True


def pause_s(outcome: Reply | Lost, attempt: int, noise: float) -> float | None:
    """How long to wait before asking again after this attempt (1 is the first); None: ask no more.

    `noise` in [0, 1) spreads out those who failed together; a server's Retry-After is kept and spread as well.

    >>> pause_s(Lost("refused"), 1, 0.0), pause_s(Reply(503, {"retry-after": "1"}, b""), 2, 0.5)
    (0.025, 1.075)
    >>> pause_s(Reply(422, {}, b""), 1, 0.0)
    """
    if attempt >= ATTEMPTS:
        return None
    wait: float = _FIRST_PAUSE_S * 2 ** (attempt - 1) * (0.5 + noise / 2)
    if isinstance(outcome, Lost):
        return None if outcome.is_late else wait
    if outcome.status not in REPEATED:
        return None
    asked = outcome.headers.get("retry-after", "")
    return wait + (int(asked) if asked.isdecimal() and len(asked) < 6 else 0)
