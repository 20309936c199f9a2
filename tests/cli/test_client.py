"""The client of `gyro predict` and `gyro labels add`, against a real server on 127.0.0.1 that answers as told."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gyroscope.cli.client import Client
from gyroscope.errors import InputError, OverloadError, ProcessError


class Scripted(ThreadingHTTPServer):
    """Gives its answers in order: (status, body), or None to hang up without one."""

    def __init__(self, answers):
        super().__init__(("127.0.0.1", 0), _Answer)
        self.answers = list(answers)
        self.seen = []

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Answer(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.seen.append((self.path, dict(self.headers), json.loads(body)))
        answer = self.server.answers.pop(0)
        if answer is None:
            self.connection.close()
            return
        status, content = answer
        self.send_response(status)
        self.send_header("X-Request-Id", "abc")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "api_key"
    path.write_text("gyro_secret\n")
    return path


@pytest.fixture
def serve():
    servers = []

    def start(*answers):
        server = Scripted(answers)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_fine_answer_is_decoded_and_the_key_is_sent(serve, key):
    server = serve((200, b'{"a": 1}'))
    reply = Client(server.address, key).post("/v1/labels", {"x": 2}, {"X-Event-Time": "5"})
    assert reply.body == {"a": 1}
    assert reply.headers["x-request-id"] == "abc"
    path, headers, body = server.seen[0]
    assert (path, body) == ("/v1/labels", {"x": 2})
    assert headers["Authorization"] == "Bearer gyro_secret"
    assert headers["X-Event-Time"] == "5"


def test_a_refusal_keeps_the_words_of_the_server(serve, key):
    server = serve((422, b'{"error": "no column called ago", "where": "data[0]", "fix": "did you mean age?"}'))
    with pytest.raises(InputError, match=r"no column called ago \(status 422\)") as refused:
        Client(server.address, key).post("/x", {})
    assert (refused.value.where, refused.value.fix, refused.value.status) == ("data[0]", "did you mean age?", 422)


@pytest.mark.parametrize(
    ("status", "kind"), [(400, InputError), (404, InputError), (429, OverloadError), (503, OverloadError)]
)
def test_a_refusal_without_words_is_named_by_its_status(serve, key, status, kind):
    with pytest.raises(kind, match=str(status)):
        Client(serve((status, b"<html>")).address, key).post("/x", {})


def test_a_lost_answer_is_asked_for_again_only_when_that_is_harmless(serve, key):
    server = serve(None, (503, b""), (200, b"{}"))
    assert Client(server.address, key).post("/v1/labels", {}, tries=3).body == {}
    assert len(server.seen) == 3
    server = serve(None, (200, b"{}"))
    with pytest.raises(ProcessError, match="nobody answers"):
        Client(server.address, key).post("/predict", {})
    assert len(server.seen) == 1


def test_what_is_refused_is_not_sent_again(serve, key):
    server = serve((422, b"{}"), (200, b"{}"))
    with pytest.raises(InputError):
        Client(server.address, key).post("/v1/labels", {}, tries=5)
    assert len(server.seen) == 1


def test_nobody_there_says_how_to_start(key):
    with pytest.raises(ProcessError, match="nobody answers") as refused:
        Client("http://127.0.0.1:9", key).post("/x", {})
    assert "gyro up" in refused.value.fix


def test_a_stranger_on_the_port_is_noticed(serve, key):
    with pytest.raises(ProcessError, match="not JSON"):
        Client(serve((200, b"<html>hello</html>")).address, key).post("/x", {})


def test_a_missing_key_says_who_makes_it(tmp_path: Path):
    with pytest.raises(ProcessError, match="API key") as refused:
        Client("http://127.0.0.1:9", tmp_path / "none").post("/x", {})
    assert "gyro up" in refused.value.fix
