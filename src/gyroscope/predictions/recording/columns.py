"""Records as the Arrow columns of the table: typed features from the signature, one row per prediction.

`drain.py` calls `version_columns` once per version in a batch and `arrow_table` once per commit. Pure: no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from arro3.core import Array, RecordBatch, Table
from numpy.typing import NDArray

from gyroscope.predictions.recording.decoded import Decoded
from gyroscope.predictions.segments.scan import some_headers
from gyroscope.predictions.segments.wal import MISSING, VARIANTS, Layout
from gyroscope.predictions.tables.arrow import Kind, Texts, null_array, number_array, text_array, word_array
from gyroscope.records import Feature

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
    "variant": "text",
    "weight": "int",
    "day": "text",
}


class Verdicts(NamedTuple):
    """What the recorder knows of each record beyond the record: which attempt it is, and whether it counts."""

    is_kept: NDArray[np.bool_]
    attempt: NDArray[np.int32]
    answered: NDArray[np.bool_]
    conflict: NDArray[np.bool_]


class Origin(NamedTuple):
    """Where the records of one version come from: its name, the replica of each segment, the day of each record."""

    version: str
    replicas: list[str]
    day: NDArray[np.int32]
    day_names: list[str]


class Column(NamedTuple):
    """One column of the rows of one version."""

    kind: Kind
    values: Array


def version_columns(
    decoded: Decoded, verdicts: Verdicts, origin: Origin, layout: Layout, known: dict[str, str]
) -> dict[str, Column]:
    """All columns of the records of one version. `known` maps the table's columns to their Delta types."""
    columns = {name: Column(FIXED[name], values) for name, values in _fixed_columns(decoded, verdicts, origin).items()}
    kept = _rows_kept(decoded, verdicts)
    numeric = {column: place for place, column in enumerate(layout.numeric_list)}
    category = {column: place for place, column in enumerate(layout.category_list)}
    for feature, at in zip(layout.logged, layout.logged_at, strict=True):
        kind = KINDS[feature.dtype]
        if at in numeric:
            values = number_array(kind, _some(decoded.numeric[numeric[at]], kept))
        else:
            codes = decoded.category[category[at]] if at in category else None
            values = _feature_texts(feature, codes, decoded.extra.get(at, []), (decoded.outputs.shape[1], kept))
        columns[column_name(feature, known)] = Column(kind, values)
    for index in range(layout.width):
        columns[f"output_{index}"] = Column("double", number_array("double", _some(decoded.outputs[index], kept)))
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
    batches = []
    for group in groups:
        total = len(group["day"].values)
        arrays = [group[name].values if name in group else null_array(kinds[name], total) for name in names]
        batches.append(RecordBatch.from_arrays(arrays, names=names))
    return Table.from_batches(batches)


def _fixed_columns(decoded: Decoded, verdicts: Verdicts, origin: Origin) -> dict[str, Array]:
    kept = np.flatnonzero(verdicts.is_kept)
    rows = decoded.headers["rows"][kept].astype(np.int64)
    records = kept if (rows == 1).all() else np.repeat(kept, rows)
    of_each = None if len(records) == len(decoded.headers) and (rows == 1).all() else records
    fields = decoded.headers if of_each is None else some_headers(decoded.headers, of_each)
    within = np.zeros(len(records), np.int32)
    if len(records) != len(kept):
        within = (np.arange(len(records)) - np.repeat(np.cumsum(rows) - rows, rows)).astype(np.int32)
    texts = {name: some if of_each is None else some.take(of_each) for name, some in _ids(decoded).items()}
    # Up to 4 KiB, in up to 10,000 rows: it stands in the first row of its request only.
    errors = decoded.texts["error"].take(kept).first_of_each(within)
    return {
        "request_id": text_array(texts["request_id"]),
        "row": number_array("int", within),
        "attempt": number_array("int", _some(verdicts.attempt, of_each)),
        "answered": number_array("flag", _some(verdicts.answered, of_each)),
        "id_conflict": number_array("flag", _some(verdicts.conflict, of_each)),
        "event_time": number_array("time", fields["event_time"]),
        "arrival_time": number_array("time", fields["arrival_time"]),
        "latency_us": number_array("double", fields["latency_ns"] / 1_000),
        "status": number_array("short", fields["status"]),
        "error": text_array(errors, errors.lengths > 0),
        "version": word_array([origin.version], np.zeros(len(records), np.int64)),
        "replica": word_array(origin.replicas, _some(decoded.source, of_each)),
        "client_id": text_array(texts["client_id"]),
        "entity_key": text_array(texts["entity_key"]),
        "input_hash": number_array("long", _some(decoded.input_hash, of_each)),
        "variant": word_array(list(VARIANTS), fields["variant"]),
        "weight": number_array("int", fields["weight"]),
        "day": word_array(origin.day_names, _some(origin.day, of_each)),
    }


def _ids(decoded: Decoded) -> dict[str, Texts]:
    return {name: texts for name, texts in decoded.texts.items() if name != "error"}


def _rows_kept(decoded: Decoded, verdicts: Verdicts) -> NDArray[np.intp] | None:
    """The rows that go into the table; None for all."""
    if verdicts.is_kept.all():
        return None
    return np.flatnonzero(np.repeat(verdicts.is_kept, decoded.headers["rows"]))


def _feature_texts(
    feature: Feature, codes: NDArray[np.int32] | None, extra: list[tuple[int, str]], rows: tuple[int, Any]
) -> Array:
    """A column of texts: words by their codes, and the texts that have none as further words."""
    words = list(feature.categories)
    place = np.full(rows[0], MISSING, dtype=np.int64) if codes is None else codes.astype(np.int64)
    if extra:
        further = {text: len(words) + number for number, text in enumerate(dict.fromkeys(text for _, text in extra))}
        place[[row for row, _ in extra]] = [further[text] for _, text in extra]
        words += further
    place = _some(place, rows[1])
    # A word that is missing is null, whatever stands there.
    is_known = (place >= 0) & (place < len(words))
    return word_array(words, place, is_known)


def _some(values: NDArray[Any], index: NDArray[np.intp] | None) -> NDArray[Any]:
    return values if index is None else values[index]
