"""Predictions of a home for people: a table, its days and its labels put together as one selection.

The library and the command line read through here. Nothing here writes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from arro3.core import Array, DataType, Table

from gyroscope.assembly.house import House
from gyroscope.clock import EventTime
from gyroscope.monitoring.judging.hard_hours import LABELS, ROWS
from gyroscope.predictions.reading.selection import LAST_TIME, LabelsOf, Selection, Stretch, between
from gyroscope.predictions.tables.table import FIRST_TIME

NO_LABELS = (np.empty(0, object), np.empty(0, np.int64), np.empty(0, np.float64))


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


def without_broken(house: House, model: str, *, also_now: bool = False) -> str:
    """The end of a WHERE that leaves out the stretches in which incidents say that a column was broken, unless people
    said that it was noise; `also_now`: and those that last. Where rows or labels stay away, those that come are sound.
    """
    left_out, elsewhere = "", {ROWS, LABELS}
    for one in house.incidents.all(model):
        is_over = also_now or one.ended is not None
        if one.kind == "quality" and one.state != "noise" and is_over and not elsewhere.issuperset(one.subjects):
            until = "" if one.ended is None else f" AND event_time < make_timestamptz({one.ended})"
            left_out += f" AND NOT (event_time >= make_timestamptz({one.since}){until})"
    return left_out


def labels_of(house: House, model: str) -> LabelsOf:
    """The labels of days as a table: a number, or for a multiclass model the name of the class."""
    classes = house.signature_of(model).classes if house.signature_of(model).task == "multiclass" else ()

    def read(days: list[str]) -> Any:
        found = [NO_LABELS, *(house.labels.of_day(model, day) for day in days)]
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
