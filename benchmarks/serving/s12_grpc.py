"""S12: one row of 20 floats over gRPC through a LogisticRegression, against MLServer's own gRPC, in the same rounds.

Both on the servers' core, ours with its log on and an API key; typed contents, 16 calls in flight over 4 channels.
"""

from __future__ import annotations

import base64
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import msgspec

from benchmarks.house import MODEL, free_port
from benchmarks.rows import Row, at_least
from benchmarks.serving.closed import Measured
from benchmarks.serving.contestants import MLSERVER, MLSERVER_NO_POOL, Contestant, ours_direct
from benchmarks.serving.cores import GENERATOR, pinned
from benchmarks.serving.grpc_loop import Plan
from benchmarks.serving.models import Served, make
from benchmarks.target import Options
from gyroscope.serving.messages import message

CALLS = 16
OURS = "ours, gRPC"


class Speaker(msgspec.Struct, frozen=True):
    """A contestant and how it is asked over gRPC."""

    name: str
    contestant: Contestant
    plan: Plan


def measure(options: Options) -> list[Row]:
    """The rows of S12."""
    served = make("lr", options.folder, options.seed)
    rounds, seconds = (3, 1.0) if options.is_quick else (5, 10.0)
    with ExitStack() as stack:
        speakers = []
        for peer in (MLSERVER, MLSERVER_NO_POOL):
            port = free_port()
            pooled = msgspec.structs.replace(peer, extra=(str(port), peer.extra[1]))
            started = stack.enter_context(pooled.start(served))
            speakers.append(Speaker(peer.name, started, _plan(served, port, "predict_proba", {}, seconds)))
        port = free_port()
        ours = stack.enter_context(ours_direct(served, Path(options.folder) / "ours", {"grpc_port": port}))
        speakers.append(Speaker(OURS, ours, _plan(served, port, "", ours.headers, seconds)))
        seen: dict[str, list[tuple[Measured, float]]] = {one.name: [] for one in speakers}
        for one in speakers:
            _round(one)
        for _ in range(rounds):
            for one in speakers:
                seen[one.name].append(_round(one))
    return [_row(seen, peer.name) for peer in (MLSERVER, MLSERVER_NO_POOL)]


def _plan(served: Served, port: int, output: str, headers: object, seconds: float) -> Plan:
    bodies = []
    for row in served.rows:
        request = message("ModelInferRequest")(model_name=MODEL)
        tensor = request.inputs.add(name="x", datatype="FP64", shape=[1, len(row)])
        tensor.contents.fp64_contents.extend(row.tolist())
        if output:
            request.outputs.add(name=output)
        bodies.append(base64.b64encode(request.SerializeToString()).decode())
    key = dict(headers).get("Authorization")  # type: ignore[call-overload]
    metadata = [("authorization", key)] if key else []
    return Plan(f"127.0.0.1:{port}", bodies, served.expected.tolist(), metadata, CALLS, seconds)


def _round(one: Speaker) -> tuple[Measured, float]:
    """What it managed, and CPU us a request. Asked again until it is up: a start takes seconds."""
    argv = pinned(GENERATOR, [sys.executable, "-m", "benchmarks.serving.grpc_loop"])
    give_up = time.monotonic() + 120
    while True:
        before = one.contestant.used_s()
        ended = subprocess.run(argv, input=msgspec.json.encode(one.plan), capture_output=True, check=False)
        if ended.returncode == 0:
            measured = msgspec.json.decode(ended.stdout, type=Measured)
            return measured, (one.contestant.used_s() - before) / measured.requests * 1e6
        if time.monotonic() > give_up:
            raise RuntimeError(f"{one.name} does not answer: {ended.stderr.decode()[-500:]}")
        time.sleep(0.5)


def _row(seen: dict[str, list[tuple[Measured, float]]], peer: str) -> Row:
    def median(name: str) -> tuple[float, float]:
        return (
            statistics.median(measured.per_s for measured, _ in seen[name]),
            statistics.median(cpu_us for _, cpu_us in seen[name]),
        )

    (mine, my_us), (theirs, their_us) = median(OURS), median(peer)
    claim = f"LogisticRegression, 20 floats, gRPC, log on: requests/s ({mine:,.0f} / {theirs:,.0f}; CPU "
    return at_least("S12", f"{claim}{my_us:,.0f} / {their_us:,.0f} us)", mine / theirs, 2.0, "x", len(seen[peer]), peer)
