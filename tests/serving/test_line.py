"""One at a time, in order, never more than there is room for, and a burst is in line before its first call begins."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest

from gyroscope.clock import SECOND_NS, machine_now
from gyroscope.serving import line as line_module
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
