"""Cases of kserve's REST client, which is asynchronous, with its V2 protocol: JSON, bytes, health, refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferOutput, InferRequest, InferResponse
from kserve.inference_client import RESTConfig
from peers.cases import MODEL, NUMBERS, Target, refused, run

NAMES = ("number", "kind", *NUMBERS)


def with_client(target: Target, act: Callable[[InferenceRESTClient, str], Awaitable[object]]) -> object:
    async def acting() -> object:
        client = InferenceRESTClient(RESTConfig(protocol="v2", timeout=10, retries=1))
        try:
            return await act(client, f"http://127.0.0.1:{target.port}")
        finally:
            await client.close()

    return asyncio.run(acting())


def request(numbers: list[float], *, is_binary: bool, is_binary_output: bool | None = None) -> InferRequest:
    made = []
    for name in NAMES:
        is_text = name == "kind"
        values = np.array(["a"] * len(numbers), dtype=np.object_) if is_text else np.array(numbers, dtype=np.float64)
        tensor = InferInput(name, [len(numbers)], "BYTES" if is_text else "FP64")
        tensor.set_data_from_numpy(values, binary_data=is_binary)
        made.append(tensor)
    wanted = None if is_binary_output is None else {"binary_data_output": is_binary_output}
    return InferRequest(model_name=MODEL, infer_inputs=made, request_id="kserve-1", parameters=wanted)


def ask(target: Target, asked: InferRequest, model: str = MODEL) -> InferResponse:
    return with_client(
        target, lambda client, base: client.infer(base, asked, model_name=model, headers=dict(target.headers))
    )


def check(answer: InferResponse, numbers: list[float]) -> None:
    (output,) = answer.outputs
    assert isinstance(output, InferOutput)
    assert output.name == "doubled"
    assert output.as_numpy().tolist() == [2 * number for number in numbers]
    assert answer.id == "kserve-1"


def case_live_and_ready(target: Target) -> None:
    assert with_client(target, lambda client, base: client.is_server_live(base))
    assert with_client(target, lambda client, base: client.is_server_ready(base))
    assert with_client(target, lambda client, base: client.is_model_ready(base, MODEL))


def case_a_model_that_is_not_there(target: Target) -> None:
    refused(lambda: ask(target, request([1.0], is_binary=False), "nobody"), httpx.HTTPStatusError, "404")


def case_json_in_and_out(target: Target) -> None:
    check(ask(target, request([1.5, 2.5], is_binary=False)), [1.5, 2.5])


def case_bytes_in_json_out(target: Target) -> None:
    check(ask(target, request([1.5, 2.5], is_binary=True, is_binary_output=False)), [1.5, 2.5])


def case_bytes_in_and_out(target: Target) -> None:
    check(ask(target, request([1.5, -2.5, 3.0], is_binary=True, is_binary_output=True)), [1.5, -2.5, 3.0])


def case_json_in_bytes_out(target: Target) -> None:
    check(ask(target, request([8.0], is_binary=False, is_binary_output=True)), [8.0])


def case_an_input_is_missing(target: Target) -> None:
    asked = request([1.0], is_binary=False)
    asked.inputs = asked.inputs[1:]
    refused(lambda: ask(target, asked), httpx.HTTPStatusError, "422")


def case_without_a_key(target: Target) -> None:
    asked = request([1.0], is_binary=False)
    refused(
        lambda: with_client(target, lambda client, base: client.infer(base, asked, model_name=MODEL)),
        httpx.HTTPStatusError,
        "401",
    )


if __name__ == "__main__":
    run(globals())
