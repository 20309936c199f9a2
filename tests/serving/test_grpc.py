"""The real process asked by a real gRPC client: answers, codes, metadata, what is written down, health, the way out."""

from __future__ import annotations

import hashlib
import json
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from gyroscope.clock import EventTime
from gyroscope.models.store import Candidate, ModelStore
from gyroscope.predictions.segments.entries import entries_in
from gyroscope.predictions.segments.scan import scan
from gyroscope.predictions.segments.wal import Layout
from gyroscope.records import Feature, Signature
from gyroscope.serving.messages import SERVICE, message
from gyroscope.supervisor.pulse import Pulse

SIGNATURE = Signature("regression", (Feature("a"), Feature("b"), Feature("c")), output="value")
CODE = """
import time


class Model:
    def predict(self, matrix, columns):
        if matrix[0, 0] == -1:
            raise ValueError("the secret is /etc/passwd")
        if matrix[0, 0] <= -100:
            time.sleep(-matrix[0, 0] / 1000)
        return matrix.sum(axis=1)
"""
KEY = (("authorization", "Bearer key"),)
CAP_BYTES = 64 * 1024


class Replica:
    """A started replica with a gRPC socket."""

    def __init__(self, home: Path, **limits: float) -> None:
        self.home = home
        self.path = home / "r.grpc"
        listen = {"socket": str(home / "r.sock"), "grpc": f"unix:{self.path}"}
        script = Path(__file__).with_name("one_replica.py")
        argv = [
            sys.executable,
            str(script),
            str(home),
            json.dumps(listen),
            json.dumps({"body_bytes": CAP_BYTES, **limits}),
        ]
        self.process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
        self.channel = grpc.insecure_channel(f"unix:{self.path}")
        if not self._answers():
            self.process.kill()
            pytest.fail(self.process.communicate()[1])

    def _answers(self, within_s: float = 30) -> bool:
        """Whether the channel came to life before the process died or the time was up."""
        ready, give_up = grpc.channel_ready_future(self.channel), time.monotonic() + within_s
        while self.process.poll() is None and time.monotonic() < give_up:
            try:
                ready.result(timeout=0.1)
            except grpc.FutureTimeoutError:
                continue
            return True
        return False

    def call(self, name: str, request, metadata=KEY, timeout: float | None = 10):
        """The answer and the trailing metadata."""
        kind = message(type(request).__name__.replace("Request", "Response"))
        method = self.channel.unary_unary(f"/{SERVICE}/{name}", lambda it: it.SerializeToString(), kind.FromString)
        answer, call = method.with_call(request, metadata=metadata, timeout=timeout)
        return answer, dict(call.trailing_metadata())

    def infer(self, *row: float, metadata=KEY, timeout: float | None = 10, **more):
        request = message("ModelInferRequest")(model_name="flights", **more)
        tensor = request.inputs.add(name="x", datatype="FP64", shape=[1, 3])
        tensor.contents.fp64_contents.extend(row)
        return self.call("ModelInfer", request, metadata, timeout)

    def written(self):
        (version,) = ModelStore(self.home).versions("flights")
        layout, found = Layout(version.signature), []
        for path in sorted((self.home / "segments").glob("*.seg")):
            result = scan(path.read_bytes(), sealed=False, segment=int(path.stem.rpartition("-")[2], 16))
            found += entries_in(result, layout)
        return {entry.request_id: entry for entry in found}

    def close(self) -> None:
        self.channel.close()
        self.process.kill()
        self.process.communicate()


def home_in(folder: Path) -> Path:
    (folder / "model.py").write_text(CODE)
    (folder / "digests").write_text(hashlib.sha256(b"key").hexdigest())
    ModelStore(folder).add(Candidate("flights", "python", SIGNATURE, folder / "model.py", "model:Model"), EventTime(0))
    return folder


@pytest.fixture(scope="module")
def replica(tmp_path_factory):
    replica = Replica(home_in(tmp_path_factory.mktemp("grpc")))
    yield replica
    replica.close()


def refused(replica, *args, **kwargs):
    with pytest.raises(grpc.RpcError) as raised:
        replica.infer(*args, **kwargs)
    return raised.value


def test_an_answer_says_what_http_says_in_headers(replica):
    at = ("x-event-time", "2026-03-01T00:00:00Z")
    sent = (*KEY, ("x-request-id", "order-7"), at, ("x-entity-key", "anna"))
    answer, told = replica.infer(1, 2, 3.5, metadata=sent, id="mine")
    assert list(answer.outputs[0].contents.fp64_contents) == [6.5]
    assert (answer.id, told["x-request-id"], told["x-logged"]) == ("mine", "order-7", "os")
    assert told["x-model-version"] == answer.model_version
    entry = replica.written()["order-7"]
    assert (entry.client_id, entry.entity_key, entry.event_time) == ("mine", "anna", 1_772_323_200_000_000)
    assert (entry.matrix.tolist(), entry.outputs.tolist(), entry.status) == ([[1, 2, 3.5]], [[6.5]], 200)


def test_raw_in_raw_out(replica):
    request = message("ModelInferRequest")(model_name="flights")
    request.inputs.add(name="x", datatype="FP32", shape=[2, 3])
    request.raw_input_contents.append(np.arange(6, dtype="<f4").tobytes())
    answer, _ = replica.call("ModelInfer", request)
    assert np.frombuffer(answer.raw_output_contents[0]).tolist() == [3.0, 12.0]


@pytest.mark.parametrize(
    ("row", "more", "code", "said"),
    [
        ((1, 2), {}, "INVALID_ARGUMENT", "inputs[0].data: 2 values where the shape says 3"),
        ((1, 2, 3), {"id": "\n"}, "INVALID_ARGUMENT", "id"),
        ((1, 2, 3), {"model_version": "0"}, "NOT_FOUND", "version '0'"),
        ((-1, 2, 3), {}, "INTERNAL", "model_output_invalid"),
        ((1, 2, 3), {"metadata": ()}, "UNAUTHENTICATED", "no valid API key"),
        ((1, 2, 3), {"metadata": (("authorization", "Bearer wrong"),)}, "UNAUTHENTICATED", "no valid API key"),
        ((1, 2, 3), {"metadata": (*KEY, ("x-event-time", "noon"))}, "INVALID_ARGUMENT", "X-Event-Time"),
        ((1, 2, 3), {"id": "x" * CAP_BYTES}, "RESOURCE_EXHAUSTED", "larger than max"),
    ],
)
def test_refusals_have_their_code_and_words(replica, row, more, code, said):
    error = refused(replica, *row, **more)
    assert (error.code().name, said in error.details()) == (code, True), error.details()
    assert "passwd" not in error.details()
    assert replica.infer(1, 1, 1)[0].outputs[0].contents.fp64_contents[0] == 3


def test_a_refusal_is_written_down_and_counted_with_its_id(replica):
    counters = Pulse.open(replica.home / "replica.pulse").counters
    before = counters()
    error = refused(replica, 1, 2, metadata=(*KEY, ("x-request-id", "bad-1")))
    assert dict(error.trailing_metadata())["x-request-id"] == "bad-1"
    assert replica.written()["bad-1"].status == 422
    refused(replica, 1, 2, 3, metadata=())
    replica.infer(1, 2, 3)
    after = counters()
    assert after["requests_4xx"] - before["requests_4xx"] == 2
    assert after["requests_2xx"] - before["requests_2xx"] == 1


def test_nobody_works_for_a_client_that_no_longer_waits(replica):
    waiting = threading.Thread(target=replica.infer, args=(-400, 0, 0))
    waiting.start()
    time.sleep(0.1)
    error = refused(replica, 1, 2, 3, timeout=0.1, metadata=(*KEY, ("x-request-id", "late-1")))
    waiting.join()
    assert error.code().name == "DEADLINE_EXCEEDED"
    replica.infer(1, 2, 3)
    found = replica.written().get("late-1")
    assert found is None or found.status == 504


def test_what_asks_the_model_nothing_needs_no_key(replica):
    def ask(call, **fields):
        return replica.call(call, message(f"{call}Request")(**fields), metadata=())[0]

    assert ask("ServerLive").live
    assert ask("ServerReady").ready
    assert ask("ModelReady", name="flights").ready
    assert ask("ServerMetadata").name == "gyroscope"
    described = ask("ModelMetadata", name="flights")
    assert next((one.name, one.datatype, list(one.shape)) for one in described.inputs) == ("a", "FP64", [-1, 1])
    assert described.outputs[0].name == "value"
    assert [(one.name, one.state) for one in ask("RepositoryIndex").models] == [("flights", "READY")]
    replica.infer(1, 2, 3)
    (counted,) = ask("ModelStatistics", name="flights").model_stats
    assert counted.inference_count >= 1
    assert counted.inference_stats.success.ns > 0
    assert counted.execution_count > 0
    assert counted.inference_stats.queue.count > 0
    assert ask("RepositoryModelLoad", model_name="flights") is not None
    with pytest.raises(grpc.RpcError, match="cannot be unloaded"):
        ask("RepositoryModelUnload", model_name="flights")
    with pytest.raises(grpc.RpcError) as raised:
        ask("ModelReady", name="flight")
    assert raised.value.code().name == "NOT_FOUND"
    with pytest.raises(grpc.RpcError) as raised:
        replica.call("ModelStreamInfer", message("ServerLiveRequest")())
    assert raised.value.code().name == "UNIMPLEMENTED"


def test_health_and_reflection_are_grpcs_own(replica):
    health = health_pb2_grpc.HealthStub(replica.channel)
    for service in ("", SERVICE):
        assert health.Check(health_pb2.HealthCheckRequest(service=service)).status == 1
    reflection = reflection_pb2_grpc.ServerReflectionStub(replica.channel)
    requests = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="grpc.health.v1.Health"),
    ]
    listed, ours, theirs = reflection.ServerReflectionInfo(iter(requests))
    names = {service.name for service in listed.list_services_response.service}
    assert names >= {SERVICE, "grpc.health.v1.Health"}
    file = descriptor_pb2.FileDescriptorProto.FromString(ours.file_descriptor_response.file_descriptor_proto[0])
    assert {method.name for method in file.service[0].method} >= {"ModelInfer", "ModelMetadata"}
    assert theirs.HasField("file_descriptor_response")


def test_the_socket_is_private(replica):
    assert stat.S_IMODE(replica.path.stat().st_mode) == 0o600


def test_what_is_in_hand_is_answered_on_the_way_out(tmp_path):
    replica = Replica(home_in(tmp_path))
    try:
        answers = []
        asking = threading.Thread(target=lambda: answers.append(replica.infer(-500, 0, 0)[0]))
        asking.start()
        time.sleep(0.2)
        replica.process.send_signal(signal.SIGTERM)
        asking.join()
        assert replica.process.wait(10) == 0
        assert list(answers[0].outputs[0].contents.fp64_contents) == [-500]
    finally:
        replica.close()


def test_an_address_that_cannot_be_had_is_named(tmp_path):
    with pytest.raises(pytest.fail.Exception, match="cannot listen for gRPC"):
        (home_in(tmp_path) / "r.grpc").mkdir()
        Replica(tmp_path)
