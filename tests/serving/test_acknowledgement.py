"""Waiting for the disk: the loop goes on with other requests, and nobody waits beyond the deadline."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from gyroscope.clock import SECOND_NS
from gyroscope.predictions.segments import full
from gyroscope.serving.line import Line
from gyroscope.serving.plane import Limits

BODY = json.dumps({"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [1, 2, 3]}]}).encode()


@pytest.fixture
def disk(monkeypatch):
    """Open: syncs go through; closed: they hang."""
    is_open, sync = threading.Event(), full.os.fdatasync
    is_open.set()
    monkeypatch.setattr(full.os, "fdatasync", lambda fd: is_open.wait() and sync(fd))
    yield is_open
    is_open.set()


@pytest.fixture
def full_log(bench):
    return lambda **options: bench(mode="full", **options)


async def ask(served, body: bytes = BODY) -> tuple[int, str]:
    """Status and what the reply says of its entry."""
    reply = await Line(served.plane).ask(served.call(body))
    return reply.status, reply.logged


def test_the_reply_says_full(full_log):
    served = full_log()
    assert asyncio.run(ask(served)) == (200, "full")
    assert asyncio.run(ask(served, body=b"{")) == (400, "full")
    assert len(served.written()) == 2


def test_one_waits_and_others_go_on(full_log, disk):
    served = full_log()

    async def scene():
        disk.clear()
        slow = [asyncio.create_task(ask(served)) for _ in range(5)]
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert [task.done() for task in slow] == [False] * 5
        disk.set()
        return await asyncio.gather(*slow)

    assert asyncio.run(scene()) == [(200, "full")] * 5
    assert served.pulse.counters()["logged"] == 5


@pytest.mark.parametrize(("policy", "status"), [("serve_unlogged", 200), ("fail_closed", 503)])
def test_nobody_waits_beyond_the_deadline(full_log, disk, policy, status):
    served = full_log(on_failure=policy, limits=Limits(deadline_ns=SECOND_NS // 20))

    async def scene():
        disk.clear()
        late = await asyncio.gather(*(ask(served) for _ in range(5)))
        disk.set()
        return late

    assert asyncio.run(scene()) == [(status, "no")] * 5
    assert (served.pulse.counters()["unlogged"], served.log.failed) == (5, 5)
    assert asyncio.run(ask(served)) == (200, "full")


def test_a_word_from_the_disk_after_the_loop_has_ended_harms_nobody(full_log, disk):
    served = full_log(limits=Limits(deadline_ns=SECOND_NS // 50))
    disk.clear()
    assert asyncio.run(ask(served)) == (200, "no")
    disk.set()
    assert asyncio.run(ask(served)) == (200, "full")
