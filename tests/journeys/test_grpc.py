"""A gRPC client asks a real house through its door: two models, large messages, a replica that dies meanwhile."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tests.journeys.conftest import free_port
from tests.journeys.own import MODEL, Own, started, until

from gyroscope.clock import wall_now
from gyroscope.models import Candidate
from gyroscope.records import Route
from gyroscope.serving.messages import SERVICE, message

pytestmark = pytest.mark.journey

SIGNATURE = """
task: regression
output: value
features:
  - {name: a, dtype: float64}
  - {name: b, dtype: float64}
"""
CODE = """
class Model:
    def predict(self, matrix, columns):
        return matrix.sum(axis=1)
"""
# What a client that wants no call lost is made with; docs/grpc.md says why the door alone cannot promise it.
AGAIN = {"maxAttempts": 3, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 2}
RETRIES = {"methodConfig": [{"name": [{}], "retryPolicy": {**AGAIN, "retryableStatusCodes": ["UNAVAILABLE"]}}]}
OTHER = "abc"  # before the first one in every order, so it is where the door sends what names nobody


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    folder = tmp_path_factory.mktemp("grpc")
    door = {"port": free_port(), "grpc_port": free_port()}
    with started(folder, SIGNATURE, CODE, door=door, serving={"body_mib": 4}) as own:
        yield own


@pytest.fixture
def channel(own: Own) -> Iterator[grpc.Channel]:
    options = [("grpc.service_config", json.dumps(RETRIES))]
    with grpc.insecure_channel(f"127.0.0.1:{own.house.settings.door.grpc_port}", options) as channel:
        yield channel


def infer(
    own: Own, channel: grpc.Channel, rows: np.ndarray, model: str = MODEL, **told: str
) -> tuple[Any, dict[str, str]]:
    """The answers, and the trailing metadata."""
    request = message("ModelInferRequest")(model_name=model)
    request.inputs.add(name="rows", datatype="FP64", shape=rows.shape)
    request.raw_input_contents.append(rows.tobytes())
    metadata = [
        ("authorization", f"Bearer {own.key}"),
        *((name.replace("_", "-"), said) for name, said in told.items()),
    ]
    ask = channel.unary_unary(
        f"/{SERVICE}/ModelInfer", lambda it: it.SerializeToString(), message("ModelInferResponse").FromString
    )
    answer, call = ask.with_call(request, metadata=metadata, timeout=20)
    return np.frombuffer(answer.raw_output_contents[0]), dict(call.trailing_metadata())


def test_an_answer_is_recorded_under_its_id(own: Own, channel: grpc.Channel):
    values, told = infer(own, channel, np.array([[1.5, 2.0]]), x_request_id="g-1", x_entity_key="anna")
    assert (values.tolist(), told["x-request-id"], told["x-logged"]) == ([3.5], "g-1", "os")
    _, made = infer(own, channel, np.array([[1.0, 2.0]]))
    own.recorded({"g-1", made["x-request-id"]})
    assert own.rows("feature_a, feature_b, output_0, entity_key", "request_id = 'g-1'") == [(1.5, 2.0, 3.5, "anna")]


def test_a_message_larger_than_the_doors_buffer_finds_its_model(own: Own, channel: grpc.Channel):
    rows = np.arange(20_000.0).reshape(-1, 2)
    values, _ = infer(own, channel, rows)
    np.testing.assert_array_equal(values, rows.sum(axis=1))


def test_refusals_have_grpcs_codes(own: Own, channel: grpc.Channel):
    with pytest.raises(grpc.RpcError) as raised:
        infer(own, channel, np.zeros((1, 3)), x_request_id="g-bad")
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "inputs[0].shape" in raised.value.details()
    with pytest.raises(grpc.RpcError) as raised:
        infer(own, channel, np.zeros((1, 2)), model="nobody")
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    own.recorded({"g-bad"})


def test_health_and_reflection_pass_the_door(own: Own, channel: grpc.Channel):
    health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=SERVICE), timeout=10)
    assert health.status == health_pb2.HealthCheckResponse.SERVING
    asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    (listed,) = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(asked, timeout=10)
    assert SERVICE in {service.name for service in listed.list_services_response.service}


def test_streams_that_stay_open_hold_no_place_of_a_replica(own: Own, channel: grpc.Channel):
    """A replica takes few calls at once: watches are refused, and reflection that says nothing is ended."""
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=SERVICE), timeout=10)
    with pytest.raises(grpc.RpcError) as raised:
        next(watch)
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
    say_nothing = threading.Event()
    reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
    idle = reflection.ServerReflectionInfo(iter(lambda: say_nothing.wait(30) or None, True), timeout=30)
    with pytest.raises(grpc.RpcError):
        next(idle)
    assert not say_nothing.is_set()
    say_nothing.set()
    assert infer(own, channel, np.array([[1.0, 2.0]]))[0].tolist() == [3.0]


def test_a_replica_that_dies_costs_no_call(own: Own, channel: grpc.Channel):
    stop = threading.Event()

    def again(rows: np.ndarray, request_id: str) -> np.ndarray:
        """As docs/grpc.md says: an answer that broke off is no longer the policy's to ask for again."""
        for _ in range(3):
            try:
                return infer(own, channel, rows, x_request_id=request_id)[0]
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.CANCELLED:
                    raise
        raise AssertionError(f"{request_id} broke off three times")

    def ask(worker: int) -> list[str]:
        asked = []
        while not stop.is_set():
            asked.append(f"k{worker}-{len(asked)}")
            assert again(np.array([[float(worker), 1.0]]), asked[-1]).tolist() == [worker + 1.0]
        return asked

    with ThreadPoolExecutor(6) as pool:
        workers = [pool.submit(ask, worker) for worker in range(6)]
        try:
            for _ in range(3):
                time.sleep(0.5)
                os.kill(own.replicas()[0]["pid"], signal.SIGKILL)
                until(lambda: all(one["state"] == "ready" for one in own.replicas()), "both replicas", 30)
        finally:
            stop.set()
        ids = {asked for worker in workers for asked in worker.result()}
    own.recorded(ids)
    assert own.rows("count(DISTINCT request_id)", "request_id LIKE 'k%' AND status = 200") == [(len(ids),)]


def test_each_model_is_found_by_the_name_in_the_message(own: Own, channel: grpc.Channel, tmp_path):
    file = tmp_path / "other_model.py"
    file.write_text(CODE.replace("sum", "prod"))
    candidate = Candidate(OTHER, "python", own.version.signature, file, entry="other_model:Model")
    version = own.house.models.add(candidate, wall_now())
    own.house.routes.set_route(Route(OTHER, version.version), reason="the test", now=wall_now())
    until(
        lambda: len(own.replicas()) == 3 and all(one["state"] == "ready" for one in own.replicas()), "a third replica"
    )
    time.sleep(1)  # the door is exchanged for one that knows the other model
    assert infer(own, channel, np.array([[3.0, 4.0]]), model=OTHER)[0].tolist() == [12.0]
    assert infer(own, channel, np.array([[3.0, 4.0]]))[0].tolist() == [7.0]
    large = np.full((10_000, 2), 3.0)
    assert infer(own, channel, large)[0].tolist() == [6.0] * 10_000


def test_what_names_nobody_goes_where_somebody_is(own: Own, channel: grpc.Channel, tmp_path):
    """A model without a route has no replica, and its name may come first."""
    file = tmp_path / "idle_model.py"
    file.write_text(CODE)
    own.house.models.add(Candidate("aaa", "python", own.version.signature, file, entry="idle_model:Model"), wall_now())
    until(lambda: "grpc.aaa" in (own.house.run_dir / "haproxy.cfg").read_text(), "the door knows it", 20)
    time.sleep(1)
    ready = channel.unary_unary(
        f"/{SERVICE}/ServerReady", lambda it: it.SerializeToString(), message("ServerReadyResponse").FromString
    )
    for _ in range(10):
        assert ready(message("ServerReadyRequest")(), timeout=10).ready
