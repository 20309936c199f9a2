"""The queue of a model, simulated: one line at the door, replicas that each make one call at a time.

`rehearse.py` moves it from look to look and changes its size as a policy says. Exact for its rules, and quick: a
replica is nothing but the moment when it is free, so a request costs one step on a heap of moments.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left, bisect_right

import msgspec
import numpy as np
from numpy.typing import NDArray


class Replica(msgspec.Struct, frozen=True):
    """What all replicas are like: a call for n requests takes fixed_s + n * request_s on average.

    `cv2` is the squared coefficient of variation of that time, a gamma variable. A replica works `start_s` after it
    was asked for. Requests that waited `patience_s` are refused.
    """

    request_s: float = 0.1
    fixed_s: float = 0.0
    cv2: float = 0.25
    most_batch: int = 1
    start_s: float = 10.0
    patience_s: float = 1.0


class Seen(msgspec.Struct, frozen=True):
    """What happened between two looks, and how it is now: all that any policy may know.

    `calls` for `requests` were begun and will have taken `call_s`; replicas were busy for `busy_s` together. Counts of
    now: requests `waiting` and `held` in replicas, replicas that are `ready` (for `ready_s` together since the last
    look), and the `size` that starting ones are in.
    """

    now_s: float
    took_s: float
    arrived: int
    calls: int
    requests: int
    call_s: float
    busy_s: float
    waiting: int
    held: int
    ready: int
    ready_s: float
    size: int


class Queue:
    """Requests at `arrivals` (seconds, sorted), served in that order."""

    def __init__(self, arrivals: NDArray[np.float64], replica: Replica, size: int, rng: np.random.Generator) -> None:
        self._replica = replica
        self._arrivals: list[float] = arrivals.tolist()
        shape = 1 / max(replica.cv2, 1e-6)
        self._factors: list[float] = rng.gamma(shape, 1 / shape, len(arrivals)).tolist()
        self._answered: list[float] = [math.inf] * len(arrivals)
        self._free = [0.0] * size  # a heap: when each replica is free, or has started
        self._starting: list[float] = []
        self._leaving: list[float] = []  # replicas that finish their call and go
        self._in_hand: list[tuple[float, int]] = []  # calls that end after now: when, and for how many
        self._next = self._arrived = 0
        self._now_s = self.replica_s = 0.0

    @property
    def answered_s(self) -> NDArray[np.float64]:
        """When each request was answered; infinite for those refused or not yet answered."""
        return np.array(self._answered)

    def resize(self, size: int) -> None:
        """From now on so many: new ones begin to start; those that still start go first, then the idlest."""
        for _ in range(size - len(self._free)):
            self._starting.append(self._now_s + self._replica.start_s)
            heapq.heappush(self._free, self._starting[-1])
        for _ in range(len(self._free) - size):
            if self._starting:
                self._free.remove(self._starting.pop())
                heapq.heapify(self._free)
            elif (end_s := heapq.heappop(self._free)) > self._now_s:
                self._leaving.append(end_s)

    def advance(self, until_s: float) -> Seen:
        """Serve until then."""
        took_s = until_s - self._now_s
        left_over_s = sum(end_s - self._now_s for end_s, _ in self._in_hand)
        self.replica_s += took_s * len(self._free) + sum(min(end_s, until_s) - self._now_s for end_s in self._leaving)
        self._in_hand = [(end_s, n) for end_s, n in self._in_hand if end_s > until_s]
        calls, begun, begun_s = self._serve(until_s)
        in_hand = sum(n for _, n in self._in_hand)
        arrived = bisect_left(self._arrivals, until_s, self._arrived)
        seen = Seen(
            now_s=until_s,
            took_s=took_s,
            arrived=arrived - self._arrived,
            calls=calls,
            requests=begun,
            busy_s=left_over_s + begun_s - sum(end_s - until_s for end_s, _ in self._in_hand),
            call_s=begun_s,
            waiting=arrived - self._next,
            held=in_hand,
            ready_s=took_s * len(self._free) - sum(min(at_s, until_s) - self._now_s for at_s in self._starting),
            ready=len(self._free) - sum(ready_s > until_s for ready_s in self._starting),
            size=len(self._free),
        )
        self._starting = [ready_s for ready_s in self._starting if ready_s > until_s]
        self._leaving = [end_s for end_s in self._leaving if end_s > until_s]
        self._arrived, self._now_s = arrived, until_s
        return seen

    def _serve(self, until_s: float) -> tuple[int, int, float]:
        """Begin every call that begins before then; how many, for how many requests, and their time."""
        arrivals, free, answered, factors = self._arrivals, self._free, self._answered, self._factors
        replica, at, count = self._replica, self._next, len(self._arrivals)
        calls = refused = 0
        begun_s = 0.0
        while at < count:
            came_s = arrivals[at]
            start_s = free[0] if free[0] > came_s else came_s
            if start_s >= until_s:
                break
            if start_s - came_s > replica.patience_s:
                refused += 1
                at += 1
                continue
            last = at + 1
            if replica.most_batch > 1:
                last = bisect_right(arrivals, start_s, last, min(count, at + replica.most_batch))
            call_s = (replica.fixed_s + (last - at) * replica.request_s) * factors[at]
            end_s = start_s + call_s
            heapq.heapreplace(free, end_s)
            answered[at:last] = [end_s] * (last - at)
            if end_s > until_s:
                self._in_hand.append((end_s, last - at))
            calls += 1
            begun_s += call_s
            at = last
        begun, self._next = at - self._next - refused, at
        return calls, begun, begun_s
