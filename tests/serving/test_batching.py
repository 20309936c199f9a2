"""Batching rehearsed on a virtual clock: a model that takes fixed + n * row, clients that come back or just come."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from gyroscope.serving.batching import ALONE_EVERY, LOOK_EVERY, PLACE_NS, QUICK_NS, Batcher, Fit, Turn

MS = 1_000_000
SLO_NS = 100 * MS
READ_NS = MS // 10
Decide = Callable[[int, int], Turn]


class Model(NamedTuple):
    """What one prediction takes; `alone_ns` is the way of a single call where it has its own."""

    fixed_ns: int
    row_ns: int
    alone_ns: int = 0

    def takes(self, calls: int, rng: random.Random) -> int:
        own = self.alone_ns if calls == 1 and self.alone_ns else self.fixed_ns + calls * self.row_ns
        return round(own * rng.uniform(0.95, 1.1))


class Static:
    """What servers with settings do: `size` calls, or as many as there are `wait_ns` after the first came."""

    def __init__(self, size: int, wait_ns: int) -> None:
        self.size, self.wait_ns = size, wait_ns
        self.first_ns = -1

    def turn(self, waiting: int, now_ns: int) -> Turn:
        self.first_ns = now_ns if self.first_ns < 0 else self.first_ns
        if waiting < self.size and now_ns < self.first_ns + self.wait_ns:
            return Turn(0, self.first_ns + self.wait_ns - now_ns)
        self.first_ns = -1
        return Turn(min(waiting, self.size))

    def ended(self, calls: int, rows: int, took_ns: int, left: int, now_ns: int) -> None:
        pass


class Run(NamedTuple):
    """What came of it: calls a second, and the latencies in the order of their answers."""

    rate: float
    latencies: list[int]

    def quantile(self, share: float) -> float:
        return sorted(self.latencies)[int(share * (len(self.latencies) - 1))]


def closed(clients: int, think_ns: int, rng: random.Random) -> tuple[list[int], Callable[[int], int | None]]:
    """Each client asks again some `think_ns` after its answer."""
    first = [rng.randrange(1, MS) for _ in range(clients)]
    return first, lambda now: now + round(rng.expovariate(1) * think_ns)


def poisson(rate: float, seconds: float, rng: random.Random) -> tuple[list[int], Callable[[int], int | None]]:
    """Calls that come whatever happens."""

    def times() -> Iterator[int]:
        at = 0.0
        while at < seconds:
            at += rng.expovariate(rate)
            yield round(at * 1e9)

    return list(times()), lambda now: None


def rehearse(
    policy: Batcher | Static,
    model: Model,
    load: tuple[list[int], Callable[[int], int | None]],
    seconds: float,
    rng: random.Random,
) -> Run:
    """One replica: arrivals join the line; whenever no prediction runs the policy is asked.

    As in `line.py` who is left is seen when the loop has read what came, some of it from those just answered.
    """
    arrivals, again = list(load[0]), load[1]
    heapq.heapify(arrivals)
    now, line, latencies = 0, [], []
    while now < seconds * 1e9 and (arrivals or line):
        if not line:
            now = max(now, arrivals[0])
        while arrivals and arrivals[0] <= now:
            line.append(heapq.heappop(arrivals))
        turn = policy.turn(len(line), now)
        if not turn.take:
            now = min(now + turn.wait_ns, arrivals[0]) if arrivals else now + turn.wait_ns
            continue
        took = model.takes(turn.take, rng)
        now += took
        done, line = line[: turn.take], line[turn.take :]
        latencies += [now - at for at in done]
        for _ in done:
            back = again(now)
            if back is not None:
                heapq.heappush(arrivals, back)
        left = len(line) + sum(at <= now + READ_NS for at in arrivals)
        policy.ended(turn.take, turn.take, took, left, now)
        now += READ_NS
    return Run(len(latencies) / seconds, latencies)


def batcher() -> Batcher:
    return Batcher(most=64, slo_ns=SLO_NS)


class Noted(Batcher):
    """One that keeps how many calls each prediction was for, and how many were there whenever it had them wait.

    `slower`: how many times as long as it took the first shared one is said to have taken.
    """

    def __init__(self, slower: int = 1) -> None:
        super().__init__(most=64, slo_ns=SLO_NS)
        self.taken: list[int] = []
        self.waits: list[int] = []
        self._slower = slower

    def turn(self, waiting: int, now_ns: int) -> Turn:
        found = super().turn(waiting, now_ns)
        if not found.take:
            self.waits.append(waiting)
        return found

    def ended(self, calls: int, rows: int, took_ns: int, left: int, now_ns: int) -> None:
        self.taken.append(calls)
        if calls > 1:
            took_ns, self._slower = took_ns * self._slower, 1
        super().ended(calls, rows, took_ns, left, now_ns)


GAINS = [
    Model(fixed_ns=5 * MS, row_ns=MS // 10),
    Model(fixed_ns=2 * MS, row_ns=MS // 2),
    Model(fixed_ns=20 * MS, row_ns=MS // 4),
]


@pytest.mark.parametrize("model", GAINS)
@pytest.mark.parametrize("clients", [2, 16, 64])
def test_at_saturation_it_is_near_the_best_static_choice(model: Model, clients: int) -> None:
    """Everybody comes back after 0.3 ms in the mean: the load of a benchmark, and of a queue that is never empty."""

    def rate(policy: Batcher | Static) -> float:
        rng = random.Random(7)
        return rehearse(policy, model, closed(clients, 3 * MS // 10, rng), 5.0, rng).rate

    grid = {(size, wait): rate(Static(size, wait * MS)) for size in (1, 4, 16, 64) for wait in (0, 1, 5)}
    best = max(grid, key=lambda at: grid[at])
    ours = rate(batcher())
    assert ours >= 0.9 * grid[best], f"{ours:.0f}/s; the best static {best}: {grid[best]:.0f}/s"


@pytest.mark.parametrize("model", GAINS)
@pytest.mark.parametrize("load", [0.05, 0.2, 0.4])
def test_at_low_load_nobody_waits_for_others(model: Model, load: float) -> None:
    def median(policy: Batcher | Static) -> float:
        rng = random.Random(3)
        rate = load * 1e9 / (model.fixed_ns + model.row_ns)
        return rehearse(policy, model, poisson(rate, 20.0, rng), 20.0, rng).quantile(0.5)

    assert median(batcher()) <= median(Static(1, 0)) + MS


def test_one_client_alone_waits_for_nobody() -> None:
    def latencies(policy: Batcher | Static) -> list[int]:
        rng = random.Random(1)
        return rehearse(policy, GAINS[0], closed(1, MS // 10, rng), 5.0, rng).latencies[:800]

    assert sum(latencies(batcher())) <= 1.01 * sum(latencies(Static(1, 0))), "now and then company is tried"


@pytest.mark.parametrize("model", GAINS)
@pytest.mark.parametrize("share", [0.5, 0.8, 0.9])
def test_the_target_is_kept_up_to_what_batches_can_carry(model: Model, share: float) -> None:
    most = (0.4 * SLO_NS - model.fixed_ns) / model.row_ns
    capacity = min(64, most) / (model.fixed_ns + min(64, most) * model.row_ns) * 1e9
    rng = random.Random(5)
    run = rehearse(batcher(), model, poisson(share * capacity, 6.0, rng), 6.0, rng)
    learned = Run(run.rate, run.latencies[len(run.latencies) // 6 :])
    assert learned.quantile(0.99) <= SLO_NS
    assert run.rate >= 0.95 * share * capacity


def test_where_batches_gain_nothing_calls_go_one_by_one() -> None:
    policy, rng = Noted(), random.Random(2)
    rehearse(policy, Model(fixed_ns=0, row_ns=10 * MS), closed(16, MS, rng), 10.0, rng)
    assert sum(calls > 1 for calls in policy.taken) <= 0.05 * len(policy.taken)
    assert max(policy.taken[20:]) <= 4


@pytest.mark.parametrize("clients", [2, 4, 16, 48])
def test_who_is_back_already_is_not_waited_for(clients: int) -> None:
    """All are back before the line is looked at, so whoever is waited for was counted twice."""
    policy, rng = Noted(), random.Random(6)
    run = rehearse(policy, GAINS[0], closed(clients, 0, rng), 5.0, rng)
    assert policy.waits.count(clients) <= 0.04 * run.rate * 5.0 / clients, "now and then it is tried"


@pytest.mark.parametrize("clients", [2, 3, 16])
@pytest.mark.parametrize("think_ns", [0, MS // 2])
def test_a_first_time_together_that_was_an_accident_is_not_believed_for_long(clients: int, think_ns: int) -> None:
    def rate(slower: int) -> float:
        rng = random.Random(3)
        load = closed(clients, 0, rng)[0], lambda now: now + round(rng.uniform(0.5, 1.5) * think_ns)
        return rehearse(Noted(slower), GAINS[0], load, 10.0, rng).rate

    assert rate(2) >= 0.8 * rate(1)


def test_clients_that_were_held_up_share_the_prediction_of_the_others() -> None:
    """In every third round half of 48 come 2 ms late, all at once: not much, beside a prediction that is saved."""
    policy, rng, back = Noted(), random.Random(8), {}

    def again(now: int) -> int:
        if now not in back:
            back.clear()
            back[now] = [now + 2 * MS] * (24 if rng.random() < 0.33 else 0)
        return back[now].pop() if back[now] else now

    rehearse(policy, GAINS[0], ([1] * 48, again), 10.0, rng)
    assert sum(policy.taken) / len(policy.taken) >= 45


@pytest.mark.parametrize("looks", [1, 2, 3, 5])
def test_how_often_one_is_tried_alone_depends_on_turns_not_on_looks(looks: int) -> None:
    policy, now, alone = batcher(), 0, 0
    policy.ended(1, 1, 5 * MS, 0, 0)
    for _ in range(10 * ALONE_EVERY):
        policy.ended(16, 16, 7 * MS, 0, now)
        for _ in range(looks - 1):
            policy.passes(8)
            policy.turn(8, now)
        now += 100 * MS
        policy.passes(16)
        alone += policy.turn(16, now).take == 1
    assert alone == 10


def test_calls_that_differ_among_themselves_do_not_look_like_a_gain() -> None:
    """Nine of 1 ms and one of 50, together as long as one after the other: chance must not put them together."""
    policy, rng, now, sizes = batcher(), random.Random(4), 0, []
    for _ in range(5_000):
        turn = policy.turn(8, now)
        now += turn.wait_ns
        if turn.take:
            took = sum(50 * MS if rng.random() < 0.1 else MS for _ in range(turn.take))
            now += took
            sizes.append(turn.take)
            policy.ended(turn.take, turn.take, took, 8, now)
    assert sum(size > 2 for size in sizes) <= 0.02 * len(sizes)


def test_a_fast_way_for_one_call_is_kept_until_the_line_is_long() -> None:
    """LightGBM: one row 2 us by its own way, many 20 us and 1 us each: 64 pay together, 5 do not."""
    policy = batcher()
    for _ in range(200):
        policy.ended(1, 1, 2_000, 1, 0)
        policy.ended(64, 64, 84_000, 1, 0)
        policy.ended(2, 2, 22_000, 1, 0)
    assert policy.turn(5, 10 * MS) == Turn(1)
    assert policy.turn(64, 10 * MS) == Turn(64)


def test_the_line_follows_a_machine_that_changes_and_forgives_an_outlier() -> None:
    fit, rng = Fit(), random.Random(1)
    for fixed in (1 * MS, 3 * MS):
        for _ in range(300):
            n = rng.randrange(1, 40)
            fit.saw(n, fixed + n * 50_000)
    assert fit.expected_ns(10) == pytest.approx(3.5 * MS, rel=0.02)
    fit.saw(10, 3_000 * MS)
    assert fit.expected_ns(10) < 6 * MS


def test_a_machine_that_stalls_makes_no_model_slow():
    batcher = Batcher(most=64, slo_ns=MS * 100)
    batcher.ended(1, 1, 10_000, 0, 0)
    for at in range(20_000):  # of the turns one in twenty-one
        batcher.passed(50 * 10_000 if at % 21 == 3 else 10_000, at)
        assert batcher.is_quick


@pytest.mark.parametrize("every", [1, 2, 3])
def test_slow_times_that_come_thick_send_the_next_calls_to_the_line(every):
    batcher = Batcher(most=64, slo_ns=MS * 100)
    batcher.ended(1, 1, 20_000, 0, 0)
    taken = 0
    while batcher.is_quick:
        batcher.passed(50 * MS if taken % every == 0 else 20_000, taken)
        taken += 1
    assert taken == every + 1, "the second slow one"


def test_what_is_shorter_than_a_place_in_line_passes_it_whatever_company_would_save():
    batcher = Batcher(most=64, slo_ns=MS * 100)
    for at in range(40):
        batcher.ended(1, 1, PLACE_NS - 10_000, 0, at)
        batcher.ended(8, 8, PLACE_NS, 0, at)
    assert batcher.wanted > 1, "company saves three quarters"
    for at in range(2 * LOOK_EVERY):
        assert batcher.is_quick
        batcher.passed(PLACE_NS - 10_000, at)


def test_what_is_quick_and_gains_nothing_passes_the_line():
    batcher = Batcher(most=64, slo_ns=500 * MS)
    batcher.ended(1, 1, QUICK_NS // 4, 0, 0)
    assert not batcher.is_quick, "whether company helps is not known yet"
    for at in range(20):
        batcher.ended(2, 2, QUICK_NS // 2, 0, at)
    assert batcher.is_quick
    for at in range(40):
        batcher.passed(3 * QUICK_NS, at)
    assert not batcher.is_quick


def test_what_passes_is_looked_at_now_and_then():
    batcher = Batcher(most=64, slo_ns=500 * MS)
    batcher.ended(1, 1, QUICK_NS // 4, 0, 0)
    batcher.ended(2, 2, QUICK_NS // 2, 0, 1)
    seen = []
    for at in range(3 * LOOK_EVERY):
        seen.append(batcher.is_quick)
        batcher.passed(QUICK_NS // 4, at)
    assert 1 <= seen.count(False) <= 3
