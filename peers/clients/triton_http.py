"""Cases of tritonclient over HTTP: JSON and bytes, every datatype a feature can come in, the repository, refusals."""

from __future__ import annotations

import asyncio

import numpy as np
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from peers.cases import MODEL, NUMBERS, Target, refused, run
from tritonclient.utils import InferenceServerException

NAMES = ("number", "kind", *NUMBERS)


def client(target: Target) -> triton.InferenceServerClient:
    return triton.InferenceServerClient(f"127.0.0.1:{target.port}", concurrency=2)


def tensors(numbers: list[float], *, is_binary: bool = True, dtype: str = "FP64") -> list[triton.InferInput]:
    kinds = {"FP64": np.float64, "FP32": np.float32, "INT64": np.int64, "INT32": np.int32, "INT16": np.int16}
    kinds |= {"INT8": np.int8, "UINT8": np.uint8, "UINT16": np.uint16, "UINT32": np.uint32, "UINT64": np.uint64}
    kinds |= {"FP16": np.float16}
    made = []
    for name in NAMES:
        if name == "kind":
            tensor = triton.InferInput(name, [len(numbers)], "BYTES")
            values = np.array([b"abc"[n % 3 : n % 3 + 1] for n in range(len(numbers))], dtype=np.object_)
        else:
            tensor = triton.InferInput(name, [len(numbers)], dtype)
            values = np.array(numbers if name == "number" else [1] * len(numbers), dtype=kinds[dtype])
        tensor.set_data_from_numpy(values, binary_data=is_binary)
        made.append(tensor)
    return made


def doubled(target: Target, numbers: list[float], **how: object) -> triton.InferResult:
    made = tensors(numbers, **{key: how.pop(key) for key in ("is_binary", "dtype") if key in how})
    result = client(target).infer(MODEL, made, headers=target.headers, **how)
    assert result.as_numpy("doubled").tolist() == [2 * number for number in numbers], result.get_response()
    return result


def case_live_and_ready(target: Target) -> None:
    asked = client(target)
    assert asked.is_server_live()
    assert asked.is_server_ready()
    assert asked.is_model_ready(MODEL)


def case_a_model_that_is_not_there_is_not_ready(target: Target) -> None:
    assert not client(target).is_model_ready("nobody")


def case_server_metadata(target: Target) -> None:
    said = client(target).get_server_metadata()
    assert said["name"] == "gyroscope"
    assert "binary_tensor_data" in said["extensions"]


def case_model_metadata(target: Target) -> None:
    said = client(target).get_model_metadata(MODEL)
    assert [one["name"] for one in said["inputs"]] == list(NAMES)
    assert said["inputs"][1]["datatype"] == "BYTES"
    assert [one["name"] for one in said["outputs"]] == ["doubled"]


def case_metadata_of_a_version(target: Target) -> None:
    (version,) = client(target).get_model_metadata(MODEL)["versions"]
    assert client(target).get_model_metadata(MODEL, version)["versions"] == [version]
    assert client(target).is_model_ready(MODEL, version)


def case_json_in_and_out(target: Target) -> None:
    outputs = [triton.InferRequestedOutput("doubled", binary_data=False)]
    doubled(target, [1.5, 2.5], is_binary=False, outputs=outputs)


def case_bytes_in_json_out(target: Target) -> None:
    doubled(target, [1.5, 2.5], outputs=[triton.InferRequestedOutput("doubled", binary_data=False)])


def case_json_in_bytes_out(target: Target) -> None:
    doubled(target, [1.5, 2.5], is_binary=False, outputs=[triton.InferRequestedOutput("doubled", binary_data=True)])


def case_bytes_in_and_out(target: Target) -> None:
    doubled(target, [1.5, 2.5, -0.25], outputs=[triton.InferRequestedOutput("doubled", binary_data=True)])


def case_no_outputs_named(target: Target) -> None:
    doubled(target, [4.0])


def case_a_thousand_rows(target: Target) -> None:
    doubled(target, [float(n) for n in range(1_000)])


def case_every_datatype_in_bytes(target: Target) -> None:
    for dtype in ("FP64", "FP32", "FP16", "INT64", "INT32", "INT16", "INT8", "UINT64", "UINT32", "UINT16", "UINT8"):
        doubled(target, [3, 100], dtype=dtype)


def case_every_datatype_in_json(target: Target) -> None:
    # FP16 has no JSON form at tritonclient.
    for dtype in ("FP64", "FP32", "INT64", "INT32", "INT16", "INT8", "UINT64", "UINT32", "UINT16", "UINT8"):
        doubled(target, [3, 100], dtype=dtype, is_binary=False)


def case_a_version_is_named(target: Target) -> None:
    (version,) = client(target).get_model_metadata(MODEL)["versions"]
    result = doubled(target, [5.0], model_version=version)
    assert result.get_response()["model_version"] == version


def case_the_id_comes_back(target: Target) -> None:
    assert doubled(target, [6.0], request_id="triton-1").get_response()["id"] == "triton-1"


def case_parameters_are_taken(target: Target) -> None:
    doubled(target, [7.0], parameters={"event_time": "2026-03-01T09:30:00Z", "anything": 3})


def case_on_other_threads(target: Target) -> None:
    asked = client(target)
    waiting = [asked.async_infer(MODEL, tensors([float(n)]), headers=target.headers) for n in range(20)]
    assert [one.get_result().as_numpy("doubled")[0] for one in waiting] == [2.0 * n for n in range(20)]


def case_with_asyncio(target: Target) -> None:
    async def ask() -> list[float]:
        async with triton_aio.InferenceServerClient(f"127.0.0.1:{target.port}") as asked:
            results = [await asked.infer(MODEL, tensors([float(n)]), headers=target.headers) for n in range(5)]
        return [float(one.as_numpy("doubled")[0]) for one in results]

    assert asyncio.run(ask()) == [0.0, 2.0, 4.0, 6.0, 8.0]


def case_statistics(target: Target) -> None:
    before = client(target).get_inference_statistics(MODEL)["model_stats"][0]
    assert before["name"] == MODEL
    assert before["inference_stats"]["success"]["count"] > 0


def case_the_repository_is_listed(target: Target) -> None:
    # Our keys guard it; this call of the client takes headers too.
    (found,) = client(target).get_model_repository_index(headers=target.headers)
    assert (found["name"], found["state"]) == (MODEL, "READY")


def case_load_is_fine_and_unload_refused(target: Target) -> None:
    client(target).load_model(MODEL, headers=target.headers)
    refused(lambda: client(target).unload_model(MODEL, headers=target.headers), InferenceServerException, "unload")
    doubled(target, [1.0])


def case_without_a_key(target: Target) -> None:
    refused(lambda: client(target).infer(MODEL, tensors([1.0])), InferenceServerException, "API key")


def case_an_unknown_model(target: Target) -> None:
    refused(
        lambda: client(target).infer("nobody", tensors([1.0]), headers=target.headers),
        InferenceServerException,
        "model",
    )


def case_an_unknown_output(target: Target) -> None:
    outputs = [triton.InferRequestedOutput("tripled")]
    refused(
        lambda: client(target).infer(MODEL, tensors([1.0]), headers=target.headers, outputs=outputs),
        InferenceServerException,
        "tripled",
        "doubled",
    )


def case_an_input_is_missing(target: Target) -> None:
    refused(
        lambda: client(target).infer(MODEL, tensors([1.0])[1:], headers=target.headers),
        InferenceServerException,
        "number",
    )


def case_a_compressed_request_is_refused_in_words(target: Target) -> None:
    refused(
        lambda: doubled(target, [1.0], request_compression_algorithm="gzip"), InferenceServerException, "compressed"
    )


def case_a_compressed_answer_may_be_asked_for(target: Target) -> None:
    doubled(target, [1.0], response_compression_algorithm="gzip")


if __name__ == "__main__":
    run(globals())
