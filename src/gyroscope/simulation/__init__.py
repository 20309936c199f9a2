"""Rehearsals of scaling before it is real: traces, a simulated queue, and policies side by side on it.

The command line and the benchmarks call it; pictures of it are in `reports/`. It touches no process, file or clock.
"""

from gyroscope.simulation.queue import Queue, Replica, Seen
from gyroscope.simulation.rehearse import Outcome, rehearse
from gyroscope.simulation.traces import NAMED, Trace, named

__all__ = ["NAMED", "Outcome", "Queue", "Replica", "Seen", "Trace", "named", "rehearse"]
