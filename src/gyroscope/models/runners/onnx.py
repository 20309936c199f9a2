"""Runs ONNX models with onnxruntime on the CPU.

The registry loads it for the runner name `onnx`. A model takes either one float matrix of all features or one column
per feature (texts included). It reads no file: the session is made from bytes that were verified, so a model that
keeps its weights beside itself is refused.
"""

from __future__ import annotations

import struct
from typing import Any, Self

import msgspec
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from gyroscope.errors import InputError, ModelError
from gyroscope.models.encoding import decode_column
from gyroscope.models.runners import Rows
from gyroscope.models.versions import Artifact
from gyroscope.records import Signature

NUMBERS: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}
TEXT = "tensor(string)"
FLOATS = ("tensor(float)", "tensor(double)", "tensor(float16)")
BOUND = ("tensor(float)", "tensor(double)")
"""What the input of a single row may be made of to be bound to memory once."""
MISSING_TEXT = ""
"""ONNX has no missing text; scikit-learn's own conversions take the empty one."""

OUTPUT_NAMES = ("probabilities", "probability", "output_probability", "variable")
"""How converters call the output that is wanted, in the order of preference after the signature's own name."""

FATAL_ONLY = 4
NOWHERE = "/dev/null/weights-beside-the-model-are-not-verified"


class _Input(msgspec.Struct, frozen=True):
    name: str
    kind: str
    rank: int


class OnnxRunner:
    """One onnxruntime session and how rows become its inputs."""

    def __init__(self, session: onnxruntime.InferenceSession, signature: Signature, where: str) -> None:
        self._session = session
        self._signature = signature
        self._inputs = [_Input(node.name, node.type, len(node.shape)) for node in session.get_inputs()]
        self._is_matrix = _takes_matrix(session.get_inputs(), signature, where)
        self._output = _pick_output(session.get_outputs(), signature, where)
        self._column_of = {name: at for at, name in enumerate(signature.names)}
        self._one: _SingleRow | None = None
        self._has_one = self._is_matrix and self._inputs[0].rank == 2 and self._inputs[0].kind in BOUND
        self.takes_one = self._has_one

    @classmethod
    def load(cls, artifact: Artifact, signature: Signature, threads: int = 1) -> Self:
        """Raises `ModelError` when inputs or outputs do not fit the signature."""
        return cls(open_session(artifact.content, threads), signature, str(artifact.path))

    def predict(self, rows: Rows) -> NDArray[np.float64]:
        """Raises `InputError` when a value is missing and the model's input has no way to say so."""
        if self._one is not None and len(rows.matrix) == 1:
            answer = self._one.answer(rows.matrix)
            if answer is not None:
                return answer
        if self._is_matrix:
            feed = {self._inputs[0].name: self._cast(self._inputs[0], rows.matrix)}
        else:
            feed = {node.name: self._column(node, self._column_of[node.name], rows) for node in self._inputs}
        (raw,) = self._session.run([self._output], feed)
        if self._has_one and self._one is None and len(rows.matrix) == 1 == len(raw):
            self._one = _SingleRow(self._session, self._inputs[0], self._signature, self._output, raw)
        return np.ascontiguousarray(_answer(raw, self._signature), np.float64)

    def one(self, numbers: bytes) -> float | None:
        """As `predict` for one row of numbers, once that has seen one: it learns from it how answers look."""
        return self._one.number(numbers) if self._one is not None else None

    def _column(self, node: _Input, at: int, rows: Rows) -> NDArray[Any]:
        if node.kind == TEXT:
            texts = decode_column(self._signature, at, rows)
            texts[[text is None for text in texts]] = MISSING_TEXT
            values: NDArray[Any] = texts
        else:
            values = self._cast(node, rows.matrix[:, at], at)
        return values.reshape(-1, 1) if node.rank == 2 else values

    def _cast(self, node: _Input, values: NDArray[np.float64], at: int = 0) -> NDArray[Any]:
        wanted = NUMBERS[node.kind]
        if node.kind not in FLOATS and np.isnan(values).any():
            missing = int(np.argwhere(np.isnan(values))[0][-1]) if values.ndim == 2 else at
            name = self._signature.names[missing]
            raise InputError(
                f"feature {name!r} has no value that the model knows, and its input holds whole numbers only",
                where=name,
                fix="send a known value; write nullable: false in the signature to have it checked earlier",
            )
        with np.errstate(over="ignore"):  # 1e300 becomes infinite in float32, as it does in training
            return np.ascontiguousarray(values, dtype=wanted)


class _SingleRow:
    """A session bound to the memory of one row and of its answer: nothing is made or looked up for a request."""

    def __init__(
        self, session: onnxruntime.InferenceSession, node: _Input, signature: Signature, output: str, like: NDArray[Any]
    ) -> None:
        columns = len(signature.features)
        # What the session's own method calls in the end: by itself it costs two thirds.
        self._run = session._sess.run_with_iobinding
        # Given none, it makes one for every run: a quarter of the price of a small model.
        self._how = onnxruntime.RunOptions()
        self._row = np.zeros((1, columns), NUMBERS[node.kind])
        self._answer = np.zeros_like(like)
        self._shown = _answer(self._answer, signature)  # a view: it changes with every run
        self._pack, self._bytes = struct.Struct(f"={columns}{self._row.dtype.char}").pack_into, self._row.data
        self._wide = np.zeros((1, columns))
        self._wide_bytes = self._wide.data.cast("B")
        self._binding = session.io_binding()
        for bind, name, array in (
            (self._binding.bind_input, node.name, self._row),
            (self._binding.bind_output, output, self._answer),
        ):
            bind(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        self._bound = self._binding._iobinding

    def number(self, numbers: bytes) -> float:
        """The one number of a row that comes as bytes."""
        self._wide_bytes[:] = numbers
        self._row[:] = self._wide
        self._run(self._bound, self._how)
        answer: float = self._shown.item(0)
        return answer

    def answer(self, matrix: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """None for a value that the model's numbers cannot hold."""
        try:
            # Struct, because numpy warns of overflow and asking it not to costs as much as a small model.
            self._pack(self._bytes, 0, *matrix.tolist()[0])
        except OverflowError:
            return None
        self._run(self._bound, self._how)
        return self._shown.astype(np.float64)


def open_session(content: bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    """A session on the processor, of a model that is whole in `content`."""
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = FATAL_ONLY
    # Spinning threads answer some 20 us sooner and burn a core each while there is no request.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Weights beside the model would be read, unverified, from the working folder: let there be no such place.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", NOWHERE)
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _takes_matrix(inputs: list[Any], signature: Signature, where: str) -> bool:
    """Whether one input takes all features; raises `ModelError` when the inputs fit neither way."""
    kinds = {node.type for node in inputs}
    known = {*NUMBERS, TEXT}
    if kinds - known:
        raise ModelError(
            f"the model has an input of the type {min(kinds - known)}",
            where=where,
            fix="use tensors of numbers or texts",
        )
    if {node.name for node in inputs} == set(signature.names):
        _check_columns(inputs, signature, where)
        return len(inputs) == 1 and inputs[0].type != TEXT
    width = inputs[0].shape[1] if len(inputs) == 1 and len(inputs[0].shape) == 2 else None
    if width is None or inputs[0].type == TEXT:
        raise ModelError(
            f"the model's inputs are {', '.join(node.name for node in inputs)}; "
            f"the signature's features are {', '.join(signature.names)}",
            where=where,
            fix="one input of the shape (rows, features), or one input per feature with its name",
        )
    if isinstance(width, int) and width != len(signature.features):
        raise ModelError(
            f"the model takes {width} features and the signature names {len(signature.features)}",
            where=where,
            fix="name all features, in the order of training",
        )
    return True


def _check_columns(inputs: list[Any], signature: Signature, where: str) -> None:
    dtypes = {feature.name: feature.dtype for feature in signature.features}
    for node in inputs:
        if node.type == TEXT and dtypes[node.name] != "string":
            raise ModelError(
                f"the model's input {node.name!r} takes texts and the signature says {dtypes[node.name]}",
                where=where,
                fix=f"give {node.name!r} dtype: string and its categories",
            )
        is_column = len(node.shape) == 1 or (len(node.shape) == 2 and node.shape[1] in (1, None))
        if not is_column:
            raise ModelError(f"the input {node.name!r} is no column", where=where, fix="use the shape (rows, 1)")


def _pick_output(outputs: list[Any], signature: Signature, where: str) -> str:
    """The output that holds probabilities or values, among labels and others."""
    floats = [node.name for node in outputs if node.type in FLOATS]
    for name in (signature.output, *OUTPUT_NAMES):
        if name in floats:
            return name
    if len(floats) == 1:
        return str(floats[0])
    if any(node.type.startswith("seq(map") for node in outputs):
        fix = "convert again with the option zipmap=False, or use gyro models convert"
        raise ModelError("the model's probabilities are maps, not a tensor", where=where, fix=fix)
    listed = ", ".join(f"{node.name} {node.type}" for node in outputs)
    raise ModelError(
        f"which output is meant? the model has {listed}", where=where, fix="write its name as `output` in the signature"
    )


def _answer(raw: NDArray[Any], signature: Signature) -> NDArray[Any]:
    """A binary model with two columns answers for both classes; the positive one is the second."""
    if signature.task == "binary" and raw.ndim == 2 and raw.shape[1] == 2:
        return raw[:, 1]
    return raw.reshape(1) if raw.size == 1 else raw
