"""Labels as columns, checked against a signature all at once; only what looks wrong is looked at one by one.

Pure. `labels.py` calls it for every batch; files and the API bring columns, programs a list of labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.errors import LabelError
from gyroscope.predictions.labels.order import ID_CHARACTERS, read_value
from gyroscope.records import Label, Signature

Refusal = tuple[int, str]
"""Position in the call, and the reason."""


class LabelColumns(msgspec.Struct, frozen=True):
    """Fields of `Label` as sequences of one length; a column that nobody gave is None."""

    request_ids: Sequence[str]
    values: Sequence[float | str]
    rows: Sequence[int] | None = None
    versions: Sequence[int | None] | None = None
    labeled_at: Sequence[int | None] | None = None
    entity_keys: Sequence[str] | None = None
    event_times: Sequence[int | None] | None = None
    numbers: Sequence[int] | None = None
    """What the sender calls each of them when one is refused; else their places."""

    def number(self, position: int) -> int:
        """What the sender calls one of them."""
        return position if self.numbers is None else self.numbers[position]

    def label(self, position: int) -> Label:
        """One of them by itself."""
        return Label(
            self.request_ids[position],
            self.values[position],
            0 if self.rows is None else self.rows[position],
            _at(self.versions, position),
            _at(self.labeled_at, position),
            "" if self.entity_keys is None else self.entity_keys[position],
            _at(self.event_times, position),
        )


class Checked(msgspec.Struct, frozen=True):
    """Labels that a model of this signature may have, in their order; `positions` in the call they came with."""

    positions: NDArray[np.int64]
    request_ids: list[str]
    rows: NDArray[np.int64]
    values: list[float | str]
    versions: list[int | None] | None
    labeled_at: list[int | None] | None
    entity_keys: list[str] | None
    event_times: list[int | None] | None

    def __len__(self) -> int:
        return len(self.request_ids)

    def part(self, start: int, end: int) -> Checked:
        """Some that follow one another."""
        return self._each(lambda column: column[start:end])

    def some(self, places: NDArray[np.int64]) -> Checked:
        """Those at some places."""
        every = places.tolist()
        return self._each(
            lambda column: column[places] if isinstance(column, np.ndarray) else [column[at] for at in every]
        )

    def _each(self, chosen: Callable[[Any], Any]) -> Checked:
        columns: list[Any] = [getattr(self, name) for name in self.__struct_fields__]
        some: list[Any] = [None if column is None else chosen(column) for column in columns]
        return Checked(*some)


def columns_of(labels: Sequence[Label]) -> LabelColumns:
    """A list of labels as columns; those that nobody uses stay None."""
    entities = [label.entity_key for label in labels]
    return LabelColumns(
        [label.request_id for label in labels],
        [label.value for label in labels],
        [label.row for label in labels],
        _known([label.version for label in labels]),
        _known([label.labeled_at for label in labels]),
        entities if any(entities) else None,
        _known([label.event_time for label in labels]),
    )


def check(columns: LabelColumns, signature: Signature) -> tuple[Checked, list[Refusal]]:
    """The labels that can be kept, and the others with their reasons."""
    values, is_fine = _look(columns, signature)
    refused: list[Refusal] = []
    for position in np.flatnonzero(~is_fine).tolist():
        try:
            values[position] = read_value(columns.label(position), signature)
            is_fine[position] = True
        except LabelError as error:
            refused.append((position, error.what))
    kept = np.flatnonzero(is_fine)
    some = None if not refused else kept.tolist()
    return Checked(
        positions=kept,
        request_ids=_chosen(columns.request_ids, some),
        rows=np.array([0] * len(kept) if columns.rows is None else _chosen(columns.rows, some), dtype=np.int64),
        values=_chosen(values, some),
        versions=_optional(columns.versions, some),
        labeled_at=_optional(columns.labeled_at, some),
        entity_keys=_optional(columns.entity_keys, some),
        event_times=_optional(columns.event_times, some),
    ), refused


def _look(columns: LabelColumns, signature: Signature) -> tuple[list[Any], NDArray[np.bool_]]:
    """Values as they are kept, and which labels are plainly fine; what is not is to be read by itself."""
    count = len(columns.values)
    nothing = list(columns.values), np.zeros(count, dtype=bool)
    if columns.entity_keys is not None or columns.event_times is not None:
        return nothing
    try:
        is_fine = _fine_names(columns.request_ids, count)
        if columns.rows is not None:
            is_fine &= np.array(columns.rows, dtype=np.int64) >= 0
        for orders in (columns.versions, columns.labeled_at):
            if orders is not None:
                np.array([order for order in orders if order is not None], dtype=np.int64)
        if signature.task == "multiclass":
            return nothing[0], is_fine & np.fromiter(map(set(signature.classes).__contains__, columns.values), bool)
        numbers = np.array(columns.values, dtype=np.float64)
    except (OverflowError, ValueError, TypeError):  # one of them is odd: each is looked at
        return nothing
    is_fine &= (numbers == 0) | (numbers == 1) if signature.task == "binary" else np.isfinite(numbers)
    is_fine &= (numbers >= 0) | (signature.task != "ranking")
    return [*(numbers + 0.0).tolist()] if is_fine.all() else [
        number if fine else value
        for number, fine, value in zip((numbers + 0.0).tolist(), is_fine.tolist(), columns.values, strict=True)
    ], is_fine


def _fine_names(names: Sequence[str], count: int) -> NDArray[np.bool_]:
    lengths = np.fromiter(map(len, names), np.int64, count)
    every = "".join(names)
    if "\0" in every:
        return np.zeros(count, dtype=bool)
    if not every.isascii():
        every.encode()  # half a character raises: then each is looked at
    return (lengths > 0) & (lengths <= ID_CHARACTERS)


def _chosen(column: Any, some: list[int] | None) -> list[Any]:
    return list(column) if some is None else [column[position] for position in some]


def _optional(column: Any, some: list[int] | None) -> list[Any] | None:
    return None if column is None else _chosen(column, some)


def _known(column: list[Any]) -> list[Any] | None:
    return None if column.count(None) == len(column) else column


def _at(column: Sequence[Any] | None, position: int) -> Any:
    return None if column is None else column[position]
