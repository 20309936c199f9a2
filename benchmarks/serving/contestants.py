"""How each server is started on the servers' core, how one row is asked there, and what it answered.

A contestant is ready when it has answered a row as the model itself does; one that answers something else ends the run.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import orjson

import peers
from benchmarks.house import MODEL, Running, free_port
from benchmarks.serving.cores import GENERATOR, SERVER, end, pin, pinned, used_s
from benchmarks.serving.models import Served
from gyroscope.models import Candidate

PATIENCE_S = 120.0
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


class Protocol(msgspec.Struct, frozen=True):
    """A way to ask for one row: where, how the body is written, and where in the reply the number is."""

    path: str
    body: Callable[[Sequence[float]], Any]
    number: Callable[[Any], Any]


V2 = Protocol(
    f"/v2/models/{MODEL}/infer",
    lambda row: {"inputs": [{"name": "x", "shape": [1, len(row)], "datatype": "FP64", "data": row}]},
    lambda said: said["outputs"][0]["data"],
)
V2_PROBABILITY = Protocol(V2.path, lambda row: {**V2.body(row), "outputs": [{"name": "predict_proba"}]}, V2.number)
# The form that costs MLflow least: as data frames its requests take more than twice the time.
MLFLOW_INPUTS = Protocol("/invocations", lambda row: {"inputs": [row]}, lambda said: said["predictions"])
INSTANCES = Protocol("/predict", lambda row: {"instances": [row]}, lambda said: said["predictions"])
ARRAY = Protocol("/predict", INSTANCES.body, lambda said: said)


class Contestant(msgspec.Struct, frozen=True):
    """A running server. `pids` are the tops of its trees; their processor time is what a request costs."""

    name: str
    port: int
    pids: tuple[int, ...]
    protocol: Protocol
    headers: Mapping[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.protocol.path}"

    def bodies(self, served: Served) -> list[bytes]:
        """Every row as a body."""
        return [orjson.dumps(self.protocol.body(row.tolist())) for row in served.rows]

    def used_s(self) -> float:
        """Processor seconds so far."""
        return used_s(self.pids)

    def ask(self, body: bytes) -> float:
        """One request; the last number of the answer. Raises `OSError` or `ValueError` for anything but an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", self.protocol.path, body, dict(self.headers))
            reply = connection.getresponse()
            said = reply.read()
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()
        if reply.status != 200:
            raise ValueError(f"{self.name} answered {reply.status}: {said[:300]!r}")
        return float(np.ravel(self.protocol.number(orjson.loads(said)))[-1])


class Peer(msgspec.Struct, frozen=True):
    """A peer, how it is started (`peers/<package>/serve.py`) and asked.

    `extra` are more arguments; the word "port" becomes a free one.
    """

    name: str
    package: str
    protocol: Protocol
    extra: tuple[str, ...] = ()

    @contextmanager
    def start(self, served: Served) -> Iterator[Contestant]:
        """Start it; gives back at once, ended whatever happens."""
        port = free_port()
        extra = [str(free_port()) if word == "port" else word for word in self.extra]
        argv = [
            str(peers.python(self.package)),
            str(peers.HERE / self.package / "serve.py"),
            str(served.path),
            str(port),
        ]
        with process([*argv, *extra]) as pid:
            yield Contestant(self.name, port, (pid,), self.protocol, {"Content-Type": "application/json"})


FASTAPI = Peer("FastAPI", "fastapi", INSTANCES, ("def",))
FASTAPI_ASYNC = Peer("FastAPI async def", "fastapi", INSTANCES, ("async",))
MLFLOW = Peer("mlflow models serve", "mlflow", MLFLOW_INPUTS)
MLSERVER = Peer("MLServer", "mlserver", V2_PROBABILITY, ("port", "1"))
MLSERVER_TREES = Peer("MLServer", "mlserver", V2, ("port", "1"))
MLSERVER_NO_POOL = Peer("MLServer without pool", "mlserver", V2_PROBABILITY, ("port", "0"))
LITSERVE = Peer("LitServe", "litserve", INSTANCES)
BENTOML = Peer("BentoML", "bentoml", ARRAY)
RAY = Peer("Ray Serve", "ray", INSTANCES, ("default",))
RAY_TUNED = Peer("Ray Serve tuned", "ray", INSTANCES, ("tuned",))


@contextmanager
def ours_direct(
    served: Served, folder: Path, door: Mapping[str, Any] | None = None, log: Literal["os", "off"] = "os"
) -> Iterator[Contestant]:
    """One replica on the servers' core; its recorder drains beside the generator and counts as ours.

    `door` are more settings of the door, whose ports the replica then has itself.
    """
    # Nobody queues for it: its own limit must let all connections in.
    serving = {"max_in_flight": 64, "log": log}
    settings = {"serving": serving, "door": {"port": free_port(), **(door or {})}}
    made = Running(folder, settings, 1, candidate=_candidate(served))
    made.key = made.house.keys.create_first().api_key
    path = str(made.settings_path)
    try:
        with (
            process([sys.executable, "-m", "benchmarks.serving.direct", path, MODEL, made.version.version]) as replica,
            process([sys.executable, "-m", "gyroscope.assembly", "recorder", path], GENERATOR) as recorder,
        ):
            yield Contestant("ours, direct", made.port, (replica, recorder), V2, _headers(made))
    finally:
        made.clear()


@contextmanager
def ours_with_door(served: Served, folder: Path, replicas: int = 1) -> Iterator[Contestant]:
    """`gyro up`: door and replicas on the servers' core, recorder, control and supervisor beside the generator."""
    made = Running(folder, {}, replicas, candidate=_candidate(served))
    try:
        made.up()
        kinds = {kind: made.pids(kind) for kind in ("door", "replica", "recorder", "control", "supervisor")}
        pin([*kinds["door"], *kinds["replica"]], SERVER)
        pin([*kinds["recorder"], *kinds["control"], *kinds["supervisor"]], GENERATOR)
        counted = (*kinds["door"], *kinds["replica"], *kinds["recorder"])
        yield Contestant("ours, through the door", made.port, counted, V2, _headers(made))
    finally:
        made.clear()


def wait_ready(contestant: Contestant, served: Served) -> None:
    """Until it answers; every row is then compared.

    Raises `RuntimeError` when it does not answer, or not as the model does.
    """
    bodies = contestant.bodies(served)
    give_up = time.monotonic() + PATIENCE_S
    while True:
        try:
            contestant.ask(bodies[0])
            break
        except (OSError, ValueError) as error:
            if time.monotonic() > give_up:
                raise RuntimeError(f"{contestant.name} is not ready after {PATIENCE_S:.0f} s: {error}") from error
            time.sleep(0.1)
    answers = np.array([contestant.ask(body) for body in bodies])
    furthest = float(np.abs(answers - served.expected).max())
    if not furthest < 1e-5:
        raise RuntimeError(f"{contestant.name} answers what the model does not say: off by {furthest:g}")


def _candidate(served: Served) -> Candidate:
    return Candidate(MODEL, served.runner, served.signature, served.artifact)  # type: ignore[arg-type]


def _headers(made: Running) -> dict[str, str]:
    return {"Content-Type": "application/json", "Authorization": f"Bearer {made.key}"}


@contextmanager
def process(argv: Sequence[str], core: int = SERVER) -> Iterator[int]:
    """A process in a session of its own; its words go to a file, whose end is shown when it died by itself."""
    with tempfile.TemporaryFile("w+") as log:
        started = subprocess.Popen(
            pinned(core, argv), stdout=log, stderr=log, start_new_session=True, env={**os.environ, **ONE_THREAD}
        )
        try:
            yield started.pid
        finally:
            if started.poll() is not None:
                log.seek(0)
                print(f"{argv[:3]} ended with {started.returncode}: {log.read()[-2000:]}", flush=True)
            end(started.pid)
            with contextlib.suppress(subprocess.TimeoutExpired):
                started.wait(10)
