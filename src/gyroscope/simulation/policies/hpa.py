"""Kubernetes' HorizontalPodAutoscaler v2 with its defaults, as in pkg/controller/podautoscaler (horizontal.go,
replica_calculator.go): processor use against 80 % of the request, which is what one call at a time can use.

Modelled: the loop of 15 s and metrics over as long, tolerance 0.1, pods without metrics (they start) at 100 % for less
and 0 % for more, pods ready for less than a window left out or at 0 % for more, no change of direction by either,
at most double or 4, no stabilisation for more and 300 s for less. Not modelled: metrics that come later still.
`rehearse.py` calls it; pods share one line, so that all are equally busy.
"""

from __future__ import annotations

import math
from collections import deque

from gyroscope.simulation.queue import Seen

TARGET = 0.8
TOLERANCE = 0.1
STABLE_S = 300.0
WINDOW_S = 15.0


class Hpa:
    """Between `least` and `most` pods."""

    name = "HPA v2"
    every_s = WINDOW_S

    def __init__(self, least: int, most: int) -> None:
        self._least, self._most = least, most
        self._ready_before: int | None = None
        self._wanted: deque[tuple[float, int]] = deque()

    def look(self, seen: Seen) -> int:
        settled = seen.ready if self._ready_before is None else min(self._ready_before, seen.ready)
        self._ready_before = seen.ready
        use = seen.busy_s / seen.ready_s if seen.ready_s else 0.0
        wanted = replicas_for(use, settled, ignored=seen.ready - settled, missing=seen.size - seen.ready)
        self._wanted.append((seen.now_s, wanted))
        while self._wanted[0][0] <= seen.now_s - STABLE_S:
            self._wanted.popleft()
        stable = max(each for _, each in self._wanted)
        limited = min(stable, max(2 * seen.size, 4))
        return min(max(limited, self._least), self._most)


def replicas_for(use: float, settled: int, *, ignored: int, missing: int) -> int:
    """What the controller's GetResourceReplicas says; `use` is of one core, of each settled pod.

    >>> replicas_for(0.85, 4, ignored=0, missing=0), replicas_for(1.0, 4, ignored=0, missing=0)
    (4, 5)

    Two pods that start count as idle, so that as many again are not asked for:

    >>> replicas_for(1.0, 4, ignored=0, missing=2)
    6
    """
    current = settled + ignored + missing
    if not settled:
        return current
    ratio = use / TARGET
    fills_up = ignored > 0 and ratio > 1
    if not fills_up and not missing:
        return current if abs(1 - ratio) <= TOLERANCE else math.ceil(ratio * settled)
    total, pods = use * settled, settled
    if missing and ratio != 1:
        total += missing if ratio < 1 else 0.0
        pods += missing
    if fills_up:
        pods += ignored
    again = total / pods / TARGET
    if abs(1 - again) <= TOLERANCE or (ratio < 1 < again) or (again < 1 < ratio):
        return current
    wanted = math.ceil(again * pods)
    turns = (again < 1 and wanted > current) or (again > 1 and wanted < current)
    return current if turns else wanted
