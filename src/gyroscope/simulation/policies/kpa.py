"""Like Knative's pod autoscaler with its defaults, as in pkg/autoscaler/scaling/autoscaler.go, for replicas that take
one request at a time (containerConcurrency 1): concurrency against 70 % of that.

Modelled: a sample a second, the tick of 2 s, the stable window of 60 s and the panic window of 6 s, panic at twice what
is ready, no shrinking in panic, at most 1,000 times as many and at least half. Not modelled: scaling to zero, and the
activator's own delays. `rehearse.py` calls it; it never does what the other policies do.
"""

from __future__ import annotations

import math
from collections import deque

from gyroscope.simulation.queue import Seen

TARGET = 0.7
STABLE_S, PANIC_S = 60, 6
PANIC_AT = 2.0
UP_RATE, DOWN_RATE = 1_000.0, 2.0


class Kpa:
    """Between `least` and `most` pods."""

    name = "KPA-like"
    every_s = 1.0

    def __init__(self, least: int, most: int) -> None:
        self._least, self._most = least, most
        self._samples: deque[int] = deque(maxlen=STABLE_S)
        self._panic_since_s: float | None = None
        self._panic_pods = 0
        self._size = least

    def look(self, seen: Seen) -> int:
        self._samples.append(seen.waiting + seen.held)
        if round(seen.now_s) % 2 == 0:
            self._size = min(max(self._scale(seen), self._least), self._most)
        return self._size

    def _scale(self, seen: Seen) -> int:
        ready = max(1, seen.ready)
        stable, panic = (math.ceil(_mean(self._samples, window) / TARGET) for window in (STABLE_S, PANIC_S))
        most, least = math.ceil(UP_RATE * ready), math.floor(ready / DOWN_RATE)
        wanted, wanted_now = (min(max(each, least), most) for each in (stable, panic))
        self._panics(panic / ready >= PANIC_AT, seen.now_s)
        if self._panic_since_s is None:
            return wanted
        self._panic_pods = max(self._panic_pods, wanted, wanted_now)
        return self._panic_pods

    def _panics(self, is_over: bool, now_s: float) -> None:
        if is_over:
            self._panic_since_s = now_s
        elif self._panic_since_s is not None and now_s - self._panic_since_s > STABLE_S:
            self._panic_since_s, self._panic_pods = None, 0


def _mean(samples: deque[int], window: int) -> float:
    newest = list(samples)[-window:]
    return sum(newest) / len(newest)
