"""Rows of a table's files as numpy arrays, 131,072 at a time, in the form that is cheapest to count.

Monitoring folds and tallies what comes from here. Only answered rows of the versions that are asked for; ids are never
made into Python texts: what has a label is joined by DuckDB.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import arro3.core
import msgspec
import numpy as np
from arro3.core import Array, DataType
from numpy.typing import NDArray

from gyroscope.errors import StoreError
from gyroscope.predictions.reading.query import quoted
from gyroscope.predictions.tables.table import SOURCE, TIMES, Table, TableFile

Batch = dict[str, NDArray[Any]]

# What rows of tables of format 1, which have no such column, would say.
_LATER = {"weight": "1::INTEGER", "is_shadow": "false"}
_DERIVED = {"weight": "coalesce(weight, 1)", "is_shadow": "coalesce(variant = 'shadow', false)"}
_BEHIND = {"weight": "weight", "is_shadow": "variant"}


class KnownLabels(msgspec.Struct, frozen=True):
    """Labels of some predictions: whose they are, what they say, and when they said it (event time, microseconds)."""

    request_id: Sequence[str]
    row: NDArray[np.int64]
    value: NDArray[np.float64]
    said_at: NDArray[np.int64]


def batches(
    table: Table, files: Sequence[TableFile], columns: Sequence[str], versions: Sequence[str]
) -> Iterator[Batch]:
    """Chosen columns of the answered rows of some versions, in no order.

    `version` comes as the place in `versions`, times as microseconds, features and outputs as float64 with NaN where
    missing, texts as objects with None. `weight` and `is_shadow` are known for every table. A column that no file has
    is left out.
    """
    if files and versions:
        kinds = table.kinds_of(files)
        yield from _stream(table, _query(kinds, columns), [[file.path for file in files], list(versions)])


def labelled(
    table: Table,
    files: Sequence[TableFile],
    columns: Sequence[str],
    versions: Sequence[str],
    labels: KnownLabels,
    *,
    others_too: bool = False,
) -> Iterator[Batch]:
    """As `batches`, for the rows that have a label, with `label` and `said_at` beside them.

    With `others_too` also for those that have none, whose `label` is NaN, where any row has one.
    """
    if not files or not versions or not len(labels.row):
        return
    known = arro3.core.Table.from_arrays(
        [
            Array(list(labels.request_id), type=DataType.utf8()),
            *(Array.from_numpy(np.ascontiguousarray(part)) for part in (labels.row, labels.value, labels.said_at)),
        ],
        names=["known_id", "known_row", "label", "said_at"],
    )
    join = f"{' LEFT' if others_too else ''} JOIN known ON request_id = known_id AND row = known_row"
    also = ", coalesce(label, 'NaN'::DOUBLE) AS label, coalesce(said_at, 0) AS said_at"
    query = _query(table.kinds_of(files), columns, also=also, join=join)
    yield from _stream(table, query, [[file.path for file in files], list(versions)], known=known)


def _query(kinds: dict[str, str], columns: Sequence[str], *, also: str = "", join: str = "") -> str:
    known = [name for name in columns if name in kinds or name in _LATER]
    chosen = ", ".join(f"{_expression(name, kinds)} AS {quoted(name)}" for name in known)
    # Names are quoted, files and versions are parameters.
    return f"SELECT {chosen}{also} FROM {SOURCE}{join} WHERE answered AND list_contains($2, version)"  # noqa: S608


def _expression(name: str, kinds: dict[str, str]) -> str:
    if name in _LATER:
        return _DERIVED[name] if _BEHIND[name] in kinds else _LATER[name]
    if name == "version":
        return "list_position($2, version) - 1"
    if name in TIMES:
        return f"epoch_us({quoted(name)})"
    is_number = name == "latency_us" or (name.startswith(("feature_", "output_")) and kinds[name] != "VARCHAR")
    return f"coalesce({quoted(name)}::DOUBLE, 'NaN'::DOUBLE)" if is_number else quoted(name)


def _stream(table: Table, query: str, values: list[Any], **views: arro3.core.Table) -> Iterator[Batch]:
    with table.cursor() as cursor:
        for name, view in views.items():
            cursor.register(name, view)
        reader = arro3.core.RecordBatchReader.from_stream(cursor.sql(query, params=values))
        while (part := _next(reader, table)) is not None:
            names = part.schema.names
            yield {name: _plain(part.column(place)) for place, name in enumerate(names)}


def _next(reader: arro3.core.RecordBatchReader, table: Table) -> arro3.core.RecordBatch | None:
    try:
        return next(reader, None)
    except Exception as error:  # what goes wrong behind the Arrow interface has no type of its own
        raise StoreError(
            f"the table cannot be read: {error}", where=str(table.path), fix="run gyro predictions verify"
        ) from error


def _plain(column: Array) -> NDArray[Any]:
    # Only texts can be missing: numbers are NaN by then.
    return np.array(column.to_pylist(), dtype=object) if column.null_count else np.asarray(column.to_numpy())
