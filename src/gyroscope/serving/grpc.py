"""The gRPC shell: calls of the Open Inference Protocol, metadata and status codes around the plane.

`replica.py` opens it beside HTTP where a gRPC address is given, on the same event loop, so that one thread asks the
plane. Health and reflection are gRPC's own services. It parses no request of inference.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from gyroscope.clock import machine_now, wall_now
from gyroscope.errors import InputError, ProcessError
from gyroscope.serving.dialects.v2_grpc import V2Grpc
from gyroscope.serving.dialects.v2_grpc_pages import Page, pages
from gyroscope.serving.intake import Intake
from gyroscope.serving.keys import ApiKeys
from gyroscope.serving.line import Line
from gyroscope.serving.messages import SERVICE, message, methods, pool
from gyroscope.serving.plane import Call, Limits, Plane, Reply
from gyroscope.serving.wording import one_line
from gyroscope.supervisor.pulse import Pulse

_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    404: grpc.StatusCode.NOT_FOUND,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_LOGGED = {"off": "no"}
Context = Any
Told = tuple[tuple[str, str], ...]


class Grpc:
    """The service for one replica; requests and replies of inference are bytes to it."""

    def __init__(self, plane: Plane, line: Line, intake: Intake, keys: ApiKeys, pulse: Pulse) -> None:
        self._plane, self._line, self._keys = plane, line, keys
        self._dialect = V2Grpc(plane.version, intake)
        self._version = plane.version.version
        shown, requests = pages(plane.version, pulse), methods()
        calls = {name: _page(message(requests[name]), page) for name, page in shown.items()}
        calls["ModelInfer"] = self._infer
        handlers = {name: grpc.unary_unary_rpc_method_handler(call) for name, call in calls.items()}
        self._service = grpc.method_handlers_generic_handler(SERVICE, handlers)
        self._health = health.aio.HealthServicer()

    async def open(self, address: str) -> None:
        """Listen at an address such as `unix:/run/r.sock` or `127.0.0.1:8081`.

        Raises `ProcessError` when it cannot be had.
        """
        self._server = grpc.aio.server(options=_options(self._plane.limits))
        self._server.add_generic_rpc_handlers((self._service,))
        await self._health.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        for theirs in (health_pb2, reflection_pb2):
            pool().AddSerializedFile(theirs.DESCRIPTOR.serialized_pb)  # so that reflection knows them too
        names = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server, pool=pool())
        before = os.umask(0o177)  # a socket that only this user can reach
        try:
            self._server.add_insecure_port(address)
        except RuntimeError as error:
            fix = "free the port or choose another door.grpc_port"
            raise ProcessError(f"cannot listen for gRPC: {error}", where=address, fix=fix) from error
        finally:
            os.umask(before)
        await self._server.start()

    async def drain(self, patience_s: float) -> None:
        """Answer what has been begun; calls that take longer are cut off."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(patience_s)

    async def _infer(self, body: bytes, context: Context) -> bytes:
        arrived = machine_now()
        told = dict(context.invocation_metadata())
        if not self._keys.allow(told.get("authorization", "").encode("utf-8", "replace"), arrived):
            self._plane.turn_away()
            await context.abort(
                grpc.StatusCode.UNAUTHENTICATED, "no valid API key; send 'Bearer <key>' as authorization"
            )
        call = Call(
            self._dialect,
            arrived,
            wall_now(),
            body,
            told.get("x-request-id", ""),
            told.get("x-event-time", ""),
            told.get("x-request-timeout-ms", "") or _timeout_ms(context.time_remaining()),
            told.get("x-entity-key", ""),
            told.get("x-door-time", ""),
        )
        reply = await self._line.ask(call)
        if reply.status != 200:
            await context.abort(
                _CODES.get(reply.status, grpc.StatusCode.UNKNOWN), reply.body.decode(), self._say(reply)
            )
        context.set_trailing_metadata(self._say(reply))
        return reply.body

    def _say(self, reply: Reply) -> Told:
        told = (
            ("x-request-id", reply.request_id),
            ("x-model-version", self._version),
            ("x-logged", _LOGGED.get(reply.logged, reply.logged)),
        )
        return (*told, ("retry-after", str(reply.retry_after_s))) if reply.retry_after_s else told


def _options(limits: Limits) -> Sequence[tuple[str, int]]:
    return (
        ("grpc.max_receive_message_length", limits.body_bytes),
        ("grpc.max_metadata_size", 8_192),
        ("grpc.absolute_max_metadata_size", 16_384),
        ("grpc.max_concurrent_streams", 100),
        # A client that stays for ever would never notice replicas that are added.
        ("grpc.max_connection_age_ms", 600_000),
        ("grpc.max_connection_age_grace_ms", limits.deadline_ns // 1_000_000 + 1_000),
        ("grpc.so_reuseport", 0),
    )


def _timeout_ms(left_s: float | None) -> str:
    """What the client's own deadline leaves, in the plane's words; a longer one than those have is as good as none."""
    return "" if left_s is None or left_s >= 60 else str(max(1, math.floor(left_s * 1_000)))


def _page(request: Any, page: Page) -> Callable[[bytes, Context], Any]:
    """A call that asks the model nothing, and needs no key."""

    async def call(body: bytes, context: Context) -> bytes:
        try:
            found: bytes = page(request.FromString(body)).SerializeToString()
        except InputError as error:
            await context.abort(_CODES[error.status], one_line(error))
        except DecodeError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        return found

    return call
