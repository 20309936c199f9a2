"""The real process on a real socket: what it answers, refuses, counts, and how it starts and goes."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import re
import socket
import stat
import threading
import time

import numpy as np
import pytest
from tests.serving.process import (
    CAP_BYTES,
    FINE,
    Replica,
    head,
    home_in,
    one_reply,
    running,
    start,
)

from gyroscope.models.runners import Rows, open_runner
from gyroscope.supervisor.pulse import Pulse


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return home_in(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def replica(home):
    with running(home) as replica:
        yield replica


def test_answers_equal_the_offline_answers_to_the_last_bit(replica):
    random = np.random.default_rng(7)
    distances, hours = random.normal(800, 600, 200), random.integers(0, 24, 200)
    carriers = random.choice(["AA", "UA"], 200)
    inputs = [
        {"name": "carrier", "shape": [200], "datatype": "BYTES", "data": carriers.tolist()},
        {"name": "hour", "shape": [200], "datatype": "INT64", "data": hours.tolist()},
        {"name": "distance", "shape": [200], "datatype": "FP64", "data": distances.tolist()},
    ]
    reply = replica.ask("POST", "/v2/models/flights/infer", {"inputs": inputs}, X_Request_Id="batch-1")
    assert reply.status == 200
    matrix = np.column_stack([distances, hours, (carriers == "UA").astype(float)])
    offline = open_runner(replica.store, replica.version).predict(Rows(np.ascontiguousarray(matrix)))
    assert json.loads(reply.content)["outputs"][0]["data"] == offline.tolist()
    entry = next(entry for entry in replica.written() if entry.request_id == "batch-1")
    np.testing.assert_array_equal(entry.matrix, matrix)
    np.testing.assert_array_equal(entry.outputs[:, 0], offline)


def test_both_dialects_say_the_same_and_name_the_version(replica):
    one = replica.invoke([500, 7, "UA"], X_Request_Id="a")
    inputs = [
        {"name": "distance", "shape": [1], "datatype": "FP64", "data": [500]},
        {"name": "hour", "shape": [1], "datatype": "INT64", "data": [7]},
        {"name": "carrier", "shape": [1], "datatype": "BYTES", "data": ["UA"]},
    ]
    path = f"/v2/models/flights/versions/{replica.version.version}/infer"
    two = replica.ask("POST", path, {"inputs": inputs}, X_Request_Id="b")
    assert json.loads(one.content)["predictions"] == json.loads(two.content)["outputs"][0]["data"]
    for reply, request_id in ((one, "a"), (two, "b")):
        assert reply.headers["X-Request-Id"] == request_id
        assert reply.headers["X-Model-Version"] == replica.version.version
        assert reply.headers["X-Logged"] == "os"
        assert reply.headers["Content-Type"] == "application/json"
        assert reply.headers["Server"] is None


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/v2/health/live", b'{"live":true}'),
        ("/v2/health/ready", b'{"ready":true}'),
        ("/v2/models/flights/ready", b'{"name":"flights","ready":true}'),
        ("/ping", b"\n"),
        ("/health", b"\n"),
    ],
)
def test_pages_need_no_key(replica, path, content):
    reply = replica.ask("GET", path, Authorization="")
    assert (reply.status, reply.content) == (200, content)
    head = replica.ask("HEAD", path, Authorization="")
    assert (head.status, head.content, head.headers["Content-Length"]) == (200, b"", str(len(content)))


def test_metadata_by_model_and_by_version(replica):
    one = f"/v2/models/flights/versions/{replica.version.version}"
    assert json.loads(replica.ask("GET", "/v2").content)["name"] == "gyroscope"
    assert replica.ask("GET", one).content == replica.ask("GET", "/v2/models/flights").content
    assert replica.ask("GET", f"{one}/ready").status == 200
    assert replica.ask("GET", "/version").status == 200


def test_what_is_posted_about_the_repository_needs_a_key_and_a_body_that_fits(replica):
    assert json.loads(replica.ask("POST", "/v2/repository/index", b"").content)[0]["state"] == "READY"
    assert replica.ask("POST", "/v2/repository/models/flights/load", b"").content == b"{}"
    assert replica.ask("POST", "/v2/repository/index", b" " * (CAP_BYTES + 1)).status == 413
    before = stats(replica)["inference_stats"]["success"]["count"]
    assert replica.invoke(FINE).status == 200
    assert stats(replica)["inference_stats"]["success"]["count"] == before + 1


def stats(replica):
    return json.loads(replica.ask("GET", "/v2/models/flights/stats").content)["model_stats"][0]


def test_pipelined_requests_are_answered_in_order(replica):
    body = b'{"instances": [[1, 2, "UA"]]}'
    with replica.raw() as raw:
        raw.sendall(b"".join(head(b"p-%02d" % i, len(body)) + body for i in range(20)))
        replies = b""
        while replies.count(b"predictions") < 20:
            replies += raw.recv(65536)
    assert replies.count(b"HTTP/1.1 200 ") == 20
    assert re.findall(rb"x-request-id: (.*)\r", replies) == [b"p-%02d" % i for i in range(20)]


def test_behind_a_slow_request_one_waits_one_waits_too_long_and_one_finds_no_room(launch):
    replica = launch(max_in_flight=2, deadline_s=10)
    with contextlib.ExitStack() as stack:
        first, *burst = [stack.enter_context(replica.raw()) for _ in range(5)]
        for raw in (first, *burst):  # accepted and known to the server before the clock counts
            raw.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
            assert one_reply(raw).endswith(b"\n")
        slow, fine = b'{"instances": [[-400, 7, "UA"]]}', b'{"instances": [[1, 7, "UA"]]}'
        first.sendall(head(b"first", len(slow)) + slow)
        time.sleep(0.2)
        burst[0].sendall(head(b"takes", len(slow)) + slow)
        burst[1].sendall(head(b"waits", len(fine)) + fine)
        burst[2].sendall(head(b"expires", len(fine), b"X-Request-Timeout-Ms: 100") + fine)
        burst[3].sendall(head(b"no-room", len(fine)) + fine)
        heads = [one_reply(raw) for raw in (first, *burst)]
    assert [int(reply.split()[1]) for reply in heads] == [200, 200, 200, 504, 503]
    assert b"retry-after: 1\r\n" in heads[4]
    logged = {entry.request_id: entry.status for entry in replica.written()}
    assert logged == {"first": 200, "takes": 200, "waits": 200, "expires": 504, "no-room": 503}


def test_beats_while_idle_and_is_ready(replica):
    pulse = Pulse.open(replica.home / "replica.pulse")
    assert (pulse.state, pulse.pid) == ("ready", replica.process.pid)
    before = pulse.beat_ns
    time.sleep(0.5)
    assert pulse.beat_ns > before
    assert pulse.started_ns == 0
    pulse.close()


def test_a_new_key_counts_and_an_old_one_no_longer(replica):
    digests = replica.home / "digests"
    digests.write_text(hashlib.sha256(b"key").hexdigest() + "\n" + hashlib.sha256(b"second").hexdigest())
    until = time.monotonic() + 10
    while replica.invoke(FINE, Authorization="Bearer second").status == 401 and time.monotonic() < until:
        time.sleep(0.05)
    assert replica.invoke(FINE, Authorization="Bearer second").status == 200


def test_only_this_user_reaches_the_socket(replica):
    assert stat.S_IMODE(replica.path.stat().st_mode) == 0o600


@pytest.fixture
def own_home(home, tmp_path):
    """A home of its own, for tests that start and stop."""
    (tmp_path / "models").symlink_to(home / "models")
    (tmp_path / "digests").write_text(hashlib.sha256(b"key").hexdigest())
    return tmp_path


@pytest.fixture
def launch(own_home):
    """Start replicas in a home of their own; none outlives the test."""
    with contextlib.ExitStack() as stack:

        def one(**limits):
            replica = Replica(own_home, **limits)
            stack.callback(replica.process.communicate)
            stack.callback(replica.process.kill)
            return replica

        yield one


def test_stops_cleanly_and_finishes_what_it_began(launch):
    replica = launch(deadline_s=5)
    answered = []
    asking = threading.Thread(target=lambda: answered.append(replica.invoke([-500, 7, "UA"]).status))
    asking.start()
    time.sleep(0.2)
    said = replica.stop()
    asking.join()
    assert answered == [200]
    assert replica.process.returncode == 0
    assert said == ""
    assert launch().stop() == ""


def test_a_taken_port_is_named(own_home):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start(own_home, {"host": "127.0.0.1", "port": port}, {})
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert f"127.0.0.1:{port}" in said
    assert "Traceback" not in said


def test_serves_over_a_port_without_a_door(own_home):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = start(own_home, {"host": "127.0.0.1", "port": port}, {})
    until, status = time.monotonic() + 30, 0
    while status != 200 and time.monotonic() < until:
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/ping")
            status = connection.getresponse().status
            connection.close()
        time.sleep(0.02)
    process.terminate()
    process.communicate(timeout=20)
    assert status == 200
