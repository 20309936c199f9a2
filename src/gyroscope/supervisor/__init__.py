"""Parent of the processes and the door: makes what runs match what is wanted.

Assembly writes `Wanted`, replicas write `Pulse`, the command line calls `start`, `stop`, `status`.
Standard library only, so that nothing a model brings can take the parent down; it never decides what is wanted.
"""

from __future__ import annotations

from gyroscope.supervisor.client import is_running, start, status, stop
from gyroscope.supervisor.pulse import COUNTERS, LATENCY_BOUNDS_S, Pulse
from gyroscope.supervisor.wanted import DoorSpec, ProcessSpec, Split, Wanted, read_wanted, write_wanted

__all__ = [
    "COUNTERS",
    "LATENCY_BOUNDS_S",
    "DoorSpec",
    "ProcessSpec",
    "Pulse",
    "Split",
    "Wanted",
    "is_running",
    "read_wanted",
    "start",
    "status",
    "stop",
    "write_wanted",
]
