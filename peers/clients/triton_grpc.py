"""Cases of tritonclient over gRPC: typed and raw tensors, metadata, the repository, deadlines, refusals."""

from __future__ import annotations

import asyncio
import queue

import numpy as np
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from peers.cases import MODEL, NUMBERS, Target, refused, run
from tritonclient.utils import InferenceServerException

NAMES = ("number", "kind", *NUMBERS)
DTYPES = ("FP64", "FP32", "FP16", "INT64", "INT32", "INT16", "INT8", "UINT64", "UINT32", "UINT16", "UINT8")
KINDS = dict(zip(DTYPES, ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1"), strict=True))


def client(target: Target) -> triton.InferenceServerClient:
    return triton.InferenceServerClient(f"127.0.0.1:{target.grpc_port}")


def key(target: Target) -> dict[str, str]:
    return {"authorization": f"Bearer {target.key}"}


def tensors(numbers: list[float], dtype: str = "FP64") -> list[triton.InferInput]:
    made = []
    for name in NAMES:
        tensor = triton.InferInput(name, [len(numbers)], "BYTES" if name == "kind" else dtype)
        if name == "kind":
            tensor.set_data_from_numpy(np.array([b"b"] * len(numbers), dtype=np.object_))
        else:
            tensor.set_data_from_numpy(np.array(numbers, dtype=KINDS[dtype]))
        made.append(tensor)
    return made


def doubled(target: Target, numbers: list[float], dtype: str = "FP64", **how: object) -> triton.InferResult:
    result = client(target).infer(MODEL, tensors(numbers, dtype), headers=key(target), **how)
    assert result.as_numpy("doubled").tolist() == [2 * number for number in numbers]
    return result


def case_live_and_ready(target: Target) -> None:
    asked = client(target)
    assert asked.is_server_live()
    assert asked.is_server_ready()
    assert asked.is_model_ready(MODEL)


def case_server_metadata(target: Target) -> None:
    assert client(target).get_server_metadata().name == "gyroscope"


def case_model_metadata(target: Target) -> None:
    said = client(target).get_model_metadata(MODEL)
    assert [one.name for one in said.inputs] == list(NAMES)
    assert [one.name for one in said.outputs] == ["doubled"]


def case_the_repository_is_listed(target: Target) -> None:
    (found,) = client(target).get_model_repository_index().models
    assert (found.name, found.state) == (MODEL, "READY")


def case_one_row(target: Target) -> None:
    doubled(target, [1.5])


def case_a_thousand_rows(target: Target) -> None:
    doubled(target, [float(n) for n in range(1_000)])


def case_every_datatype(target: Target) -> None:
    for dtype in DTYPES:
        doubled(target, [3, 100], dtype)


def case_an_output_is_named(target: Target) -> None:
    doubled(target, [2.0], outputs=[triton.InferRequestedOutput("doubled")])


def case_a_version_is_named(target: Target) -> None:
    (version,) = client(target).get_model_metadata(MODEL).versions
    assert doubled(target, [2.0], model_version=version).get_response().model_version == version


def case_the_id_comes_back(target: Target) -> None:
    assert doubled(target, [2.0], request_id="triton-1").get_response().id == "triton-1"


def case_on_other_threads(target: Target) -> None:
    asked, answers = client(target), queue.Queue()
    for n in range(20):
        asked.async_infer(
            MODEL, tensors([float(n)]), callback=lambda result, error: answers.put((result, error)), headers=key(target)
        )
    got = [answers.get(timeout=10) for _ in range(20)]
    assert [error for _, error in got if error] == []
    assert sorted(float(result.as_numpy("doubled")[0]) for result, _ in got) == [2.0 * n for n in range(20)]


def case_with_asyncio(target: Target) -> None:
    async def ask() -> list[float]:
        async with triton_aio.InferenceServerClient(f"127.0.0.1:{target.grpc_port}") as asked:
            results = [await asked.infer(MODEL, tensors([float(n)]), headers=key(target)) for n in range(5)]
        return [float(one.as_numpy("doubled")[0]) for one in results]

    assert asyncio.run(ask()) == [0.0, 2.0, 4.0, 6.0, 8.0]


def case_a_compressed_call(target: Target) -> None:
    doubled(target, [2.0], compression_algorithm="gzip")


def case_without_a_key(target: Target) -> None:
    refused(lambda: client(target).infer(MODEL, tensors([1.0])), InferenceServerException, "UNAUTHENTICATED", "key")


def case_an_unknown_model(target: Target) -> None:
    refused(lambda: client(target).infer("nobody", tensors([1.0]), headers=key(target)), InferenceServerException)


def case_an_unknown_output(target: Target) -> None:
    outputs = [triton.InferRequestedOutput("tripled")]
    refused(
        lambda: client(target).infer(MODEL, tensors([1.0]), headers=key(target), outputs=outputs),
        InferenceServerException,
        "INVALID_ARGUMENT",
        "doubled",
    )


def case_an_input_is_missing(target: Target) -> None:
    refused(
        lambda: client(target).infer(MODEL, tensors([1.0])[1:], headers=key(target)),
        InferenceServerException,
        "INVALID_ARGUMENT",
        "number",
    )


def case_a_deadline_of_the_client(target: Target) -> None:
    doubled(target, [2.0], client_timeout=5.0)


if __name__ == "__main__":
    run(globals())
