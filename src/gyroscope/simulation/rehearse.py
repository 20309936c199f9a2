"""One trace, one kind of replica, one policy: how many requests broke the promise, and what it cost.

`gyro simulate` and the benchmarks call `rehearse`. Same trace, policy and seed: same outcome, to the last bit.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.simulation.policies import Scaler
from gyroscope.simulation.queue import Queue, Replica
from gyroscope.simulation.traces import Trace


class Outcome(msgspec.Struct, frozen=True):
    """What one policy made of a trace. `violations` were late or refused; `sizes` has the size of every second."""

    trace: str
    policy: str
    requests: int
    violations: int
    refused: int
    replica_s: float
    reversals: int
    changes: int
    sizes: NDArray[np.int64]
    violations_at: NDArray[np.int64]

    @property
    def violated_share(self) -> float:
        return self.violations / self.requests if self.requests else 0.0


def rehearse(trace: Trace, replica: Replica, scaler: Scaler, within_s: float, *, first: int, seed: int = 0) -> Outcome:
    """Run a policy over a whole trace, from `first` replicas.

    Parameters
    ----------
    trace : Trace
    replica : Replica
    scaler : Scaler
        Fresh: it keeps what it sees.
    within_s : float
        Seconds within which a request must be answered, else it counts as a violation.
    first : int
        Replicas that are ready when the trace begins.
    seed : int
        Of the requests and of their service; the same for every policy that is to be compared.

    Returns
    -------
    Outcome
    """
    rng = np.random.default_rng(seed)
    arrivals = trace.arrivals(rng)
    queue = Queue(arrivals, replica, first, rng)
    seconds = len(trace.per_s)
    sizes = np.full(seconds, first, dtype=np.int64)
    now_s = 0.0
    while now_s < seconds:
        then_s = min(now_s + scaler.every_s, seconds)
        size = scaler.look(queue.advance(then_s))
        queue.resize(size)
        sizes[round(then_s) :] = size
        now_s = then_s
    broken = ~(queue.answered_s - arrivals <= within_s) & (arrivals <= seconds - within_s)
    return Outcome(
        trace=trace.name,
        policy=scaler.name,
        requests=len(arrivals),
        violations=int(broken.sum()),
        refused=int((np.isinf(queue.answered_s) & (arrivals <= seconds - within_s)).sum()),
        replica_s=queue.replica_s,
        reversals=reversals(sizes),
        changes=trace.changes,
        sizes=sizes,
        violations_at=np.bincount(arrivals[broken].astype(np.int64), minlength=seconds)[:seconds],
    )


def reversals(sizes: NDArray[np.int64]) -> int:
    """How often a size that had grown shrank again, or the other way round.

    >>> reversals(np.array([1, 1, 3, 4, 4, 2, 2, 1, 5]))
    2
    """
    ways = np.sign(np.diff(sizes))
    ways = ways[ways != 0]
    return int((ways[1:] != ways[:-1]).sum())
