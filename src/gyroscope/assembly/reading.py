"""Predictions of a home for people: a table, its days and its labels put together as one selection.

The library and the command line read through here. Nothing here writes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from arro3.core import Array, DataType, Table

from gyroscope.assembly.house import House
from gyroscope.clock import EventTime
from gyroscope.predictions.reading.selection import FIRST_TIME, LAST_TIME, LabelsOf, Selection, Stretch, between


def selection(
    house: House, model: str, start: EventTime = FIRST_TIME, end: EventTime = LAST_TIME, *, labels: bool = False
) -> Selection:
    """The predictions with an event time in [start, end), with `labels` beside what became of them.

    Raises `ModelError` for a model that is not known.
    """
    return _selection(house, model, between(start, end, house.zone_of(model)), labels=labels)


def selection_of_days(house: House, model: str, first_day: str, last_day: str, *, labels: bool = False) -> Selection:
    """The predictions of calendar days, both included. Raises as `selection`."""
    return _selection(house, model, Stretch(first_day, last_day), labels=labels)


def _selection(house: House, model: str, stretch: Stretch, *, labels: bool) -> Selection:
    house.signature_of(model)
    return Selection(house.table(model), stretch, labels_of(house, model) if labels else None)


def labels_of(house: House, model: str) -> LabelsOf:
    """The labels of days as a table: a number, or for a multiclass model the name of the class."""
    classes = house.signature_of(model).classes if house.signature_of(model).task == "multiclass" else ()

    def read(days: list[str]) -> Any:
        found = [house.labels.of_day(model, day) for day in days]
        ids, rows, values = (np.concatenate([part[place] for part in found]) for place in range(3))
        label = (
            Array([classes[int(value)] for value in values], type=DataType.utf8())
            if classes
            else Array.from_numpy(values.astype(np.float64))
        )
        texts = Array([str(one) for one in ids], type=DataType.utf8())
        return Table.from_arrays(
            [texts, Array.from_numpy(rows.astype(np.int32)), label], names=["request_id", "row", "label"]
        )

    return read
