"""The formulas against cases that are known exactly, and against a queue that is played through."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gyroscope.simulation.queue import Queue, Replica
from gyroscope.stats.queueing import Promise, Service, late_share, never_in_time, servers_needed, waiting_share


def test_one_server_waits_as_often_as_it_is_busy():
    assert [waiting_share(1, busy) for busy in (0.1, 0.5, 0.9)] == pytest.approx([0.1, 0.5, 0.9])


def test_servers_that_cannot_keep_up_are_always_late():
    assert late_share(3, 30.0, Service(0.1), Promise(10.0, patience_s=10.0)) == (1.0, 1.0)


@pytest.mark.parametrize("within_s", [0.05, 0.5, 2.0])
def test_one_exponential_server_is_late_as_the_exact_formula_says(within_s):
    late, _ = late_share(1, 8.0, Service(0.1), Promise(within_s))
    assert late == pytest.approx(math.exp(-(10 - 8) * within_s), abs=0.01)


def test_nothing_asked_is_late_only_where_service_alone_is():
    assert late_share(2, 0.0, Service(0.1), Promise(0.3))[0] == never_in_time(Service(0.1), 0.3)


@pytest.mark.parametrize("cv2", [0.05, 0.25, 1.0])
@pytest.mark.parametrize("servers", [2, 8])
def test_late_shares_agree_with_a_queue_that_is_played(cv2, servers):
    rate, within_s = 0.85 * servers / 0.1, 0.4
    arrivals = np.cumsum(np.random.default_rng(1).exponential(1 / rate, 60_000))
    replica = Replica(0.1, cv2=cv2, patience_s=math.inf)
    queue = Queue(arrivals, replica, servers, np.random.default_rng(2))
    queue.advance(arrivals[-1] + 100)
    played = float((queue.answered_s - arrivals > within_s).mean())
    late, _ = late_share(servers, rate, Service(0.1, cv2), Promise(within_s))
    assert late == pytest.approx(played, abs=0.02 + 0.3 * played)


def test_more_demand_never_needs_fewer_servers():
    service, promise = Service(0.05, 0.5), Promise(0.2, patience_s=1.0)
    needed = [servers_needed(rate, service, promise, 64) for rate in np.linspace(0, 900, 60)]
    assert needed == sorted(needed)
    assert needed[0] == 1
    assert needed[-1] > 900 * 0.05


def test_a_promise_out_of_reach_asks_for_no_more_than_helps():
    hopeless = Promise(within_s=0.05)
    assert servers_needed(20.0, Service(0.1, 0.1), hopeless, 64) < 12
