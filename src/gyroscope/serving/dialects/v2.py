"""The Open Inference Protocol, version 2, over REST: tensors in JSON, in bytes after JSON, or both.

`replica.py` builds one `V2` per replica. Features come as one tensor of numbers, or as one tensor each, named after
them. What the protocol says besides inference is in `v2_pages.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import orjson
from numpy.typing import NDArray

from gyroscope.errors import InputError
from gyroscope.records import Version
from gyroscope.serving.dialects import Dialect, Headers, Page, Question
from gyroscope.serving.dialects.arrow import Arrow
from gyroscope.serving.dialects.media import ARROW, JSON, OCTETS, media_type, unspoken
from gyroscope.serving.dialects.v2_binary import HEAD_LENGTH, joined, parted, read_length, tensors
from gyroscope.serving.dialects.v2_pages import pages
from gyroscope.serving.dialects.v2_plain import PlainReader
from gyroscope.serving.dialects.v2_request import (
    BINARY_REQUEST,
    REQUEST,
    Around,
    event_time,
    pairs,
    wants_bytes,
)
from gyroscope.serving.envelope import read_id
from gyroscope.serving.intake import Intake
from gyroscope.serving.strict import decode, refuse_twin_keys
from gyroscope.serving.tensors import Tensor, read_tensors
from gyroscope.supervisor.pulse import Pulse


class V2:
    """The protocol for one version of one model; itself the dialect of its JSON."""

    def __init__(self, version: Version, intake: Intake, pulse: Pulse) -> None:
        self._intake = intake
        self._plain = PlainReader(intake)
        self.takes_one, self.width, self.one = self._plain.is_usable, self._plain.width, self._plain.one
        self._arrow = Arrow(version.signature, intake, self.complain)
        self._output = version.signature.output
        model = f"/v2/models/{version.model}"
        self.asks: tuple[str, ...] = (f"{model}/infer", f"{model}/versions/{version.version}/infer")
        self.pages: Mapping[str, Page] = pages(version, pulse)
        names = {"model_name": version.model, "model_version": version.version}
        self._head = orjson.dumps(names)[:-1] + b',"id":'
        self._output_head = b',"outputs":[{"name":' + orjson.dumps(self._output) + b',"shape":['
        self._one_head = self._output_head + b'1],"datatype":"FP64","data":['

    def dialect(self, headers: Mapping[bytes, bytes]) -> Dialect:
        media = media_type(headers)
        if HEAD_LENGTH in headers and media in (JSON, OCTETS):
            return _Binary(self, read_length(headers[HEAD_LENGTH]))
        if media == OCTETS:
            raise InputError(
                "where does the JSON end?",
                where="Inference-Header-Content-Length",
                fix="send the number of bytes of the JSON head",
                status=400,
            )
        if media == JSON:
            return self
        if media == ARROW:
            return self._arrow
        raise unspoken(media, (JSON, OCTETS, ARROW))

    def read(self, body: bytes) -> Question:
        plain = self._plain.read(body)
        if plain is not None:
            return plain
        request = decode(REQUEST, body)
        refuse_twin_keys(body, pairs(request))
        return self.question(request, request.inputs)

    def question(self, request: Around, inputs: Sequence[Tensor]) -> Question:
        """The question of a decoded request. Raises `InputError`."""
        is_binary = wants_bytes(request, self._output) if request.outputs or request.parameters else False
        rows = read_tensors(inputs, self._intake)
        client_id = read_id(request.id, "id") if request.id else ""
        return Question(rows, client_id, event_time(request.parameters) if request.parameters else None, is_binary)

    def answer(self, question: Question, outputs: NDArray[np.float64], request_id: str) -> tuple[bytes, Headers]:
        shape = b"%d" % len(outputs) if outputs.ndim == 1 else b"%d,%d" % outputs.shape
        quoted = orjson.dumps(request_id)
        is_binary = question.wish
        text = b"".join(
            (
                self._head,
                orjson.dumps(question.client_id) if question.client_id else quoted,
                self._output_head,
                shape,
                b'],"datatype":"FP64",',
                b'"parameters":{"binary_data_size":%d}' % outputs.nbytes
                if is_binary
                else b'"data":' + orjson.dumps(outputs.ravel().tolist()),
                b'}],"parameters":{"request_id":',
                quoted,
                b"}}",
            )
        )
        return joined(text, outputs.astype("<f8").tobytes()) if is_binary else (text, ())

    def answer_one(self, output: float, request_id: str) -> bytes:
        """What `answer` says of one number, in half the time."""
        quoted = orjson.dumps(request_id)
        number = orjson.dumps(output)
        return b"".join((self._head, quoted, self._one_head, number, b']}],"parameters":{"request_id":', quoted, b"}}"))

    def complain(self, status: int, what: str) -> tuple[int, bytes]:
        return status, orjson.dumps({"error": what})


class _Binary:
    """The dialect of one body whose JSON head has `length` bytes."""

    def __init__(self, v2: V2, length: int) -> None:
        self._length = length
        self._v2 = v2
        self.answer = v2.answer
        self.complain = v2.complain

    def read(self, body: bytes) -> Question:
        head, rest = parted(body, self._length)
        request = decode(BINARY_REQUEST, head)
        refuse_twin_keys(head, pairs(request))
        return self._v2.question(request, tensors(request.inputs, rest))
