"""The limit rehearsed: a door with a line of its own sends as many requests at once as the replica asks for."""

from __future__ import annotations

import random
from collections import deque

import pytest

from gyroscope.serving.admission import FIRST, LEAST_ROOM, MOST_ROOM, Limit

US, MS, S = 1_000, 1_000_000, 1_000_000_000
HANDOVER_US = 200  # from an answer to the next request out of the door's line


def rehearse(
    limit: Limit, takes_ns: int, seconds: float, clients: int = 1_000, batch: int = 1, row_ns: int = 0
) -> float:
    """Calls a second with so many clients that ask again at once; `batch` calls and more cost `row_ns` each."""
    now, done, at_replica = 0, 0, deque([0] * min(clients, limit.value))
    last = 0
    while now < seconds * S:
        here = [at for at in at_replica if at <= now]
        if not here:
            now = min(at_replica)
            continue
        taken = min(batch, len(here))
        idle, took = now - last, takes_ns + row_ns * taken
        now = last = now + took
        done += taken
        for _ in range(taken):
            at_replica.popleft()
        left = sum(at <= now for at in at_replica)
        if limit.worked(idle, took, taken, left):
            limit.decide(wanted=batch)
        for _ in range(min(clients, limit.value) - len(at_replica)):
            at_replica.append(now + HANDOVER_US * US)
    return done / seconds


@pytest.mark.parametrize(("takes_ns", "most"), [(50 * MS, 1), (10 * MS, 1), (3 * MS, 2), (1 * MS, 3)])
def test_slow_work_waits_at_the_door_where_all_replicas_see_it(takes_ns: int, most: int) -> None:
    limit = Limit(most=64, wait_ns=S // 2)
    rate = rehearse(limit, takes_ns, 30.0)
    assert limit.value <= most
    assert rate >= 0.9 * S / takes_ns


def test_fast_work_is_kept_busy_over_the_way_to_the_door() -> None:
    limit = Limit(most=64, wait_ns=S // 2)
    rehearse(limit, 30 * US, 3.0)
    settled = Limit(most=64, wait_ns=S // 2)
    settled.value = limit.value
    assert 5 <= limit.value <= 16
    assert rehearse(settled, 30 * US, 2.0) >= 0.85 * S / (30 * US)


def test_where_batches_pay_there_are_enough_for_two() -> None:
    limit = Limit(most=64, wait_ns=S // 2)
    rate = rehearse(limit, 5 * MS, 20.0, batch=20, row_ns=100 * US)
    assert 38 <= limit.value <= 50
    assert rate >= 0.9 * 20 * S / (7 * MS)


def test_where_calls_come_at_random_and_take_differently_one_is_enough() -> None:
    limit, rng, now = Limit(most=64, wait_ns=S // 2), random.Random(1), 0.0
    arrivals = iter(sorted(rng.uniform(0, 60 * S) for _ in range(60 * 100)))
    free, values = 0.0, []
    for now in arrivals:  # 100 a second, nine of 1 ms and one of 50: six tenths of what one replica carries
        took = 50 * MS if rng.random() < 0.1 else MS
        began = max(now, free) + HANDOVER_US * US / 2
        if limit.worked(round(began - free), took, calls=1, left=0):
            limit.decide()
            values.append(limit.value)
        free = began + took
    assert values[-50:].count(1) >= 48


def test_a_lone_client_gets_no_more() -> None:
    limit = Limit(most=64, wait_ns=S // 2)
    assert limit.value == FIRST
    rehearse(limit, MS, 5.0, clients=1)
    assert limit.value <= FIRST


def test_room_is_what_can_be_answered_in_time() -> None:
    limit = Limit(most=64, wait_ns=50 * MS)
    assert limit.room == MOST_ROOM
    rehearse(limit, 10 * MS, 5.0)
    assert limit.room == 4  # and one in the replica: the last of them is answered after 50 ms
    rehearse(limit, 500 * MS, 30.0)
    assert limit.room == LEAST_ROOM


def test_the_setting_is_never_exceeded() -> None:
    limit = Limit(most=4, wait_ns=S)
    assert limit.value == 4
    rehearse(limit, 10 * US, 2.0)
    assert limit.value <= 4
