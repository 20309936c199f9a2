"""Errors and slow answers of champion and challenger side by side, from counters that are there anyway.

The loop looks several times a second. A replica's pulse counts what it answered, the door what it had to repeat: a
canary that dies answers nothing, and its clients see nothing. Machine time only; it decides nothing.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from gyroscope.clock import SECOND_NS, MachineTime
from gyroscope.errors import ProcessError
from gyroscope.rollouts.decide import Arms
from gyroscope.supervisor.pulse import LATENCY_BOUNDS_S, Pulse

SLOWER = 2.0
"""Slow is beyond twice the champion's median. Caches that are still cold make a canary a little slower, not twice; and
beyond the 95 % point of a busy machine, where everybody waits now and then, even ten times slower did not show."""

MOST = 500
"""Stretches at once: a decision over as many takes 0.1 s, over 10,000 it took 24. Beyond, each two are made one. A new
one is a three-hundredth of the time so far, so that all are about as long."""

NEWEST = 20
"""Stretches over which models' own times are compared: an old fault is forgotten, a new one soon seen."""

_FIRST_NS, _SHARE = SECOND_NS // 5, 300
_FEW = 100


Stretch = tuple[int, int, int, int]
"""Requests and harmful ones of the champion, then of the challenger."""


class Reading(msgspec.Struct, frozen=True):
    """What some replicas have counted so far; `slow` has all answers, then those above each latency bound.

    `worked_ns` is the time that models took for `predicted` requests, without what they waited for.
    """

    requests: int = 0
    harmed: int = 0
    repeated: int = 0
    slow: tuple[int, ...] = (0,) * (len(LATENCY_BOUNDS_S) + 1)
    worked_ns: int = 0
    predicted: int = 0


class SideBySide:
    """One step of one rollout: stretches of counts since it began, the newest one growing."""

    def __init__(self, pulses: Path, now: MachineTime) -> None:
        self._pulses = pulses
        self._began = self._cut = now
        self._last: tuple[Reading, Reading] | None = None
        self._bound = -1
        self._errors: list[Stretch] = []
        self._slow: list[Stretch] = []
        self._work: deque[Stretch] = deque(maxlen=NEWEST)
        self._untold: Stretch = (0, 0, 0, 0)

    def look(
        self, champion: Sequence[str], challenger: Sequence[str], door: Mapping[str, int], now: MachineTime
    ) -> tuple[Arms, Arms, float | None]:
        """Errors and slow answers up to the last whole stretch, and how many times as long the challenger's model works
        on a request (None: not known); `door` has the repeated requests of each replica.
        """
        if self._last is None:
            self._last = self._read(champion, door), self._read(challenger, door)
            self._bound = slow_bound(self._last[0].slow)
            return Arms(), Arms(), None
        if now - self._cut >= max(_FIRST_NS, (now - self._began) // _SHARE):
            new = self._read(champion, door), self._read(challenger, door)
            self._add(new)
            self._last, self._cut = new, now
        return _arms(self._errors), _arms(self._slow), _ratio(self._work)

    def _read(self, names: Sequence[str], door: Mapping[str, int]) -> Reading:
        parts = [_reading(self._pulses / f"{name}.pulse", door.get(name, 0)) for name in names]
        return Reading(
            sum(part.requests for part in parts),
            sum(part.harmed for part in parts),
            sum(part.repeated for part in parts),
            tuple(np.sum([part.slow for part in parts] or [Reading().slow], axis=0).tolist()),
            sum(part.worked_ns for part in parts),
            sum(part.predicted for part in parts),
        )

    def _add(self, new: tuple[Reading, Reading]) -> None:
        assert self._last is not None, "the first look has only read"
        errors: list[int] = []
        slow: list[int] = []
        work: list[int] = []
        for before, after in zip(self._last, new, strict=True):
            answered = max(0, after.requests - before.requests)
            # What was repeated includes every 500 that was answered; the rest died under its request.
            repeated = max(0, after.repeated - before.repeated)
            harmed = max(0, after.harmed - before.harmed)
            lost = max(0, repeated - harmed)
            errors += [answered + lost, min(answered + lost, max(harmed, repeated))]
            work += [max(0, after.predicted - before.predicted), max(0, after.worked_ns - before.worked_ns)]
            slow += [answered, min(answered, max(0, after.slow[self._bound + 1] - before.slow[self._bound + 1]))]
        if len(self._errors) == MOST:
            self._errors, self._slow = _in_twos(self._errors), _in_twos(self._slow)
        self._errors.append((errors[0], errors[1], errors[2], errors[3]))
        self._slow.append((slow[0], slow[1], slow[2], slow[3]))
        # Nobody who asks for a while makes nothing unknown: a stretch of work is one in which both have worked.
        a_n, a_ns, b_n, b_ns = self._untold
        self._untold = (a_n + work[0], a_ns + work[1], b_n + work[2], b_ns + work[3])
        if self._untold[0] and self._untold[2]:
            self._work.append(self._untold)
            self._untold = (0, 0, 0, 0)


def _ratio(work: Collection[Stretch]) -> float | None:
    """The challenger's mean time over the champion's, from (requests, nanoseconds) of either.

    >>> _ratio([(10, 1_000, 5, 500), (10, 1_000, 5, 2_500)]), _ratio([(10, 1_000, 0, 0)])
    (3.0, None)
    """
    requests_a, ns_a, requests_b, ns_b = (sum(column) for column in zip(*work, strict=True)) if work else (0, 0, 0, 0)
    return (ns_b / requests_b) / (ns_a / requests_a) if requests_a and ns_a and requests_b else None


def _in_twos(stretches: Sequence[Stretch]) -> list[Stretch]:
    pairs = zip(stretches[::2], stretches[1::2], strict=True)
    return [(a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]) for a, b in pairs]


def slow_bound(above: Sequence[int]) -> int:
    """Which latency bound an answer must exceed to be slow, from how many were above each so far.

    >>> bound = slow_bound([1_000, 900, 800, 400, 40, 0] + [0] * 18)
    >>> LATENCY_BOUNDS_S[bound] >= 2 * LATENCY_BOUNDS_S[2] > LATENCY_BOUNDS_S[bound - 1]
    True
    """
    total = above[0] if above else 0
    if total < _FEW:
        return LATENCY_BOUNDS_S.index(0.1)
    median = next((at for at, count in enumerate(above[1:]) if count <= total / 2), len(LATENCY_BOUNDS_S) - 1)
    wanted = SLOWER * LATENCY_BOUNDS_S[min(median, len(LATENCY_BOUNDS_S) - 1)]
    return next((at for at, bound in enumerate(LATENCY_BOUNDS_S) if bound >= wanted), len(LATENCY_BOUNDS_S) - 1)


def repeated_by_door(told: str) -> dict[str, int]:
    """Requests that the door repeated after each replica, from what it answers to `show stat`.

    >>> repeated_by_door("# pxname,svname,wretr,econ\\nmodel.m,m-v-0,3,1\\nmodel.m,BACKEND,9,9")
    {'m-v-0': 3}
    """
    rows = csv.DictReader(told.removeprefix("# ").splitlines())
    return {
        row["svname"]: int(row["wretr"] or 0)
        for row in rows
        if row["pxname"].startswith("model.") and row["svname"] != "BACKEND"
    }


def _reading(path: Path, repeated: int) -> Reading:
    try:
        pulse = Pulse.open(path)
    except ProcessError:
        return Reading(repeated=repeated)
    counters, buckets = pulse.counters(), np.array(pulse.latency_buckets(), np.int64)
    pulse.close()
    harmed = counters["requests_4xx"] + counters["requests_5xx"]
    # above[k]: answers slower than bound k - 1; above[0] is all of them.
    above = tuple(np.cumsum(buckets[::-1])[::-1].tolist())
    worked = counters["busy_ns"], counters["model_requests"]
    return Reading(counters["requests_2xx"] + harmed, harmed, repeated, above, *worked)


def _arms(stretches: Sequence[Stretch]) -> Arms:
    return Arms(*zip(*stretches, strict=True)) if stretches else Arms()
