"""The door among requests that nobody should send: they are refused, hide nothing, and good ones are answered on."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest
from tests.journeys.own import Own, started
from tests.serving.hostile_http import REFUSALS, SECRET, corpus, endless, send

pytestmark = pytest.mark.journey

SIGNATURE = "task: regression\noutput: minutes\nfeatures:\n  - {name: distance}\n"
CODE = "class Model:\n    def predict(self, matrix, columns):\n        return matrix[:, 0] * 2\n"
# The door understands more than a replica, and hands on only what it has understood: lines that end in LF, a length
# beside chunks (which then counts for nothing), two hosts. Of other paths control says that it has no such host (421).
SOUND = {200, 421, 503}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    with started(tmp_path_factory.mktemp("hostile"), SIGNATURE, CODE) as own:
        yield own


def test_all_are_refused_and_hide_nothing(own: Own) -> None:
    ask = f"POST /v2/models/odd/infer HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {own.key}\r\n".encode()
    pids = [one["pid"] for one in own.replicas()]
    never_end = endless(ask)
    for name, pieces in {**corpus(ask), **never_end}.items():
        with socket.create_connection(("127.0.0.1", own.port)) as connection:
            said = send(connection, pieces)
        assert set(said.statuses) <= REFUSALS | SOUND, (name, said.text[:500])
        assert len(said.statuses) <= 1, (name, said.text[:2000])
        assert SECRET.encode() not in said.text, name
        assert said.is_cut or name not in never_end, name
        assert own.ask(2.0).status == 200, name
    assert [one["pid"] for one in own.replicas()] == pids


def test_those_who_never_finish_keep_nobody_out(own: Own) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", own.port)))
            slow.sendall(b"POST /v2/models/odd/infer HTTP/1.1\r\nHost: x\r\nX: ")
        for _ in range(20):
            assert own.ask(2.0).status == 200
