"""Cases of MLServer's own client side: what its codecs encode is understood, what we answer they and its types read."""

from __future__ import annotations

import urllib.error
import urllib.request

import numpy as np
import pandas as pd
from mlserver.codecs import NumpyCodec, NumpyRequestCodec, PandasCodec, StringCodec
from mlserver.types import (
    InferenceRequest,
    InferenceResponse,
    MetadataModelResponse,
    MetadataServerResponse,
    RepositoryIndexResponse,
    RequestOutput,
)
from peers.cases import MODEL, NUMBERS, Target, refused, run

NAMES = ("number", "kind", *NUMBERS)


def fetch(target: Target, path: str, body: str | None = None) -> str:
    asked = urllib.request.Request(
        f"http://127.0.0.1:{target.port}{path}",
        body.encode() if body is not None else None,
        {**target.headers, "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=10) as reply:
        return reply.read().decode()


def infer(target: Target, request: InferenceRequest) -> InferenceResponse:
    said = fetch(target, f"/v2/models/{MODEL}/infer", request.model_dump_json(exclude_none=True))
    return InferenceResponse.model_validate_json(said)


def frame(numbers: list[float]) -> pd.DataFrame:
    # Its codec does not know the texts of pandas 3 by their type, only as objects.
    columns = {name: [0.5] * len(numbers) for name in NUMBERS}
    return pd.DataFrame({"number": numbers, "kind": pd.Series(["a"] * len(numbers), dtype=object), **columns})[
        list(NAMES)
    ]


def one_by_one(numbers: list[float], kind: type = np.float64) -> InferenceRequest:
    inputs = [
        StringCodec.encode_input(name, ["b"] * len(numbers))
        if name == "kind"
        else NumpyCodec.encode_input(name, np.array(numbers, dtype=kind))
        for name in NAMES
    ]
    return InferenceRequest(inputs=inputs)


def case_a_data_frame(target: Target) -> None:
    response = infer(target, PandasCodec.encode_request(frame([1.5, 2.5])))
    assert NumpyCodec.decode_output(response.outputs[0]).tolist() == [3.0, 5.0]


def case_a_data_frame_comes_back_as_one(target: Target) -> None:
    response = infer(target, PandasCodec.encode_request(frame([1.5, 2.5])))
    assert PandasCodec.decode_response(response)["doubled"].tolist() == [3.0, 5.0]


def case_arrays_and_texts(target: Target) -> None:
    for kind in (np.float64, np.float32, np.int64, np.int32, np.uint8):
        response = infer(target, one_by_one([1, 2, 3], kind))
        assert NumpyCodec.decode_output(response.outputs[0]).tolist() == [2, 4, 6]


def case_texts_in_base64(target: Target) -> None:
    """MLServer marks them by a content type; we read BYTES as text, as the protocol says."""
    request = one_by_one([1.0])
    request.inputs[1] = StringCodec.encode_input("kind", ["b"], use_bytes=False)
    assert NumpyCodec.decode_output(infer(target, request).outputs[0]).tolist() == [2.0]


def case_the_first_array_of_an_answer(target: Target) -> None:
    assert NumpyRequestCodec.decode_response(infer(target, one_by_one([4.0]))).tolist() == [8.0]


def case_ids_outputs_and_parameters(target: Target) -> None:
    request = one_by_one([1.0])
    request.id = "mlserver-1"
    request.outputs = [RequestOutput(name="doubled")]
    response = infer(target, request)
    assert (response.id, response.model_name) == ("mlserver-1", MODEL)
    assert response.model_version


def case_metadata_in_its_types(target: Target) -> None:
    assert MetadataServerResponse.model_validate_json(fetch(target, "/v2")).name == "gyroscope"
    model = MetadataModelResponse.model_validate_json(fetch(target, f"/v2/models/{MODEL}"))
    assert [tensor.name for tensor in model.inputs] == list(NAMES)


def case_the_repository_in_its_types(target: Target) -> None:
    listed = RepositoryIndexResponse.model_validate_json(fetch(target, "/v2/repository/index", "{}"))
    assert [(one.name, one.state) for one in listed.root] == [(MODEL, "READY")]


def case_another_output_is_refused(target: Target) -> None:
    request = one_by_one([1.0])
    request.outputs = [RequestOutput(name="tripled")]
    refused(lambda: infer(target, request), urllib.error.HTTPError, "422")


if __name__ == "__main__":
    run(globals())
