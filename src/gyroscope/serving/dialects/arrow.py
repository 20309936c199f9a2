"""Rows as an Arrow IPC stream, one column per feature, answered with a stream of the outputs.

`v2.py` gives bodies of `application/vnd.apache.arrow.stream` to this. Complaints are the protocol's JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gyroscope.records import Feature, Signature
from gyroscope.serving.arrow.reader import Column, Stream
from gyroscope.serving.arrow.writer import StreamWriter
from gyroscope.serving.datatypes import refuse_misfit
from gyroscope.serving.dialects import Headers, Question
from gyroscope.serving.dialects.media import ARROW
from gyroscope.serving.intake import Intake, refuse_null_text
from gyroscope.serving.raw import as_float64

_HEADERS: Headers = ((b"content-type", ARROW.encode()),)


class Arrow:
    """The dialect for one signature. A multiclass answer has a column per class, any other one column."""

    def __init__(self, signature: Signature, intake: Intake, complain: Callable[[int, str], tuple[int, bytes]]) -> None:
        self._intake = intake
        self._writer = StreamWriter(signature.classes if signature.task == "multiclass" else (signature.output,))
        self.complain = complain

    def read(self, body: bytes) -> Question:
        intake = self._intake
        # One column more than there are features is enough to be refused.
        stream = Stream(body, len(intake.names) + 1)
        order = intake.order(stream.names, lambda place: f"schema.fields[{place}]", "schema")
        columns = stream.columns(lambda rows: intake.count(rows, "batches") if rows else None)
        values = [_values(feature, columns[place]) for feature, place in zip(intake.features, order, strict=True)]
        intake.count(len(values[0]), "batches")
        rows = intake.from_columns(values)
        intake.check(rows.matrix, lambda row, column: f"{intake.names[column]}[{row}]")
        return Question(rows)

    def answer(self, question: Question, outputs: NDArray[np.float64], request_id: str) -> tuple[bytes, Headers]:
        return self._writer.write(outputs), _HEADERS


def _values(feature: Feature, column: Column) -> Sequence[Any] | NDArray[np.float64]:
    refuse_misfit(column.datatype, feature, feature.name)
    if feature.dtype == "string":
        texts = [text for part in column.parts for text in part.values]
        refuse_null_text(feature, texts, lambda row: f"{feature.name}[{row}]")
        return texts
    parts = []
    for part in column.parts:
        numbers = as_float64(column.datatype, np.asarray(part.values), feature.name)
        if part.missing is not None:
            numbers[part.missing] = np.nan
        parts.append(numbers)
    return np.concatenate(parts) if parts else np.empty(0)
