"""How many waiting calls one prediction takes, and whether more are worth a wait: learned from what predictions took.

Pure: `line.py` tells the times and does what it is told. One prediction of n rows takes t(n) = fixed + n * per row,
except that one call alone may have a faster way. Nothing here knows a model, a clock or a request.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

FORGET = 0.98
"""Half the weight after 34 predictions: a machine that got slower is believed within a second of load."""

OUTLIER = 8.0
"""A prediction that took so many times the expected (a collection, a stolen processor) counts as that much, no more."""

EXPLORE_EVERY = 50
"""One in so many turns tries company: two calls together where that seemed to gain nothing, and a wait for any who
may exist. Models warm up, machines change, and the first time of a kind may have been an accident."""

ALONE_EVERY = 4 * EXPLORE_EVERY
"""One in so many tries one call alone where batches gain. All others wait for it: one in a hundred would be the p99."""

CALM_TURNS = 16
"""Learning costs some microseconds a turn: of calls that come one by one, one in so many is learned from."""

CHEAP_NS = 25_000
"""A prediction as short as this costs less than putting it together with others: some 20 us a call."""

PLACE_NS = 50_000
"""A place in line costs a call so much more processor time than the way past it, which is more than company can save of
a prediction as short as this."""

QUICK_NS = 200_000
"""A prediction as short as this, of a kind that gains nothing from company, is not worth a place in line either."""

SLOW_NS = 2 * QUICK_NS
"""What passed as quick and took so long was an accident, or has become slow."""

SLOW_COUNTS = 4
"""Two slow times that are so many apart, or nearer, are the model's."""

LOOK_EVERY = 256
"""One in so many that could pass goes through the line, with those behind it: there it is seen whether they gain."""

GAIN = 0.9
"""Together must be this much faster than one by one: calls that share a prediction also share its delays and faults."""

SLO_SHARE = 0.4
"""Of the target that one prediction may take. A call waits for the one in progress and then for its own, and has some
way to go before and after."""

WAIT_SHARE = 0.1
"""Of the target that may be spent on waiting for more."""

LEAST_PATIENCE = 1 / 16
"""A wait that brings nobody halves the next one, down to this; one that brings somebody doubles it again."""


class Fit:
    """t(n) = fixed_ns + n * row_ns by least squares over what was seen, the older the less.

    >>> fit = Fit()
    >>> for n in (1, 8, 32, 8, 1):
    ...     fit.saw(n, 5e6 + n * 1e5)
    >>> round(fit.fixed_ns), round(fit.row_ns)
    (5000000, 100000)
    """

    def __init__(self) -> None:
        self._weight = self._n = self._nn = self._t = self._nt = 0.0
        self._squares = 0.0
        self._has_slope = False
        self.largest = 0
        self.fixed_ns = self.row_ns = 0.0

    def saw(self, n: int, took_ns: float) -> None:
        """One prediction of n rows."""
        if self._weight > 1:
            took_ns = min(took_ns, OUTLIER * self.expected_ns(n))
        if self._weight:
            self._squares = FORGET * self._squares + (took_ns - self.expected_ns(n)) ** 2
        self._weight = FORGET * self._weight + 1
        self._n = FORGET * self._n + n
        self._nn = FORGET * self._nn + n * n
        self._t = FORGET * self._t + took_ns
        self._nt = FORGET * self._nt + n * took_ns
        spread = self._weight * self._nn - self._n * self._n
        # All of one size says nothing about the slope: it stays what it was, or is taken to be as steep as it can be.
        if spread > 1e-6 * self._nn * self._weight:
            self.row_ns, self._has_slope = max(0.0, (self._weight * self._nt - self._n * self._t) / spread), True
        steepest_ns = self._nt / self._nn
        self.row_ns = min(self.row_ns, steepest_ns) if self._has_slope else steepest_ns
        self.largest = max(self.largest, n)
        self.fixed_ns = max(0.0, (self._t - self.row_ns * self._n) / self._weight)

    def expected_ns(self, n: float) -> float:
        return self.fixed_ns + n * self.row_ns

    @property
    def margin_ns(self) -> float:
        """Twice the standard error of what is expected: calls may differ in more than their number of rows."""
        return 2 * math.sqrt(self._squares) / self._weight if self._weight else 0.0

    @property
    def is_empty(self) -> bool:
        return not self._weight


@dataclass(frozen=True)
class Turn:
    """What to do now: predict for the first `take` calls together, or (0) look again within `wait_ns`."""

    take: int
    wait_ns: int = 0


class Batcher:
    """Decides for one replica. Times are of one monotonic clock, in nanoseconds.

    >>> batcher = Batcher(most=64, slo_ns=100_000_000)
    >>> batcher.turn(waiting=9, now_ns=0)
    Turn(take=1, wait_ns=0)
    >>> batcher.ended(calls=1, rows=1, took_ns=5_000_000, left=8, now_ns=5_000_000)
    >>> batcher.turn(waiting=9, now_ns=5_000_000)
    Turn(take=2, wait_ns=0)
    """

    def __init__(self, most: int, slo_ns: int) -> None:
        self._most = most
        self._slo_ns = slo_ns
        self._alone = Fit()
        self._together = Fit()
        self._rows_per_call = 1.0
        self._turns = 0
        self._ended_ns = 0
        self._returning = 0  # calls of the last prediction and those left behind: who may be here in a moment
        self._crowd = 0.0  # how many were here at once of late
        self._complete = 0.0  # share of the turns of late that began with everybody who was expected
        self._seen = 0  # how many were waiting at the last look
        self._seen_ns = 0  # when that many had come
        self._waited_at = 0  # how many there were when waiting began; 0 when it did not
        self._patience = 1.0
        self._is_cheap = self._is_short = self._is_quick = False
        self._slow = 0  # how thick slow times came of late

    def passes(self, waiting: int) -> bool:
        """Whether the next call is simply worked on and teaches nothing: it came alone, or sharing saves too little."""
        is_calm = self._is_cheap or (waiting == 1 and self._returning <= 1)
        if not is_calm or (self._turns + 1) % CALM_TURNS == 0:
            return False
        self._turns += 1
        return True

    @property
    def is_quick(self) -> bool:
        """Whether the next call may be answered at once: one alone takes little, and company would save nothing."""
        return self._is_short or (self._is_quick and (self._turns + 1) % LOOK_EVERY != 0)

    def passed(self, took_ns: int, now_ns: int) -> None:
        """Calls of one row were answered past the line, each in such a time.

        Slow times that come thick teach, and the next calls queue. One alone is the machine's: were each of those
        learned from, and of the others one in so many, the model would seem slow.
        """
        self._turns += 1
        self._slow = self._slow + SLOW_COUNTS if took_ns > SLOW_NS else max(0, self._slow - 1)
        if self._slow > SLOW_COUNTS:
            self.ended(1, 1, took_ns, 0, now_ns)
            self._slow, self._is_short, self._is_quick = 0, False, False
        elif self._turns % CALM_TURNS == 0:
            self.ended(1, 1, took_ns, 0, now_ns)

    def turn(self, waiting: int, now_ns: int) -> Turn:
        """What to do with `waiting` >= 1 calls while no prediction runs. Ask again after a wait, or when one came."""
        if waiting != self._seen:
            self._seen, self._seen_ns = waiting, now_ns
            self._crowd = max(self._crowd, waiting)
        if self._returning > 1:
            wait_ns = self._worth_ns(waiting) - (now_ns - self._seen_ns)
            if wait_ns > 0 and self._may_wait(waiting, now_ns):
                self._waited_at = self._waited_at or waiting
                return Turn(0, int(wait_ns) + 1)
        if self._waited_at:
            self._patience = min(1.0, 2 * self._patience) if waiting > self._waited_at else self._patience / 2
            self._patience = max(self._patience, LEAST_PATIENCE)
            self._waited_at = 0
        self._complete += 0.1 * ((waiting >= self._expected()) - self._complete)
        turn = Turn(self._size(waiting))
        # Not for each look: how many a turn takes has a rhythm of its own, and might meet that of trying never.
        self._turns += 1
        return turn

    def ended(self, calls: int, rows: int, took_ns: int, left: int, now_ns: int) -> None:
        """A prediction for so many calls is over; `left` are waiting behind it. `took_ns` is 0 when it was not one."""
        if took_ns:
            (self._alone if calls == 1 else self._together).saw(rows, took_ns)
        alone_ns = self._alone.expected_ns(self._rows_per_call)
        self._is_cheap = 0 < alone_ns < CHEAP_NS
        self._is_short = 0 < alone_ns < PLACE_NS
        self._is_quick = 0 < alone_ns < QUICK_NS and not self._gains(max(2, self._room()))
        self._rows_per_call += 0.05 * (rows / calls - self._rows_per_call)
        self._crowd = max(calls, left, FORGET * self._crowd)
        self._ended_ns, self._returning, self._seen = now_ns, calls + left, 0

    @property
    def wanted(self) -> int:
        """Calls that one prediction would take if there were enough; 1 where batches gain nothing."""
        room = self._room()
        return room if room > 1 and not self._together.is_empty and self._gains(room) else 1

    def _size(self, waiting: int) -> int:
        """As many as wait and as the target allows, when that is faster than one by one."""
        n = min(waiting, self._room())
        if n > 1 and self._gains(n):
            return n if self._turns % ALONE_EVERY else 1
        return min(n, 2) if self._is_trying else 1

    def _room(self) -> int:
        """Calls whose prediction together takes its share of the target, and at most twice as many as ever before."""
        together, per_call = self._together, self._rows_per_call
        if together.is_empty:
            return min(2, self._most)
        fitting = (SLO_SHARE * self._slo_ns - together.fixed_ns) / max(together.row_ns * per_call, 1.0)
        return max(1, min(self._most, int(fitting), round(2 * together.largest / per_call)))

    def _gains(self, calls: int) -> bool:
        """Whether these are answered sooner together; worth trying while nobody knows."""
        if self._alone.is_empty:
            return False
        together_ns = self._together.expected_ns(calls * self._rows_per_call) + self._together.margin_ns
        alone_ns = self._alone.expected_ns(self._rows_per_call) - self._alone.margin_ns
        return together_ns < GAIN * calls * alone_ns

    def _worth_ns(self, waiting: int) -> float:
        """The gap to the next call that is worth its wait: it delays each who waits, and saves one prediction.

        Where mostly everybody is here at once, who is not has been held up, and all who are missing come together.
        """
        coming = max(1, self._expected() - waiting) if self._complete > 0.5 else 1
        return self._patience * coming * self._saved_ns() / waiting

    def _expected(self) -> int:
        """How many may be here in a moment: those answered last time and those behind them, but no more than were here
        at once of late, since who is seen behind them may be one of them, back already."""
        expected = min(self._returning, self._room())
        return expected if self._is_trying else min(expected, math.ceil(self._crowd))

    @property
    def _is_trying(self) -> bool:
        """Whether this turn may have company although nothing is known of it, or nothing good: never the one alone."""
        return self._turns % EXPLORE_EVERY == EXPLORE_EVERY // 2

    def _may_wait(self, waiting: int, now_ns: int) -> bool:
        """Only for those who are missing since the last prediction, and only for a moment after it.

        So whoever comes to an idle replica is served at once, and a client that is alone never waits.
        """
        if self._together.is_empty and not self._is_trying:
            return False
        target = self._expected()
        window_ns = min(2 * self._saved_ns(), WAIT_SHARE * self._slo_ns)
        is_worth_it = self._is_trying or self._gains(target)
        return waiting < target and now_ns - self._ended_ns < window_ns and is_worth_it

    def _saved_ns(self) -> float:
        """By one call that joins others instead of being predicted alone; a turn that tries hopes for all of it."""
        row_ns = 0.0 if self._is_trying else self._together.row_ns
        return self._alone.expected_ns(self._rows_per_call) - row_ns * self._rows_per_call
