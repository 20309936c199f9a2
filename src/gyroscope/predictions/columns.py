"""Records as the Arrow columns of the table: typed features from the signature, one row per prediction.

`drain.py` calls `group_columns` once per version in a batch and `arrow_table` once per commit. Pure: no file, no clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from arro3.core import Array, DataType, Table
from numpy.typing import NDArray

from gyroscope.predictions.attempts import Attempt
from gyroscope.predictions.wal import Layout, Record, matrix_of
from gyroscope.records import Feature, Signature

Kind = Literal["text", "double", "long", "int", "short", "flag", "time"]

KINDS: dict[str, Kind] = {"float64": "double", "float32": "double", "int64": "long", "bool": "flag", "string": "text"}
# What each kind is called in a Delta schema; a feature whose column already has another type gets a column of its own.
DELTA_TYPES: dict[Kind, str] = {"double": "double", "long": "long", "flag": "boolean", "text": "string"}

FIXED: dict[str, Kind] = {
    "request_id": "text",
    "row": "int",
    "attempt": "int",
    "answered": "flag",
    "id_conflict": "flag",
    "event_time": "time",
    "arrival_time": "time",
    "latency_us": "double",
    "status": "short",
    "error": "text",
    "version": "text",
    "replica": "text",
    "client_id": "text",
    "entity_key": "text",
    "input_hash": "long",
    "day": "text",
}


class Column(NamedTuple):
    """Values of one column of one group; NaN or None where missing."""

    kind: Kind
    values: NDArray[Any]


class Logged(NamedTuple):
    """A record with what the recorder knows of it."""

    record: Record
    attempt: Attempt
    replica: str
    version: str


def group_columns(
    logged: Sequence[Logged], signature: Signature, layout: Layout, known: dict[str, str]
) -> dict[str, Column]:
    """All columns of the records of one version. `known` maps the table's columns to their Delta types."""
    rows = np.array([item.record.rows for item in logged])
    columns = _fixed_columns(logged, rows)
    with_input = [bool(item.record.numeric or item.record.category) for item in logged]
    matrix = _matrix(logged, with_input, rows, layout)
    unseen = _unseen(logged, np.cumsum(rows) - rows)
    for index, feature in enumerate(signature.features):
        values: NDArray[Any] = matrix[:, index]
        if feature.dtype == "string":
            values = _texts(values, feature)
            for row, text in unseen.get(index, ()):
                values[row] = text
        columns[column_name(feature, known)] = Column(KINDS[feature.dtype], values)
    outputs = _outputs(logged, rows, layout.width)
    for index in range(layout.width):
        columns[f"output_{index}"] = Column("double", outputs[:, index])
    return columns


def column_name(feature: Feature, known: dict[str, str]) -> str:
    """`feature_<name>`, or with the kind behind it where an earlier version gave that name another type."""
    name, wanted = f"feature_{feature.name}", DELTA_TYPES[KINDS[feature.dtype]]
    return name if known.get(name, wanted) == wanted else own_column(feature)


def own_column(feature: Feature) -> str:
    """Where a feature lies whose plain column is of another type: readers look there first.

    >>> own_column(Feature("hour", "string"))
    'feature_hour__text'
    """
    return f"feature_{feature.name}__{KINDS[feature.dtype]}"


def arrow_table(groups: Sequence[dict[str, Column]]) -> Table:
    """One table of all groups; a column that a group does not have is missing in its rows."""
    kinds: dict[str, Kind] = {}
    for group in groups:
        kinds.update({name: column.kind for name, column in group.items()})
    names = [name for name in kinds if name != "day"] + ["day"]
    arrays = [
        _arrow(kinds[name], np.concatenate([_or_missing(group, name, kinds[name]) for group in groups]))
        for name in names
    ]
    return Table.from_arrays(arrays, names=names)


def _fixed_columns(logged: Sequence[Logged], rows: NDArray[np.int64]) -> dict[str, Column]:
    total = int(rows.sum())
    per_record: dict[str, list[Any]] = {
        "request_id": [item.record.request_id for item in logged],
        "attempt": [item.attempt.attempt for item in logged],
        "answered": [item.attempt.answered for item in logged],
        "id_conflict": [item.attempt.conflict for item in logged],
        "event_time": [item.record.event_time for item in logged],
        "arrival_time": [item.record.arrival_time for item in logged],
        "latency_us": [item.record.latency_ns / 1_000 for item in logged],
        "status": [item.record.status for item in logged],
        "error": [item.record.error or None for item in logged],
        "version": [item.version for item in logged],
        "replica": [item.replica for item in logged],
        "client_id": [item.record.client_id for item in logged],
        "entity_key": [item.record.entity_key for item in logged],
        "input_hash": [item.attempt.input_hash for item in logged],
        "day": [item.attempt.day for item in logged],
    }
    columns = {}
    for name, kind in FIXED.items():
        if name == "row":
            starts = np.repeat(np.cumsum(rows) - rows, rows)
            columns[name] = Column(kind, (np.arange(total) - starts).astype(np.int32))
        else:
            columns[name] = Column(kind, np.repeat(np.array(per_record[name], dtype=_DTYPES[kind]), rows))
    return columns


def _matrix(
    logged: Sequence[Logged], with_input: list[bool], rows: NDArray[np.int64], layout: Layout
) -> NDArray[np.float64]:
    """Inputs of all records, in one piece; NaN for records without."""
    matrix = np.full((int(rows.sum()), layout.columns), np.nan)
    numeric = b"".join(item.record.numeric for item in logged)
    category = b"".join(item.record.category for item in logged)
    filled = np.repeat(with_input, rows)
    matrix[filled] = matrix_of(int(filled.sum()), numeric, category, layout)
    if not filled.all():
        matrix[np.ix_(~filled, layout.category)] = -1
    return matrix


def _texts(codes: NDArray[np.float64], feature: Feature) -> NDArray[np.object_]:
    # The codes -1 (missing) and -2 (unseen, its text follows) count from the end of the list.
    return np.array([*feature.categories, None, None], dtype=object)[codes.astype(np.int64)]


def _unseen(logged: Sequence[Logged], starts: NDArray[np.int64]) -> dict[int, list[tuple[int, str]]]:
    """Column -> (row of the group, text) of every string without a code."""
    found: dict[int, list[tuple[int, str]]] = {}
    for item, start in zip(logged, starts.tolist(), strict=True):
        for row, column, text in item.record.unseen:
            found.setdefault(column, []).append((start + row, text))
    return found


def _outputs(logged: Sequence[Logged], rows: NDArray[np.int64], width: int) -> NDArray[np.float64]:
    outputs = np.full((int(rows.sum()), width), np.nan)
    answered = np.repeat([bool(item.record.outputs) for item in logged], rows)
    outputs[answered] = np.frombuffer(b"".join(item.record.outputs for item in logged), dtype="<f8").reshape(-1, width)
    return outputs


def _or_missing(group: dict[str, Column], name: str, kind: Kind) -> NDArray[Any]:
    if name in group:
        return group[name].values
    total = len(group["day"].values)
    return np.full(total, None, dtype=object) if kind == "text" else np.full(total, np.nan)


def _arrow(kind: Kind, values: NDArray[Any]) -> Any:
    """A missing number is null in the table, never NaN: an average in anyone's SQL then is one of what is known."""
    if kind == "text":
        return Array(values.tolist(), type=DataType.utf8())
    if kind == "time":
        return Array.from_numpy(values).cast(_ARROW[kind])
    missing = np.isnan(values) if values.dtype.kind == "f" else None
    if missing is None or not missing.any():
        return Array.from_numpy(np.ascontiguousarray(values.astype(_DTYPES[kind])))
    listed = np.where(missing, 0, values).astype(_DTYPES[kind]).astype(object)
    listed[missing] = None
    return Array(listed.tolist(), type=_ARROW[kind])


_DTYPES: dict[Kind, Any] = {
    "text": object,
    "double": np.float64,
    "long": np.int64,
    "int": np.int32,
    "short": np.int16,
    "flag": np.bool_,
    "time": np.int64,
}
_ARROW: dict[Kind, Any] = {
    "double": DataType.float64(),
    "long": DataType.int64(),
    "flag": DataType.bool(),
    "time": DataType.timestamp("us", tz="UTC"),
}
