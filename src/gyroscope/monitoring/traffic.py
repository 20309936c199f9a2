"""What the machine says: requests, errors and latency per second and model, from the counters of the replicas.

Control samples once a second. Counters of a replica's pulse never fall, so a rate is a difference; a replica that is
seen for the first time gives no rate until the second look. Never reads event time.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.clock import SECOND_NS, EventTime, MachineTime
from gyroscope.errors import ProcessError
from gyroscope.records import NotEnoughData, Signal
from gyroscope.supervisor.pulse import LATENCY_BOUNDS_S, Pulse


class Reading(msgspec.Struct, frozen=True):
    """The counters of one replica at one moment; `buckets` has one count per latency bound and one above."""

    requests: int
    errors: int
    buckets: NDArray[np.int64]


class Traffic:
    """Keeps the last reading of every replica and turns the next one into signals."""

    def __init__(self, pulses: Path) -> None:
        self._pulses = pulses
        self._before: dict[str, Reading] = {}
        self._at: MachineTime | None = None

    def sample(self, replicas: dict[str, str], now: MachineTime, wall: EventTime) -> list[Signal]:
        """Signals per model since the last call; `replicas` maps the name of a replica to its model."""
        seen = {name: reading for name in replicas if (reading := read_pulse(self._pulses / f"{name}.pulse"))}
        signals: list[Signal] = []
        if self._at is not None and now > self._at:
            seconds = (now - self._at) / SECOND_NS
            for model in sorted(set(replicas.values())):
                pairs = [
                    (self._before[name], seen[name])
                    for name, of in replicas.items()
                    if of == model and name in seen and name in self._before
                ]
                signals += rates(model, pairs, seconds, wall)
        self._before, self._at = seen, now
        return signals


def read_pulse(path: Path) -> Reading | None:
    """One replica's counters now; None before it has started for the first time."""
    try:
        pulse = Pulse.open(path)
    except ProcessError:
        return None
    counters = pulse.counters()
    reading = Reading(
        requests=counters["requests_2xx"] + counters["requests_4xx"] + counters["requests_5xx"],
        errors=counters["requests_5xx"],
        buckets=np.array(pulse.latency_buckets(), dtype=np.int64),
    )
    pulse.close()
    return reading


def rates(model: str, pairs: list[tuple[Reading, Reading]], seconds: float, wall: EventTime) -> list[Signal]:
    """Signals of one model from (earlier, later) readings of its replicas, `seconds` apart.

    >>> import numpy as np
    >>> none, some = np.zeros(24, np.int64), np.eye(24, dtype=np.int64)[2] * 10
    >>> found = rates("m", [(Reading(0, 0, none), Reading(10, 1, some))], 2.0, EventTime(0))
    >>> [(signal.name, signal.value) for signal in found[:2]]
    [('requests_per_s', 5.0), ('errors_per_s', 0.5)]
    """
    if not pairs:
        return []
    labels = (("model", model),)
    requests = sum(later.requests - earlier.requests for earlier, later in pairs)
    errors = sum(later.errors - earlier.errors for earlier, later in pairs)
    buckets = np.sum([later.buckets - earlier.buckets for earlier, later in pairs], axis=0)
    return [
        Signal("requests_per_s", wall, requests / seconds, labels, n=requests),
        Signal("errors_per_s", wall, errors / seconds, labels, n=requests),
        Signal("latency_p50_s", wall, quantile(buckets, 0.50), labels, n=requests),
        Signal("latency_p99_s", wall, quantile(buckets, 0.99), labels, n=requests),
    ]


def quantile(buckets: NDArray[np.int64], share: float) -> float | NotEnoughData:
    """The latency in seconds below which `share` of the requests stayed, interpolated inside its bucket.

    Above the last bound it says the last bound: the true value is larger.
    """
    total = int(buckets.sum())
    if total == 0:
        return NotEnoughData("no requests in this second")
    rank = share * total
    cumulative = np.cumsum(buckets)
    at = int(np.searchsorted(cumulative, rank))
    if at >= len(LATENCY_BOUNDS_S):
        return LATENCY_BOUNDS_S[-1]
    low = LATENCY_BOUNDS_S[at - 1] if at else 0.0
    inside = (rank - (cumulative[at] - buckets[at])) / buckets[at]
    return float(low + inside * (LATENCY_BOUNDS_S[at] - low))
