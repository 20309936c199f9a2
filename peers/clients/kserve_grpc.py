"""Cases of kserve's gRPC client, which is asynchronous: typed and raw tensors, health, refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import grpc
import numpy as np
from kserve import InferenceGRPCClient, InferInput, InferRequest, InferResponse
from peers.cases import MODEL, NUMBERS, Target, refused, run

NAMES = ("number", "kind", *NUMBERS)


def with_client(target: Target, act: Callable[[InferenceGRPCClient], Awaitable[object]]) -> object:
    async def acting() -> object:
        async with InferenceGRPCClient(f"127.0.0.1:{target.grpc_port}", timeout=10) as client:
            return await act(client)

    return asyncio.run(acting())


def request(numbers: list[float], *, is_raw: bool) -> InferRequest:
    made = []
    for name in NAMES:
        is_text = name == "kind"
        values = np.array(["a"] * len(numbers), dtype=np.object_) if is_text else np.array(numbers, dtype=np.float64)
        tensor = InferInput(name, [len(numbers)], "BYTES" if is_text else "FP64")
        tensor.set_data_from_numpy(values, binary_data=is_raw)
        made.append(tensor)
    return InferRequest(model_name=MODEL, infer_inputs=made, request_id="kserve-1")


def ask(target: Target, asked: InferRequest) -> InferResponse:
    headers = [("authorization", f"Bearer {target.key}")]
    return with_client(target, lambda client: client.infer(asked, headers=headers))


def check(answer: InferResponse, numbers: list[float]) -> None:
    (output,) = answer.outputs
    assert output.name == "doubled"
    assert output.as_numpy().tolist() == [2 * number for number in numbers]
    assert answer.id == "kserve-1"


def case_live_and_ready(target: Target) -> None:
    assert with_client(target, lambda client: client.is_server_live())
    assert with_client(target, lambda client: client.is_server_ready())
    assert with_client(target, lambda client: client.is_model_ready(MODEL))


def case_typed_tensors(target: Target) -> None:
    check(ask(target, request([1.5, 2.5], is_raw=False)), [1.5, 2.5])


def case_raw_tensors(target: Target) -> None:
    check(ask(target, request([1.5, -2.5, 3.0], is_raw=True)), [1.5, -2.5, 3.0])


def case_a_thousand_rows(target: Target) -> None:
    numbers = [float(n) for n in range(1_000)]
    check(ask(target, request(numbers, is_raw=True)), numbers)


def case_an_input_is_missing(target: Target) -> None:
    asked = request([1.0], is_raw=False)
    asked.inputs = asked.inputs[1:]
    refused(lambda: ask(target, asked), grpc.RpcError, "INVALID_ARGUMENT", "number")


def case_without_a_key(target: Target) -> None:
    asked = request([1.0], is_raw=False)
    refused(lambda: with_client(target, lambda client: client.infer(asked)), grpc.RpcError, "UNAUTHENTICATED")


if __name__ == "__main__":
    run(globals())
