"""S11: V2 with binary tensors, 1,000 rows of 20 float32 a request, against the bare runner on the same rows.

LightGBM, 100 trees of 31 leaves, log on. Two connections take turns, so that a request always waits while one is worked
on; bare calls and rounds of requests alternate, both on the servers' core.
"""

from __future__ import annotations

import os
import socket
import statistics
import time
from collections.abc import Sequence

import numpy as np
import orjson

from benchmarks.house import MODEL
from benchmarks.rows import Row, at_least
from benchmarks.serving.contestants import V2, Contestant, ours_direct, wait_ready
from benchmarks.serving.cores import GENERATOR, SERVER
from benchmarks.serving.models import FEATURES, make
from benchmarks.target import Options
from gyroscope.models.runners import Rows, Runner, load_runner
from gyroscope.models.versions import Artifact

ROWS = 1_000


def measure(options: Options) -> list[Row]:
    """One row."""
    served = make("lgb", options.folder, options.seed)
    matrix = np.random.default_rng(options.seed).normal(size=(ROWS, FEATURES)).astype(np.float32)
    runner = load_runner(served.runner, Artifact(served.path, served.path.read_bytes()), served.signature)
    rounds, requests = (5, 100) if options.is_quick else (15, 400)
    os.sched_setaffinity(0, {GENERATOR})
    with ours_direct(served, options.folder / "direct") as ours:
        wait_ready(ours, served)
        request = _request(ours, matrix)
        _ask(ours, request, 10)
        pairs = [(_ask(ours, request, requests), _bare(runner, matrix, requests)) for _ in range(rounds)]
    asked, bare = (statistics.median(one[at] for one in pairs) for at in (0, 1))
    share = statistics.median(mine / theirs for mine, theirs in pairs)
    claim = f"rows/s of V2 binary, {ROWS:,} x {FEATURES} float32, of the bare runner's ({asked:,.0f} of {bare:,.0f})"
    return [at_least("S11", claim, share, 0.8, "x", rounds)]


def _request(ours: Contestant, matrix: np.ndarray) -> bytes:
    raw = matrix.tobytes()
    size = {"binary_data_size": len(raw)}
    tensor = {"name": "x", "shape": [ROWS, FEATURES], "datatype": "FP32", "parameters": size}
    head = orjson.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}})
    lines = (
        f"POST {V2.path} HTTP/1.1",
        "Host: x",
        f"Authorization: {ours.headers['Authorization']}",
        "Content-Type: application/octet-stream",
        f"Inference-Header-Content-Length: {len(head)}",
        f"Content-Length: {len(head) + len(raw)}",
    )
    return "\r\n".join((*lines, "", "")).encode() + head + raw


def _ask(ours: Contestant, request: bytes, requests: int) -> float:
    """Rows a second over two connections that take turns. Raises `RuntimeError` for anything but a 200."""
    links = [socket.create_connection(("127.0.0.1", ours.port)) for _ in range(2)]
    try:
        for link in links:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link.sendall(request)
        began = time.perf_counter()
        for n in range(requests):
            link = links[n % 2]
            _reply(link)
            link.sendall(request)
        spent = time.perf_counter() - began
        for link in links:
            _reply(link)
    finally:
        for link in links:
            link.close()
    return requests * ROWS / spent


def _reply(link: socket.socket) -> None:
    text = b""
    while b"\r\n\r\n" not in text:
        text += link.recv(1 << 16)
    head, _, body = text.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"{MODEL} answered {text[:300]!r}")
    missing = int(head.lower().partition(b"\r\ncontent-length: ")[2].split(b"\r\n")[0]) - len(body)
    while missing > 0:
        missing -= len(link.recv(1 << 16))


def _bare(runner: Runner, matrix: Sequence[Sequence[float]] | np.ndarray, calls: int) -> float:
    """Rows a second of the runner alone, from float64, which is what it takes."""
    rows = Rows(np.asarray(matrix, np.float64))
    os.sched_setaffinity(0, {SERVER})
    try:
        began = time.perf_counter()
        for _ in range(calls):
            runner.predict(rows)
        return calls * ROWS / (time.perf_counter() - began)
    finally:
        os.sched_setaffinity(0, {GENERATOR})
