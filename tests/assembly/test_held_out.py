"""A reference by a twin that has seen nothing of the rows it speaks of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from arro3.core import Array, DataType, Table

from gyroscope.assembly.held_out import reference_of
from gyroscope.clock import event_time_of
from gyroscope.models import Blocks, Candidate, ReferenceProfile
from gyroscope.records import Feature, NotEnoughData, Signature

SIGNATURE = Signature("regression", (Feature("x"), Feature("plan", "string", categories=("a", "b"))))
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
TWIN = "class Twin:\n    def predict(self, matrix, columns):\n        return [{}] * len(matrix)\n"


def rows(days: int) -> Table:
    """Ten rows a day; the label is the day."""
    n = 10 * days
    moments = [event_time_of(FIRST + timedelta(days=at // 10, hours=at % 10)) for at in range(n)]
    return Table.from_arrays(
        [
            Array(np.array(moments, np.int64)).cast(DataType.timestamp("us", tz="UTC")),
            Array([float(at) if at % 7 else None for at in range(n)], type=DataType.float64()),
            Array([("a", "b", None)[at % 3] for at in range(n)], type=DataType.utf8()),
            Array([float(at // 10) for at in range(n)], type=DataType.float64()),
        ],
        names=["event_time", "x", "plan", "label"],
    )


def made(seen: list[int]):
    def train(table, folder):
        seen.append(table.num_rows)
        (folder / "twin.py").write_text(TWIN.format(table.column("label").to_pylist()[-1]))
        return Candidate("m", "python", SIGNATURE, folder / "twin.py", entry="twin:Twin")

    return train


def test_the_twin_sees_whole_older_days_and_speaks_of_the_newer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen: list[int] = []
    reference = reference_of(made(seen), rows(10), SIGNATURE, Blocks(), 0.25)  # the 75th row is of the eighth day
    assert seen == [70]
    assert isinstance(reference, ReferenceProfile)
    starts = [start for start, *_ in reference.windows]
    assert starts == [event_time_of(FIRST + timedelta(days=day)) for day in (7, 8, 9)]
    assert reference.total.n == 30
    assert not list(tmp_path.iterdir()), "nothing lies over what the challenger's training wrote"


def test_of_one_day_there_is_nothing_to_hold_out():
    seen: list[int] = []
    assert isinstance(reference_of(made(seen), rows(1), SIGNATURE, Blocks(), 0.25), NotEnoughData)
    assert seen == []
