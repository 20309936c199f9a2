"""What the replicas have counted, read from their pulses: they outlive a replica, so no counter falls.

`metrics.py` shows it to Prometheus. It writes nothing, and knows no model that has never run here.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from gyroscope.errors import ProcessError
from gyroscope.signals.prometheus import Labels
from gyroscope.supervisor.pulse import Pulse


class Counted(msgspec.Struct, frozen=True):
    """What one replica has counted since its pulse file was made."""

    labels: Labels
    counters: dict[str, int]
    buckets: tuple[int, ...]
    latency_s: float
    admits: tuple[int, int] = (0, 0)
    batches: tuple[int, ...] = ()
    now: tuple[int, int] | None = None


def read_pulses(folder: Path) -> list[Counted]:
    """The counters of every replica that ever ran here since the machine's start."""
    found = []
    for path in sorted(folder.glob("*.pulse")):
        try:
            pulse = Pulse.open(path)
        except ProcessError:
            continue  # a file that a replica is just making
        model, version, slot = path.stem.rsplit("-", 2)
        labels = (("model", model), ("version", version), ("replica", slot))
        times = tuple(pulse.latency_buckets()), pulse.latency_sum_ns / 1e9
        is_ready = pulse.state == "ready"
        admits = (pulse.limit, pulse.room) if is_ready else (0, 0)
        now = (pulse.in_hand, pulse.waiting) if is_ready else None
        found.append(Counted(labels, pulse.counters(), *times, admits, tuple(pulse.batch_buckets()), now))
        pulse.close()
    return found
