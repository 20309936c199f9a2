"""One at a time, in order, never more than there is room for, and a burst is in line before its first call begins."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest

from gyroscope.clock import SECOND_NS, machine_now
from gyroscope.serving import line as line_module
from gyroscope.serving import plane as plane_module
from gyroscope.serving.line import Line
from gyroscope.serving.plane import Limits

BODY = json.dumps({"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [1, 2, 3]}]}).encode()


def spin(ns: int) -> None:
    until = machine_now() + ns
    while machine_now() < until:
        pass


def test_calls_are_answered_in_order_and_the_last_finds_no_room(bench):
    served = bench(limits=Limits(max_in_flight=2))

    async def scene():
        line, told = Line(served.plane), []
        for name in "abcd":
            call = served.call(BODY, request_id=name)
            line.enter(call, lambda reply: told.append((reply.request_id, reply.status)))
        assert told == [("d", 503)], "one is next, two wait, and nobody has been worked on yet"
        await asyncio.sleep(0.01)
        return told

    assert asyncio.run(scene()) == [("d", 503), ("a", 200), ("b", 200), ("c", 200)]
    assert [entry.status for entry in served.written()] == [503, 200, 200, 200]


def test_the_loop_looks_around_after_a_slow_call_and_not_after_a_fast_one(bench):
    seen = []
    served = bench(lambda rows: spin(2 * line_module.ROUND_NS if rows.matrix[0, 0] else 0) or np.zeros(1))

    async def scene(first):
        line, body = Line(served.plane), BODY.replace(b"[1, 2, 3]", b"[%d, 2, 3]" % first)
        for name in ("a", "b"):
            line.enter(served.call(body, request_id=name), lambda reply: seen.append(reply.request_id))
        asyncio.get_running_loop().call_soon(seen.append, "look")
        await asyncio.sleep(0.05)

    asyncio.run(scene(1))
    assert seen == ["a", "look", "b"]
    seen.clear()
    # A starved machine may make any call slow; that none of ten rounds holds two calls would be a fault of the line.
    for _ in range(10):
        asyncio.run(scene(0))
    assert ["a", "b", "look"] in [seen[at : at + 3] for at in range(0, 30, 3)]


def test_one_that_waits_with_the_loop_is_told_too(bench):
    served = bench()
    assert asyncio.run(Line(served.plane).ask(served.call(BODY, request_id="a"))).request_id == "a"


def test_whoever_gives_up_does_not_hold_up_the_rest(bench):
    served = bench()

    async def scene():
        line = Line(served.plane)
        impatient, patient = (asyncio.create_task(line.ask(served.call(BODY))) for _ in range(2))
        await asyncio.sleep(0)
        impatient.cancel()
        return (await asyncio.wait_for(patient, 5)).status

    assert asyncio.run(scene()) == 200


def test_a_fault_of_our_own_is_500_and_the_line_goes_on(bench, caplog, monkeypatch):
    served = bench()
    monkeypatch.setattr(served.log, "submit", lambda entry: 1 / 0)

    async def scene():
        line = Line(served.plane)
        replies = [await line.ask(served.call(BODY)) for _ in range(2)]
        return [(reply.status, reply.logged) for reply in replies]

    assert asyncio.run(scene()) == [(500, "no")] * 2
    assert "ZeroDivisionError" in caplog.text
    assert served.pulse.counters()["requests_5xx"] == 2
    assert served.pulse.started_ns == 0


@pytest.mark.parametrize("status", [413, 408])
def test_what_is_refused_is_told_at_once(bench, status):
    from gyroscope.errors import InputError

    served, told = bench(), []
    Line(served.plane).refuse(served.call(b""), InputError("no", status=status), told.append)
    assert [reply.status for reply in told] == [status]


def test_a_deadline_counts_from_arrival_not_from_the_turn(bench):
    served = bench(lambda rows: spin(SECOND_NS // 50) or np.zeros(1))

    async def scene():
        line = Line(served.plane)
        calls = [served.call(BODY, timeout_ms=ms) for ms in ("1000", "10")]
        return [reply.status for reply in await asyncio.gather(*map(line.ask, calls))]

    assert asyncio.run(scene()) == [200, 504]


def one(value):
    body = {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [value, 0, 0]}]}
    return json.dumps(body).encode()


def answered(reply):
    return json.loads(reply.body)["outputs"][0]["data"][0] if reply.status == 200 else reply.status


class Clock:
    """The time as a machine without other work would see it: a little passes with each look at it."""

    def __init__(self):
        self.now = machine_now()

    def __call__(self):
        self.now += SECOND_NS // 20_000
        return self.now


def test_many_at_once_share_predictions_and_each_gets_its_own_answer(bench, monkeypatch):
    """By a clock of its own: on a starved machine predictions differ so much that sharing takes longer to learn."""
    sizes, clock = [], Clock()
    for module in (line_module, plane_module):
        monkeypatch.setattr(module, "machine_now", clock)

    def slow_to_begin(rows):
        sizes.append(len(rows.matrix))
        clock.now += SECOND_NS // 500
        if (rows.matrix[:, 0] == 13).any():
            raise ValueError("thirteen")
        return rows.matrix[:, 0] * 7919 % 10_007

    served = bench(slow_to_begin, limits=Limits(max_in_flight=100, deadline_ns=20 * SECOND_NS))

    async def ask(line, value):
        call = served.call(one(value))
        call.arrived = clock()
        return value, answered(await line.ask(call))

    async def client(line, who):
        return [await ask(line, who * 100 + at) for at in range(25)]

    async def scene():
        line = Line(served.plane)
        return [pair for told in await asyncio.gather(*(client(line, who) for who in range(24))) for pair in told]

    told = asyncio.run(scene())
    assert len(told) == 600
    assert [
        (value, answer) for value, answer in told if answer != (500 if value == 13 else value * 7919 % 10_007)
    ] == []
    assert max(sizes) > 8
    assert len(sizes) < 300, "most calls shared a prediction"
    assert served.pulse.limit >= 8 and served.pulse.room >= 2


def test_a_fault_of_our_own_is_its_own_calls_alone(bench, monkeypatch):
    served = bench(limits=Limits(max_in_flight=100))
    real = served.log.submit
    monkeypatch.setattr(served.log, "submit", lambda entry: real(entry) if entry.request_id != "r-7" else 1 / 0)

    async def scene():
        line = Line(served.plane)
        calls = [served.call(one(n), request_id=f"r-{n}") for n in range(40)]
        return [answered(reply) for reply in await asyncio.gather(*map(line.ask, calls))]

    for _ in range(3):
        assert asyncio.run(scene()) == [500 if n == 7 else n for n in range(40)]


def test_calls_are_never_together_where_the_setting_says_so(bench):
    sizes = []
    served = bench(lambda rows: sizes.append(len(rows.matrix)) or rows.matrix[:, 0], limits=Limits(batch_calls=1))

    async def scene():
        line = Line(served.plane)
        await asyncio.gather(*(line.ask(served.call(one(n))) for n in range(50)))

    asyncio.run(scene())
    assert sizes == [1] * 50


def test_a_model_that_panics_leaves_nobody_waiting(bench):
    class Panic(BaseException):
        """What Rust code raises in Python."""

    def panics(rows):
        raise Panic

    served = bench(panics)

    async def scene():
        line = Line(served.plane)
        return [(await asyncio.wait_for(line.ask(served.call(BODY)), 5)).status for _ in range(3)]

    assert asyncio.run(scene()) == [500] * 3


def test_whoever_cannot_be_told_holds_up_nobody(bench):
    served = bench()

    async def scene():
        line = Line(served.plane)
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        line.enter(served.call(BODY), lambda _: 1 / 0)
        return (await asyncio.wait_for(line.ask(served.call(BODY)), 5)).status

    assert asyncio.run(scene()) == 200
