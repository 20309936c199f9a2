"""Waiting for the disk: the loop goes on with other requests, and nobody waits beyond the deadline."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading

import pytest

from gyroscope.clock import SECOND_NS
from gyroscope.predictions.segments import full
from gyroscope.serving.body import BodyReader
from gyroscope.serving.http import Http
from gyroscope.serving.keys import ApiKeys
from gyroscope.serving.plane import Limits

BODY = json.dumps({"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [1, 2, 3]}]}).encode()

HEADERS = [(b"authorization", b"Bearer key")]


@pytest.fixture
def disk(monkeypatch):
    """Open: syncs go through; closed: they hang."""
    is_open, sync = threading.Event(), full.os.fdatasync
    is_open.set()
    monkeypatch.setattr(full.os, "fdatasync", lambda fd: is_open.wait() and sync(fd))
    yield is_open
    is_open.set()


@pytest.fixture
def app(bench, tmp_path):
    def make(**options):
        served = bench(mode="full", **options)
        (tmp_path / "digests").touch()
        digest = hashlib.sha256(b"key").hexdigest()
        keys = ApiKeys(lambda: [digest], tmp_path / "digests")
        return served, Http(served.plane, [served.dialect], keys, BodyReader(1024 * 1024))

    return make


async def ask(app: Http, path: str = "/v2/models/flights/infer", body: bytes = BODY) -> tuple[int, str]:
    """Status and what the reply says of its entry."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    await app({"type": "http", "method": "POST", "path": path, "headers": HEADERS}, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]).get(b"x-logged", b"").decode()


def test_the_reply_says_full(app):
    served, http = app()
    assert asyncio.run(ask(http)) == (200, "full")
    assert asyncio.run(ask(http, body=b"{")) == (400, "full")
    assert len(served.written()) == 2


def test_one_waits_and_others_go_on(app, disk):
    served, http = app()

    async def scene():
        disk.clear()
        slow = [asyncio.create_task(ask(http)) for _ in range(5)]
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert [task.done() for task in slow] == [False] * 5
        disk.set()
        return await asyncio.gather(*slow)

    assert asyncio.run(scene()) == [(200, "full")] * 5
    assert served.pulse.counters()["logged"] == 5


@pytest.mark.parametrize(("policy", "status"), [("serve_unlogged", 200), ("fail_closed", 503)])
def test_nobody_waits_beyond_the_deadline(app, disk, policy, status):
    served, http = app(on_failure=policy, limits=Limits(deadline_ns=SECOND_NS // 20))

    async def scene():
        disk.clear()
        late = await asyncio.gather(*(ask(http) for _ in range(5)))
        disk.set()
        return late

    assert asyncio.run(scene()) == [(status, "no")] * 5
    assert (served.pulse.counters()["unlogged"], served.log.failed) == (5, 5)
    assert asyncio.run(ask(http)) == (200, "full")


def test_a_word_from_the_disk_after_the_loop_has_ended_harms_nobody(app, disk):
    _, http = app(limits=Limits(deadline_ns=SECOND_NS // 50))
    disk.clear()
    assert asyncio.run(ask(http)) == (200, "no")
    disk.set()
    assert asyncio.run(ask(http)) == (200, "full")
