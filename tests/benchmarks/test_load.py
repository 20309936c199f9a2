"""Both generators of bench-serving see what a server does: every request counted, no failure passed over."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from benchmarks.serving.closed import closed_loop
from benchmarks.serving.paced import NUMBER, Kind, Plan, failed, paced
from benchmarks.serving.s13_replicas import central_queue
from tests.conftest import need


class Server(ThreadingHTTPServer):
    """Answers with the body; 503 to what holds `busy`."""

    daemon_threads = True

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _Answers)


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(body)  # type: ignore[attr-defined]
        self.send_response(503 if b"busy" in body else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def test_a_closed_loop_sends_the_bodies_in_turn(server: Server) -> None:
    need("wrk")
    found = closed_loop(
        f"http://127.0.0.1:{server.server_port}/", [b'{"a": 1}', b'{"b": 2}'], {}, connections=1, seconds=1
    )
    assert 0 < found.requests <= len(server.bodies)
    first, second, third = server.bodies[:3]
    assert first == third != second
    assert found.per_s > 0
    assert found.p99_ms >= found.p50_ms > 0


def test_a_closed_loop_with_a_refusal_is_void(server: Server) -> None:
    need("wrk")
    with pytest.raises(RuntimeError, match="failed"):
        closed_loop(f"http://127.0.0.1:{server.server_port}/", [b"fine", b"busy"], {}, connections=2, seconds=1)


def test_an_open_loop_records_every_request(server: Server, tmp_path: Path) -> None:
    kinds = [Kind(3, [b"fine %s" % NUMBER], good=b"fine"), Kind(1, [b"busy"])]
    seen = paced(Plan(server.server_port, "/", {}, kinds, rate=100, seconds=0.4), tmp_path)
    assert len(seen) == len(server.bodies) == 40
    assert failed(seen) == 10
    assert set(seen["status"][seen["kind"] == 1]) == {503}
    assert len({body for body in server.bodies if b"fine" in body}) == 30, "each request has a number of its own"


def test_an_answer_without_what_makes_it_good_failed(server: Server, tmp_path: Path) -> None:
    kinds = [Kind(1, [b"fine"], good=b"better")]
    assert failed(paced(Plan(server.server_port, "/", {}, kinds, rate=50, seconds=0.2), tmp_path)) == 10


def test_nobody_there_is_a_failure(tmp_path: Path) -> None:
    seen = paced(Plan(1, "/", {}, [Kind(1, [b"x"])], rate=50, seconds=0.2), tmp_path)
    assert (len(seen), failed(seen)) == (10, 10)


def test_the_ideal_queue_gives_the_next_to_who_is_free_first() -> None:
    record = [("due_ns", "i8"), ("kind", "i2")]
    due_ms_and_kind = [(0, 1), (0, 0), (0, 0), (1, 0), (100, 1)]
    seen = np.array([(due_ms * 1_000_000, kind) for due_ms, kind in due_ms_and_kind], dtype=record)
    # One server is busy for 50 ms, so the other takes all the short ones.
    assert sorted(central_queue(seen)) == [1, 2, 2, 50, 50]
