"""How many requests the door should send at once, and how many may wait there: learned from how a replica's line does.

Pure: `line.py` tells what it did, the pulse carries the answer to the supervisor, the supervisor to the door. The line
at the door is the one that all replicas share, so a replica wants in its own no more than keeps it busy.
"""

from __future__ import annotations

from gyroscope.clock import SECOND_NS

FIRST = 8
"""Requests at once before anything is known."""

WINDOW_NS = SECOND_NS // 5
"""Of work that is looked at before anything changes: some four of the supervisor's looks."""

HANDOVER_NS = SECOND_NS // 1_000
"""A replica that had nothing to do for longer was waiting for clients, not for the door."""

QUIET_WINDOWS = 4
"""So many without starving, and one request less is tried: where short calls wait behind long ones, one is best."""

STARVED = 0.08
"""Share of the time that may pass between an answer and the next request from the door. One request more in the replica
would hide it, but would also stand behind a slow one while another replica is free."""

FADE = 1.02
"""A replica that stays slower is believed half of it after 35 windows, some seconds of work."""

LEAST_ROOM, MOST_ROOM = 2, 4_096


class Limit:
    """Of one replica. Who waits at the door is answered within `wait_ns`. Times are nanoseconds of one clock.

    >>> limit = Limit(most=64, wait_ns=500_000_000)
    >>> limit.value, limit.room
    (8, 4096)
    >>> for _ in range(200):  # 10 ms each, 7 more always in the line: nobody is served sooner for that
    ...     if limit.worked(idle_ns=0, took_ns=10_000_000, calls=1, left=7):
    ...         _ = limit.decide()
    >>> limit.value, limit.room
    (1, 45)
    """

    def __init__(self, most: int, wait_ns: int) -> None:
        self._most = most
        self._wait_ns = wait_ns
        self.value = min(FIRST, most)
        self.room = MOST_ROOM
        self._call_ns = 0.0
        self._quiet = 0
        self._busy_ns = self._idle_ns = self._calls = self._turns = self._left = self._peak = 0

    def worked(self, idle_ns: int, took_ns: int, calls: int, left: int) -> bool:
        """A turn is over: so long idle before it, so many calls answered in `took_ns`, `left` were waiting behind them.

        Returns whether enough was seen to `decide`.
        """
        self._busy_ns += took_ns
        self._idle_ns += idle_ns if idle_ns < HANDOVER_NS else 0
        self._calls += calls
        self._turns += 1
        self._left += left
        self._peak = max(self._peak, calls + left)
        return self._busy_ns + self._idle_ns >= WINDOW_NS

    def decide(self, wanted: int = 1) -> bool:
        """Set `value` and `room` anew; `wanted` is what one prediction could take. Returns whether they changed."""
        before = self.value, self.room
        is_full = self._peak >= self.value
        starved = self._idle_ns / (self._idle_ns + self._busy_ns)
        spare = int(self._left / self._turns + 0.1)
        # A batch is made of what is here when it begins, and the next one of what comes meanwhile.
        useful = 2 * wanted if wanted > 1 else 1
        if is_full and (starved > STARVED or self.value < useful):
            self.value = min(self._most, self.value + (self.value if starved > 0.5 else max(1, self.value // 4)))
            self._quiet = 0
        elif self.value > useful:
            self._quiet = 0 if starved > STARVED else self._quiet + 1
            if spare or self._quiet >= QUIET_WINDOWS:
                self.value = max(1, self.value - max(1, spare // 2, 0 if spare else self.value // 4))
                self._quiet = 0
        call_ns = (self._busy_ns + self._idle_ns * is_full) / self._calls
        # The fastest of late: a stall of the machine is over sooner than the door would have let anybody wait again.
        self._call_ns = min(call_ns, FADE * self._call_ns) if self._call_ns else call_ns
        # Those in the replica are answered first: who waits behind them is answered in time only if they count too.
        fitting = self._wait_ns / self._call_ns - self.value
        self.room = _steady(self.room, round(max(LEAST_ROOM, min(MOST_ROOM, fitting))))
        self._busy_ns = self._idle_ns = self._calls = self._turns = self._left = self._peak = 0
        return before != (self.value, self.room)


def _steady(old: int, new: int) -> int:
    """The old one while it is near enough: each change is a command to the door.

    >>> _steady(100, 105), _steady(100, 120), _steady(2, 3)
    (100, 120, 3)
    """
    return old if abs(new - old) <= old // 8 else new
