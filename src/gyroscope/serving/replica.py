"""One replica: exactly one process, one version of one model, one address.

`serve_replica` blocks until SIGTERM or SIGINT, then finishes what it has begun. The caller has loaded the model; here
is the server, the beat and the way out. It never forks, reloads or writes an access log.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import uvloop

from gyroscope.backends import missing_library
from gyroscope.clock import SECOND_NS, machine_now
from gyroscope.errors import ProcessError
from gyroscope.models.runners import Runner
from gyroscope.predictions.segments.log import PredictionLog
from gyroscope.records import Version
from gyroscope.serving.connection import Connection
from gyroscope.serving.copies import Copies, Mirror
from gyroscope.serving.dialects import Service
from gyroscope.serving.dialects.mlflow import Mlflow
from gyroscope.serving.dialects.v2 import V2
from gyroscope.serving.express import express
from gyroscope.serving.http import Http
from gyroscope.serving.intake import Intake
from gyroscope.serving.keys import ApiKeys
from gyroscope.serving.line import Line
from gyroscope.serving.plane import Limits, Plane
from gyroscope.supervisor.pulse import MOST_INPUTS, Pulse
from gyroscope.supervisor.quarantine import Quarantine

if TYPE_CHECKING:
    from gyroscope.serving.grpc import Grpc

BEAT_EVERY_S = 0.1
"""The supervisor kills at 0.5 s of silence: five beats may be missed."""

_BACKLOG = 512
_GRACE_S = 2
_SOCKET_PATH_BYTES = 107


class Listen(msgspec.Struct, frozen=True):
    """Where requests come from: a unix socket when a door stands in front, else a port.

    `grpc` is an address of gRPC's own, such as `unix:/run/r.grpc` or `127.0.0.1:8081`; empty: gRPC is not spoken.
    """

    socket: str = ""
    host: str = "127.0.0.1"
    port: int = 0
    grpc: str = ""


class ReplicaPlan(msgspec.Struct, frozen=True):
    """All that a replica needs.

    `mirror` is the file that says who wants copies of what is answered; `copies`, of a shadow, where it takes them.
    `key_digests` gives the SHA-256 of each API key in hex; it is asked at the start and when `key_file` has changed.
    """

    version: Version
    runner: Runner
    log: PredictionLog
    pulse: Pulse
    listen: Listen
    key_digests: Callable[[], Sequence[str]]
    key_file: Path
    deadline_s: float = 1.0
    body_bytes: int = 1024 * 1024
    max_in_flight: int = 64
    batch_calls: int = MOST_INPUTS
    quarantine: Quarantine | None = None
    mirror: Path | None = None
    copies: Path | None = None


def serve_replica(replica: ReplicaPlan) -> None:
    """Serve until told to stop.

    Raises `ProcessError` when the address cannot be had.
    """
    _log_one_line_per_error()
    listener = _listen(replica.listen)
    deadline_ns = round(replica.deadline_s * SECOND_NS)
    limits = Limits(deadline_ns, replica.body_bytes, replica.max_in_flight, replica.batch_calls, replica.quarantine)
    plane = Plane(replica.version, replica.runner, replica.log, replica.pulse, limits)
    intake = Intake(replica.version.signature)
    v2, mlflow = V2(replica.version, intake, replica.pulse), Mlflow(replica.version, intake)
    services: list[Service] = [v2, mlflow]
    keys, line = ApiKeys(replica.key_digests, replica.key_file), Line(plane)
    mirror = Mirror(replica.mirror, replica.pulse) if replica.mirror else None
    short = express((v2, mlflow), replica.runner, replica.log, replica.pulse, line)
    http = Http(plane, services, keys, line, short, mirror)
    copies = Copies(replica.copies, services, line) if replica.copies else None
    rpc = _grpc(plane, line, intake, keys, replica.pulse) if replica.listen.grpc else None
    # The model and the libraries stay: without this every full collection would walk them, some 50 ms in one request.
    gc.collect()
    gc.freeze()
    try:
        uvloop.run(_serve(replica, http, rpc, copies, listener))
    finally:
        gc.unfreeze()
        listener.close()
        replica.log.close()


async def _serve(
    replica: ReplicaPlan, http: Http, rpc: Grpc | None, copies: Copies | None, listener: socket.socket
) -> None:
    loop, stopped, pulse = asyncio.get_running_loop(), asyncio.Event(), replica.pulse

    def beat() -> None:
        now = machine_now()
        pulse.beat(now)
        http.beat(now)
        loop.call_later(BEAT_EVERY_S, beat)

    def stop() -> None:
        pulse.draining()
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    beat()
    listen = loop.create_unix_server if listener.family == socket.AF_UNIX else loop.create_server
    server = await listen(lambda: Connection(http), sock=listener, backlog=_BACKLOG)
    if rpc:
        await rpc.open(replica.listen.grpc)
    if copies:
        copies.open()
    pulse.ready()
    await stopped.wait()
    server.close()
    if copies:
        copies.close()
    # What is in hand may use its whole deadline, then a little for the reply.
    patience_s = replica.deadline_s + _GRACE_S
    await asyncio.gather(http.drain(patience_s), *([rpc.drain(patience_s)] if rpc else []))


def _grpc(plane: Plane, line: Line, intake: Intake, keys: ApiKeys, pulse: Pulse) -> Grpc:
    """The libraries of the extra are imported only where gRPC is spoken: they take 20 MB and 0.1 s."""
    try:
        from gyroscope.serving.grpc import Grpc
    except ModuleNotFoundError as missing:
        raise missing_library(missing, what="serving over gRPC") from missing
    return Grpc(plane, line, intake, keys, pulse)


def _listen(listen: Listen) -> socket.socket:
    if listen.socket:
        return _listen_on_path(Path(listen.socket))
    listener = socket.socket(socket.AF_INET6 if ":" in listen.host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    where = f"{listen.host}:{listen.port}"
    try:
        listener.bind((listen.host, listen.port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ProcessError(
            f"cannot listen: {error.strerror}", where=where, fix="free the port or choose another door.port"
        ) from error
    return listener


def _listen_on_path(path: Path) -> socket.socket:
    """A socket that only this user can reach; one left by a dead replica of this name is replaced."""
    if len(os.fsencode(path)) > _SOCKET_PATH_BYTES:
        raise ProcessError("the name of the socket is too long", where=str(path), fix="choose a shorter runtime_dir")
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ProcessError(
            f"cannot listen: {error.strerror}", where=str(path), fix="see that the runtime folder is there"
        ) from error
    finally:
        os.umask(before)
    return listener


def _log_one_line_per_error() -> None:
    """Faults of our own, on stderr, one line each: whole tracebacks of a busy replica would bury everything else."""
    shown = logging.StreamHandler()
    shown.setFormatter(_OneLine("%(levelname)s %(message)s"))
    for name in ("asyncio", "gyroscope.serving"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [shown]
        logger.setLevel(logging.ERROR)
        logger.propagate = False


class _OneLine(logging.Formatter):
    def formatException(self, ei: object) -> str:  # noqa: N802 - the name is logging's
        return ""

    def format(self, record: logging.LogRecord) -> str:
        text = " ".join(record.getMessage().split())
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return f"{record.levelname} {text}"
        step = error.__traceback__
        while step is not None and step.tb_next is not None:
            step = step.tb_next
        where = f" at {Path(step.tb_frame.f_code.co_filename).name}:{step.tb_lineno}" if step else ""
        return f"{record.levelname} {text}: {type(error).__name__}: {' '.join(str(error).split())}{where}"
