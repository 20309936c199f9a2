"""What the product itself does: the same `decide`, learner and counts of arrivals as the loop in control.

`rehearse.py` calls it once a simulated second. It adds nothing to the decision; it only brings what is seen in order.
"""

from __future__ import annotations

import msgspec

from gyroscope.scaling.capacity import Learner, Worked
from gyroscope.scaling.horizontal import Inputs, Memory, Policy, Reason, decide
from gyroscope.scaling.load import Arrivals
from gyroscope.simulation.queue import Seen


class Own:
    """`reasons` counts what its decisions said."""

    name = "gyroscope"
    every_s = 1.0

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._learner, self._arrivals, self._memory = Learner(), Arrivals(), Memory(0.0)
        self.reasons: dict[Reason, int] = {}

    def look(self, seen: Seen) -> int:
        self._learner.saw(Worked(seen.calls, seen.requests, seen.call_s))
        self._arrivals.add(seen.now_s, seen.took_s, seen.arrived)
        inputs = Inputs(
            now_s=seen.now_s,
            size=seen.size,
            ready=seen.ready,
            policy=self._policy,
            load=self._arrivals.load(seen.waiting),
            capacity=self._learner.capacity,
            memory=self._memory,
        )
        sizing = decide(inputs)
        self._memory = sizing.memory
        self.reasons[sizing.reason] = self.reasons.get(sizing.reason, 0) + 1
        return sizing.replicas


def relaxed(policy: Policy, by: float) -> Policy:
    """The same policy for a promise that allows `by` times as many late and lost requests."""
    promise = policy.promise
    looser = msgspec.structs.replace(promise, late=min(0.99, promise.late * by), lost=min(0.99, promise.lost * by))
    return msgspec.structs.replace(policy, promise=looser)
