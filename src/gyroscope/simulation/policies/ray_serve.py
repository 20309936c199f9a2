"""Ray Serve's default policy, as in python/ray/serve/autoscaling_policy.py: ongoing requests against 2 a replica.

Modelled: the mean of the last 30 s, told every 10 s; the control loop of 0.1 s, in which more must be wanted for 30 s
and less for 600 s without a break; factors of 1. Not modelled: the queues of handles and replicas (here all wait in one
line, which is kinder to it). `rehearse.py` calls it; it never sees a processor or a latency.
"""

from __future__ import annotations

import math
from collections import deque

from gyroscope.simulation.queue import Seen

TARGET_ONGOING = 2.0
LOOK_BACK_S, PUSH_S = 30, 10
UP_S, DOWN_S = 30.0, 600.0
LOOP_S = 0.1


class RayServe:
    """Between `least` and `most` replicas."""

    name = "Ray Serve"
    every_s = 1.0

    def __init__(self, least: int, most: int) -> None:
        self._least, self._most = least, most
        self._samples: deque[int] = deque(maxlen=LOOK_BACK_S)
        self._ongoing = 0.0
        self._loops = 0

    def look(self, seen: Seen) -> int:
        self._samples.append(seen.waiting + seen.held)
        if round(seen.now_s) % PUSH_S == 0:
            self._ongoing = sum(self._samples) / len(self._samples)
        wanted = min(max(math.ceil(self._ongoing / TARGET_ONGOING), self._least), self._most)
        way = (wanted > seen.size) - (wanted < seen.size)
        if way * self._loops < 0:
            self._loops = 0
        # Ten loops of 0.1 s see the same between two looks.
        self._loops = self._loops + way * round(self.every_s / LOOP_S) if way else 0
        if self._loops > UP_S / LOOP_S or self._loops < -DOWN_S / LOOP_S:
            self._loops = 0
            return wanted
        return seen.size
