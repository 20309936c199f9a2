"""What the real process refuses on its socket, and that the connection stays usable."""

from __future__ import annotations

import contextlib
import json

import pytest
from tests.serving.process import (
    CAP_BYTES,
    FINE,
    OverSocket,
    head,
    home_in,
    running,
    until_closed,
)


@pytest.fixture(scope="module")
def replica(tmp_path_factory):
    with running(home_in(tmp_path_factory.mktemp("home"))) as replica:
        yield replica


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/v2/models/flight", {}, 404),
        ("POST", "/v2/models/flights/versions/0/infer", {}, 404),
        ("GET", "/nothing", {}, 404),
        ("GET", "/v2/models/flights/infer", {}, 405),
        ("DELETE", "/invocations", {}, 405),
        ("POST", "/ping", {}, 405),
        ("POST", "/invocations", {"Authorization": "Bearer wrong"}, 401),
        ("POST", "/v2/models/flights/infer", {"Authorization": ""}, 401),
        ("POST", "/invocations", {"Content-Type": "text/html"}, 415),
        ("POST", "/invocations", {"Content-Type": "text/csv"}, 400),
        ("POST", "/invocations", {"Content-Type": "application/json; charset=latin-1"}, 415),
        ("POST", "/invocations", {"Content-Encoding": "gzip"}, 415),
        ("POST", "/v2/models/flights/infer", {"Inference-Header-Content-Length": "5"}, 400),
        ("POST", "/v2/repository/index", {"Authorization": ""}, 401),
        ("GET", "/v2/repository/index", {}, 405),
        ("POST", "/v2/repository/models/flights/unload", {}, 400),
        ("POST", "/v2/models/flights/stats", {}, 405),
    ],
)
def test_refusals_are_typed_and_leave_the_connection_usable(replica, method, path, headers, status):
    connection = OverSocket(replica.path)
    body = None if method == "GET" else b'{"instances": [[1, 2, "UA"]]}'
    reply = replica.ask(method, path, body, connection, **headers)
    assert reply.status == status
    assert set(json.loads(reply.content)) in ({"error"}, {"error_code", "message"})
    if status == 405:
        assert reply.headers["Allow"]
    assert replica.invoke(FINE, connection=connection).status == 200
    connection.close()


def test_an_oversized_body_is_refused(replica):
    connection = OverSocket(replica.path)
    reply = replica.ask("POST", "/invocations", b"[" + b"1," * CAP_BYTES, connection, X_Request_Id="large")
    assert reply.status == 413
    assert "16,384 bytes" in json.loads(reply.content)["message"]
    assert replica.invoke(FINE, connection=connection).status == 200
    connection.close()
    assert [entry.status for entry in replica.written() if entry.request_id == "large"] == [413]


def test_a_lying_length_is_refused_before_a_byte_of_it(replica):
    with replica.raw() as raw:
        raw.sendall(head(b"lie", 10_000_000_000))
        assert until_closed(raw).startswith(b"HTTP/1.1 413 ")


def test_a_body_without_an_end_is_refused_at_the_cap(replica):
    with replica.raw() as raw:
        with contextlib.suppress(ConnectionError):
            raw.sendall(head(b"endless", 0) + (b"1000\r\n" + b"x" * 4096 + b"\r\n") * 5)
        assert until_closed(raw).startswith(b"HTTP/1.1 413 ")


def test_a_slow_body_is_given_up_at_the_deadline(replica):
    with replica.raw() as raw:
        raw.sendall(head(b"slow", 50) + b"{")
        assert until_closed(raw).startswith(b"HTTP/1.1 408 ")
    assert [entry.status for entry in replica.written() if entry.request_id == "slow"] == [408]


def test_a_client_that_leaves_in_the_middle_harms_nobody(replica):
    with replica.raw() as raw:
        raw.sendall(head(b"gone", 50) + b"{")
    assert replica.invoke(FINE).status == 200


def test_bad_input_names_its_path_in_both_dialects(replica):
    one = replica.invoke([1, 2.5, "UA"], X_Request_Id="bad-1")
    assert (one.status, json.loads(one.content)["error_code"]) == (400, "BAD_REQUEST")
    assert "dataframe_split.data[0][1]" in json.loads(one.content)["message"]
    two = replica.ask("POST", "/v2/models/flights/infer", {"inputs": []}, X_Request_Id="bad-2")
    assert (two.status, json.loads(two.content)["error"][:6]) == (422, "inputs")
    logged = {entry.request_id: (entry.status, entry.error[:15]) for entry in replica.written()}
    assert logged["bad-1"] == (400, "dataframe_split")
    assert logged["bad-2"][0] == 422


@pytest.mark.parametrize("distance", [-1, -2])
def test_a_broken_model_is_500_without_its_secrets(replica, distance):
    reply = replica.invoke([distance, 7, "UA"], X_Request_Id=f"broken{distance}")
    assert reply.status == 500
    assert json.loads(reply.content)["message"].startswith("model_output_invalid")
    assert b"passwd" not in reply.content
    (entry,) = [entry for entry in replica.written() if entry.request_id == f"broken{distance}"]
    assert entry.error
    assert replica.invoke(FINE).status == 200
