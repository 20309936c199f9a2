"""Both clients against a server that answers as told: what is asked again, what is raised, which connection is used."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
import pytest
from tests.client.scripted import HANG_UP, Say, serving

from gyroscope import AsyncClient, Client
from gyroscope.errors import InputError, OutputError, OverloadError, ProcessError, SettingsError

ROW = {"age": 41.0, "plan": "basic"}


class Awaited:
    """The asynchronous client, asked like the other one."""

    def __init__(self, *args, **kwargs):
        self._client = AsyncClient(*args, **kwargs)
        self._loop = asyncio.new_event_loop()

    def __getattr__(self, name):
        return lambda *args, **kwargs: self._loop.run_until_complete(getattr(self._client, name)(*args, **kwargs))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()


@pytest.fixture(params=[Client, Awaited], ids=["threads", "loop"])
def client_of(request):
    opened = []

    def make(server, **options):
        address = server if isinstance(server, str) else server.address
        opened.append(request.param(address, **{"key": "secret", "model": "churn", **options}))
        return opened[-1]

    yield make
    for client in opened:
        client.__exit__(None, None, None)


def test_a_prediction_says_who_when_and_about_whom(client_of):
    told = {"X-Request-Id": "order-7", "X-Model-Version": "v1", "X-Logged": "os"}
    with serving(Say(headers=told)) as server:
        at = datetime(2026, 3, 1, tzinfo=UTC)
        answer = client_of(server).predict(ROW, request_id="order-7", event_time=at, entity_key="anna")
    assert (answer.predictions.tolist(), answer.request_id, answer.version) == ([0.5], "order-7", "v1")
    assert (answer.logged, answer.attempts) == ("os", 1)
    path, headers, body = server.seen[0]
    assert (path, json.loads(body)["dataframe_split"]["data"]) == ("/models/churn/invocations", [[41.0, "basic"]])
    assert headers["authorization"] == "Bearer secret"
    assert headers["x-event-time"] == "2026-03-01T00:00:00+00:00"
    assert headers["x-entity-key"] == "anna"
    assert 9_000 < int(headers["x-request-timeout-ms"]) <= 10_000


def test_a_repeated_request_keeps_its_id(client_of):
    busy = Say(503, b'{"error":"no replica is free"}')
    with serving(HANG_UP, busy, Say()) as server:
        answer = client_of(server).predict(ROW)
    assert answer.attempts == 3
    assert {headers["x-request-id"] for _, headers, _ in server.seen} == {answer.request_id}
    assert re.fullmatch("[0-9a-f]{32}", answer.request_id)
    left = [int(headers["x-request-timeout-ms"]) for _, headers, _ in server.seen]
    assert left == sorted(left, reverse=True)


@pytest.mark.parametrize(
    ("status", "kind", "times"),
    [
        (400, InputError, 1),
        (401, InputError, 1),
        (413, InputError, 1),
        (422, InputError, 1),
        (500, OutputError, 1),
        (429, OverloadError, 3),
        (502, OverloadError, 3),
        (503, OverloadError, 3),
        (504, OverloadError, 3),
    ],
)
def test_refusals_are_typed_in_the_words_of_the_server(client_of, status, kind, times):
    with serving(Say(status, b'{"error": "age: expected float", "fix": "send one"}')) as server:
        with pytest.raises(kind, match="age: expected float") as raised:
            client_of(server).predict(ROW, request_id="order-7")
        assert (raised.value.fix, "order-7" in raised.value.where) == ("send one", True)
        assert getattr(raised.value, "status", status) == status
        assert len(server.seen) == times


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b"\xff"])
def test_a_refusal_without_words_is_named_by_its_status(client_of, body):
    with serving(Say(404, body)) as server, pytest.raises(InputError, match=r"refused \(status 404\)"):
        client_of(server).predict(ROW)


def test_a_wait_that_would_pass_the_deadline_is_not_begun(client_of):
    with serving(Say(503, b"{}", {"Retry-After": "60"})) as server:
        with pytest.raises(OverloadError):
            client_of(server).predict(ROW, timeout_s=5)
        assert len(server.seen) == 1


def test_the_deadline_is_kept_here_too(client_of):
    with serving(Say(after_s=2)) as server:
        with pytest.raises(OverloadError, match=r"no answer within 0\.2 s") as raised:
            client_of(server).predict(ROW, timeout_s=0.2)
        assert raised.value.status == 504
        assert len(server.seen) == 1


def test_repeats_have_a_budget(client_of):
    with serving(Say(503, b"{}")) as server:
        client = client_of(server)
        for _ in range(20):
            with pytest.raises(OverloadError):
                client.predict(ROW)
        assert 20 + 10 <= len(server.seen) <= 20 + 12


def test_connections_are_used_again_and_dead_ones_are_not(client_of):
    closes = Say(headers={"Connection": "close"})
    with serving(Say(), Say(), closes, Say()) as server:
        client = client_of(server)
        asked = [client.predict(ROW).attempts for _ in range(4)]
        assert asked == [1, 1, 1, 1]
        assert len(server.connections) == 2


def test_what_is_no_http_is_a_stranger(client_of):
    with serving(Say(raw=b"SSH-2.0\r\n")) as server, pytest.raises(ProcessError, match=r"not HTTP.*asked 3 times"):
        client_of(server).predict(ROW)


def test_nobody_there_says_how_to_start(client_of):
    with pytest.raises(ProcessError, match="nobody answers") as raised:
        client_of("http://127.0.0.1:9").predict(ROW)
    assert "gyro up" in raised.value.fix


def test_labels_are_sent_in_portions_and_their_reports_added(client_of):
    said = b'{"received": 2, "joined": 1, "pending": 0, "refused": [{"row": 1, "reason": "no number"}]}'
    with serving(Say(body=said)) as server:
        report = client_of(server).labels([{"request_id": str(n), "value": 1} for n in range(5_001)])
    assert [len(json.loads(body)["labels"]) for _, _, body in server.seen] == [5_000, 1]
    assert (report.received, report.counts) == (4, {"joined": 2, "pending": 0})
    assert report.refused == [(1, "no number"), (5_001, "no number")]


def test_one_label_that_is_refused_raises(client_of):
    at = datetime(2026, 3, 2, tzinfo=UTC)
    fine = Say(body=b'{"received": 1, "joined": 1, "refused": []}')
    wrong = Say(body=b'{"received": 1, "refused": [{"row": 0, "reason": "no number"}]}')
    with serving(fine, wrong) as server:
        client = client_of(server)
        assert client.label("order-7", 1, row=3, labeled_at=at).counts == {"joined": 1}
        with pytest.raises(InputError, match="no number") as raised:
            client.label("order-8", "x", model="other")
    assert "order-8" in raised.value.where
    first, second = (json.loads(body) for _, _, body in server.seen)
    assert first["labels"] == [
        {"request_id": "order-7", "value": 1, "row": 3, "labeled_at": "2026-03-02T00:00:00+00:00"}
    ]
    assert second["model"] == "other"


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "ä", "\x00"])
def test_nothing_can_be_smuggled_into_a_header(client_of, value):
    with serving() as server:
        for name in ("request_id", "entity_key", "event_time"):
            with pytest.raises(InputError, match="header"):
                client_of(server).predict(ROW, **{name: value})
        assert server.seen == []


def test_a_model_must_be_named(client_of):
    with pytest.raises(InputError, match="no model"):
        client_of("http://127.0.0.1:9", model="").predict(ROW)


@pytest.mark.parametrize("address", ["127.0.0.1:8080", "ftp://a", "http://a:x", "http://", "http://a/v2"])
def test_an_address_is_checked(address):
    with pytest.raises(InputError):
        Client(address)


def test_without_an_address_the_settings_say_it(tmp_path, monkeypatch):
    monkeypatch.delenv("GYROSCOPE_SETTINGS", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=r"no gyroscope.yaml"):
        Client()
    with serving() as server:
        (tmp_path / "gyroscope.yaml").write_text(f"door: {{port: {server.server_address[1]}}}")
        with pytest.raises(ProcessError, match="API key"):
            Client()
        (tmp_path / ".gyroscope" / "keys").mkdir(parents=True)
        (tmp_path / ".gyroscope" / "keys" / "api_key").write_text("gyro_1\n")
        for client in (Client(model="churn"), Client(model="churn", home=tmp_path)):
            with client:
                client.predict(ROW)
    assert [headers["authorization"] for _, headers, _ in server.seen] == ["Bearer gyro_1"] * 2


def test_threads_share_a_client():
    with serving() as server, Client(server.address, key="k", model="churn") as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: client.predict(ROW, request_id=f"r{n}"), range(200)))
    assert len(answers) == len({headers["x-request-id"] for _, headers, _ in server.seen}) == 200
    assert len(server.connections) <= 8


def test_tasks_share_a_client():
    async def ask(server):
        async with AsyncClient(server.address, key="k", model="churn") as client:
            return await asyncio.gather(*(client.predict(ROW, request_id=f"r{n}") for n in range(50)))

    with serving() as server:
        assert len(asyncio.run(ask(server))) == 50


def test_a_task_that_is_cancelled_takes_its_connection_along():
    async def ask(server):
        async with AsyncClient(server.address, key="k", model="churn") as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await client.predict(ROW, request_id="slow")
            return await client.predict(ROW, request_id="fine")

    late = Say(headers={"X-Request-Id": "slow"}, after_s=0.5)
    with serving(late, Say(headers={"X-Request-Id": "fine"})) as server:
        assert asyncio.run(ask(server)).request_id == "fine"


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_opens_connections_of_its_own():
    with serving() as server, Client(server.address, key="k", model="churn") as client:
        client.predict(ROW)
        child = multiprocessing.get_context("fork").Process(target=client.predict, args=(ROW,))
        child.start()
        child.join()
        client.predict(ROW)
        assert child.exitcode == 0
        assert (len(server.seen), len(server.connections)) == (3, 2)


def test_an_answer_before_the_whole_body_was_read_is_heard():
    """A door refuses what is too large and closes, while the client still writes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def refuse():
        link, _ = listener.accept()
        link.recv(1_000)
        said = b'{"error":"too large"}'
        link.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))
        link.shutdown(socket.SHUT_WR)
        time.sleep(0.3)
        link.close()

    thread = threading.Thread(target=refuse)
    thread.start()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with Client(address, key="k", model="m", timeout_s=10) as client, pytest.raises(InputError, match="too large"):
        client.predict(np.zeros((400_000, 20)))
    thread.join()
    listener.close()
