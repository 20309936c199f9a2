"""What the product does and what peers do, side by side on one trace.

`gyro simulate` calls it. Every policy gets the same requests, the same replicas, and the size that the first second
needs.
"""

from __future__ import annotations

import msgspec

from gyroscope.scaling.horizontal import Policy
from gyroscope.simulation.policies import Scaler
from gyroscope.simulation.policies.hpa import Hpa
from gyroscope.simulation.policies.kpa import Kpa
from gyroscope.simulation.policies.own import Own
from gyroscope.simulation.policies.ray_serve import RayServe
from gyroscope.simulation.policies.static import Static
from gyroscope.simulation.queue import Replica
from gyroscope.simulation.rehearse import Outcome, rehearse
from gyroscope.simulation.traces import Trace
from gyroscope.stats.queueing import Service, servers_needed


def side_by_side(trace: Trace, replica: Replica, policy: Policy, seed: int = 0) -> list[Outcome]:
    """The product, HPA's defaults, a KPA-like policy, Ray Serve's, and what the busiest second needs all the time.

    Parameters
    ----------
    trace : Trace
    replica : Replica
        What all replicas are like.
    policy : Policy
        The promise and the bounds; `start_s`, `most_batch` and what waits follow the replica.
    seed : int
        Of the requests and their service, the same for all.

    Returns
    -------
    list of Outcome
        In the order above.
    """
    promise = msgspec.structs.replace(policy.promise, patience_s=replica.patience_s)
    policy = msgspec.structs.replace(
        policy, promise=promise, start_s=replica.start_s, most_batch=replica.most_batch, cores=0
    )
    call_s = replica.fixed_s + replica.most_batch * replica.request_s
    service = Service(call_s / replica.most_batch, replica.cv2, call_s)

    def needed(per_s: float) -> int:
        return max(policy.least, servers_needed(per_s, service, promise, policy.most))

    least, most = policy.least, policy.most
    static = Static(needed(float(trace.per_s.max())))
    scalers: list[Scaler] = [Own(policy), Hpa(least, most), Kpa(least, most), RayServe(least, most), static]
    first = needed(float(trace.per_s[0]))
    firsts = [static.size if scaler is static else first for scaler in scalers]
    return [
        rehearse(trace, replica, scaler, promise.within_s, first=each, seed=seed)
        for scaler, each in zip(scalers, firsts, strict=True)
    ]
