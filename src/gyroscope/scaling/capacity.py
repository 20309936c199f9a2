"""What one replica can carry: learned from what the replicas counted, never from a setting.

Every look gives, for each replica, calls of the model, the requests they were for, and the time they took. One call
for n requests takes t(n) = fixed + n * per request. The loop and the simulation keep one `Learner` a model.
"""

from __future__ import annotations

import msgspec

from gyroscope.records import NotEnoughData
from gyroscope.stats.queueing import Service

FORGET = 0.98
"""Half the weight after 34 looks at a replica that worked: half a minute of load."""

FEWEST_REQUESTS = 20
"""Below that the time of a request is a guess, and so would be every size that follows from it."""

FIRST_CV2, FIRST_LOOKS = 0.25, 5.0
"""What the times are taken to vary by before they were seen to, and so many looks' worth of belief in it."""

REACH = 2.0
"""Batches at most so many times the largest mean batch seen are believed in, as replicas themselves do."""

SLO_SHARE = 0.4
"""Of the promised time that one call may take, as replicas themselves keep it."""


class Worked(msgspec.Struct, frozen=True):
    """What one replica did between two looks; `cpu_s` is the processor time of its whole process, 0 when unknown."""

    calls: int
    requests: int
    busy_s: float
    cpu_s: float = 0.0


class Capacity(msgspec.Struct, frozen=True, tag=True):
    """t(n) = fixed_s + n * request_s, its squared coefficient of variation, the largest mean batch that was seen.

    `cpu_s` is the processor time of a request, parsing and writing included.
    """

    fixed_s: float
    request_s: float
    cv2: float
    batch: float = 1.0
    cpu_s: float = 0.0

    def service(self, within_s: float, most_batch: int = 1, threads: int = 1) -> Service:
        """How a replica with so many threads serves under load, when one call may answer `most_batch` requests.

        >>> round(Capacity(0.010, 0.001, 0.1, batch=4.0).service(within_s=0.1, most_batch=64).mean_s, 6)
        0.00225
        """
        fits = (SLO_SHARE * within_s - self.fixed_s) / self.request_s if self.request_s else float(most_batch)
        batch = max(1.0, min(most_batch, REACH * self.batch if self.batch > 1 else 1.0, fits))
        call_s = self.fixed_s + batch * self.request_s
        at_least_s = self.cpu_s / threads
        return Service(max(call_s / batch, at_least_s), self.cv2, max(call_s, at_least_s))


class Learner:
    """Least squares over what replicas did, the older the less.

    >>> learner = Learner()
    >>> for calls, requests in [(10, 10), (10, 40), (5, 20)]:
    ...     learner.saw(Worked(calls, requests, calls * 0.01 + requests * 0.002))
    >>> capacity = learner.capacity
    >>> round(capacity.fixed_s, 6), round(capacity.request_s, 6), capacity.batch
    (0.01, 0.002, 4.0)
    """

    def __init__(self) -> None:
        self._seen = 0
        self._looks = self._squares = 0.0
        self._calls = self._requests = self._both = self._busy = self._busy_each = 0.0
        self._cpu_s = self._cpu_of = 0.0
        self._fixed_s = self._request_s = 0.0
        self._batch = 1.0

    def saw(self, worked: Worked) -> None:
        """One look at one replica. The variance of the time of so many calls grows with their number."""
        calls, requests, busy_s = worked.calls, worked.requests, worked.busy_s
        if not calls or not requests:
            return
        if self._seen >= FEWEST_REQUESTS:
            off_s = busy_s - calls * self._fixed_s - requests * self._request_s
            self._squares = FORGET * self._squares + off_s * off_s / calls
            self._looks = FORGET * self._looks + 1
        self._seen += requests
        self._calls = FORGET * self._calls + calls
        self._requests = FORGET * self._requests + requests
        self._both = FORGET * self._both + requests * requests / calls
        self._busy = FORGET * self._busy + busy_s
        self._busy_each = FORGET * self._busy_each + busy_s * requests / calls
        if worked.cpu_s:
            self._cpu_s = FORGET * self._cpu_s + worked.cpu_s
            self._cpu_of = FORGET * self._cpu_of + requests
        self._batch = max(requests / calls, 1 + (self._batch - 1) * FORGET)
        self._fit()

    @property
    def capacity(self) -> Capacity | NotEnoughData:
        """What was learned, or that too little was seen."""
        if self._seen < FEWEST_REQUESTS:
            return NotEnoughData(f"{self._seen} of {FEWEST_REQUESTS} requests seen: what one takes is not known yet")
        mean_s = self._busy / self._calls
        seen_cv2 = self._squares / mean_s**2 if mean_s else 0.0
        cv2 = (seen_cv2 + FIRST_LOOKS * FIRST_CV2) / (self._looks + FIRST_LOOKS)
        cpu_s = self._cpu_s / self._cpu_of if self._cpu_of else 0.0
        return Capacity(self._fixed_s, self._request_s, min(cv2, 4.0), self._batch, cpu_s)

    def _fit(self) -> None:
        spread = self._calls * self._both - self._requests * self._requests
        if spread > 1e-6 * self._calls * self._both:
            slope = (self._calls * self._busy_each - self._requests * self._busy) / spread
            self._request_s = min(max(0.0, slope), self._busy / self._requests)
        else:  # all batches of one size say nothing about the fixed part: none is assumed, so that no gain is promised
            self._request_s = self._busy / self._requests
        self._fixed_s = max(0.0, (self._busy - self._request_s * self._requests) / self._calls)
