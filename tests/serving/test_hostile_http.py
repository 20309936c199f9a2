"""A real replica among requests that nobody should send: it refuses them, hides nothing, and answers on."""

from __future__ import annotations

import contextlib
import socket
import time

import psutil
import pytest
from tests.serving.hostile_http import REFUSALS, SECRET, corpus, endless, send
from tests.serving.process import home_in, running

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def replica(tmp_path_factory):
    with running(home_in(tmp_path_factory.mktemp("home"))) as replica:
        yield replica


ASK = b"POST /v2/models/flights/infer HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key\r\n"


@pytest.mark.parametrize("name", [*corpus(ASK), *endless(ASK)])
def test_it_is_refused_and_hides_nothing(replica, name):
    before = psutil.Process(replica.process.pid).memory_info().rss
    with replica.raw() as raw:
        said = send(raw, {**corpus(ASK), **endless(ASK)}[name])
    assert set(said.statuses) <= REFUSALS, said.text[:500]
    assert len(said.statuses) <= 1, said.text[:2000]
    assert SECRET.encode() not in said.text
    assert said.is_cut or name not in endless(ASK), "it stops to listen"
    assert replica.invoke([100.0, 5, "UA"]).status == 200
    assert psutil.Process(replica.process.pid).memory_info().rss - before < 16 * MIB


def test_those_who_never_finish_keep_nobody_out(replica):
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(replica.raw()) for _ in range(200)]
        for at, raw in enumerate(slow):
            raw.sendall(b"POST /invocations HTTP/1.1\r\nHost: x\r\nX: " if at % 2 else b"G")
        until = time.monotonic() + 20
        for _ in range(20):
            assert replica.invoke([100.0, 5, "UA"]).status == 200
        for raw in slow:
            raw.settimeout(max(0.1, until - time.monotonic()))
            assert b" 408 " in _all(raw)
    assert replica.process.poll() is None


def _all(raw: socket.socket) -> bytes:
    text = b""
    while part := raw.recv(4096):
        text += part
    return text
