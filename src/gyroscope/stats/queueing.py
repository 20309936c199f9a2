"""Queues of many servers: how many requests are late, and how many servers make them few enough.

Scaling decides with this and the simulation is held against it. Requests come at random and wait in one line for the
first server that is free. Pure: numpy and scipy, no clock and no state.
"""

from __future__ import annotations

import math
from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc, gammaincinv

POINTS = 128
"""Quantiles that stand for the service time: late shares are exact to about half a percent of those that wait."""

STEADIEST = 1e-3
"""A service time that varies less than this (squared coefficient of variation) counts as this."""


class Service(msgspec.Struct, frozen=True):
    """The time one server takes for one request: `mean_s`, and `cv2`, its variance over the square of its mean.

    `alone_s` is the time until the answer where that is longer than the request's own part: in a batch it is the
    time of the whole batch. 0: the same as the mean.
    """

    mean_s: float
    cv2: float = 1.0
    alone_s: float = 0.0

    @property
    def answer_s(self) -> float:
        return self.alone_s or self.mean_s


class Promise(msgspec.Struct, frozen=True):
    """At most `late` of the requests take longer than `within_s`, and at most `lost` wait longer than `patience_s`."""

    within_s: float
    late: float = 0.01
    patience_s: float = math.inf
    lost: float = 0.001


def waiting_share(servers: int, offered: float) -> float:
    """The share of requests that find all servers busy: Erlang's C formula.

    Parameters
    ----------
    servers : int
        At least 1.
    offered : float
        Requests per second times seconds of service: the servers that would be busy if there were enough.

    Returns
    -------
    float
        1 where the servers cannot keep up.

    Examples
    --------
    Two servers, one of them busy on average:

    >>> round(waiting_share(2, 1.0), 4)
    0.3333
    """
    if servers <= offered:
        return 1.0
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    return blocked / (1 - offered / servers * (1 - blocked))


def late_share(servers: int, rate: float, service: Service, promise: Promise) -> tuple[float, float]:
    """The shares of `rate` requests per second that are answered too late, and that wait until they are refused.

    Whoever waits, waits exponentially long, with the mean of Allen and Cunneen's formula for G/G/k (A. O. Allen,
    Probability, Statistics and Queueing Theory, 1990, section 5.3), arrivals at random. The time of service, which
    comes on top, is a gamma variable with the same mean and variance.

    Examples
    --------
    Eight a second, 0.1 s each, within 0.5 s: one server is late for a third, two hardly ever are.

    >>> [round(late_share(servers, 8.0, Service(0.1), Promise(0.5))[0], 2) for servers in (1, 2)]
    [0.37, 0.01]
    """
    never = never_in_time(service, promise.within_s)
    if not rate:
        return never, 0.0
    offered = rate * service.mean_s
    if servers <= offered:
        return 1.0, 1.0
    waits = waiting_share(servers, offered)
    mean_wait_s = service.mean_s * (1 + service.cv2) / 2 / (servers - offered)
    spare_s = promise.within_s - _unit_quantiles(round(max(service.cv2, STEADIEST), 3)) * service.answer_s
    waited_too_long = float(np.exp(-spare_s[spare_s > 0] / mean_wait_s).sum()) / POINTS
    return min(1.0, never + waits * waited_too_long), waits * math.exp(-promise.patience_s / mean_wait_s)


def never_in_time(service: Service, within_s: float) -> float:
    """The share of requests whose service alone takes longer: no number of servers helps them.

    >>> round(never_in_time(Service(0.1), 0.3), 4)
    0.0498
    """
    shape = 1 / max(service.cv2, STEADIEST)
    return float(gammaincc(shape, shape * within_s / service.answer_s))


def servers_needed(rate: float, service: Service, promise: Promise, most: int) -> int:
    """The fewest servers that keep the promise, or `most` when not even those do.

    Where service alone breaks it, waiting may add a tenth of the allowed share to what is late anyway.

    Parameters
    ----------
    rate : float
        Requests per second.
    service : Service
    promise : Promise
    most : int
        At least 1.

    Returns
    -------
    int
        1 to `most`.

    Examples
    --------
    >>> servers_needed(50.0, Service(0.1, cv2=0.25), Promise(within_s=0.4), 20)
    6
    >>> servers_needed(0.0, Service(0.1), Promise(within_s=0.4), 20)
    1
    """
    allowed = max(promise.late, never_in_time(service, promise.within_s) + promise.late / 10)
    for servers in range(math.floor(rate * service.mean_s) + 1, most):
        late, lost = late_share(servers, rate, service, promise)
        if late <= allowed and lost <= promise.lost:
            return servers
    return most


@lru_cache(maxsize=64)
def _unit_quantiles(cv2: float) -> NDArray[np.float64]:
    """Quantiles of a gamma variable with mean 1, in the middle of equal shares."""
    shape = 1 / cv2
    middles = (np.arange(POINTS) + 0.5) / POINTS
    found: NDArray[np.float64] = gammaincinv(shape, middles) / shape
    return found
