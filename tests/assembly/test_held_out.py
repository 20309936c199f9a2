"""A reference by twins that have seen nothing of the rows they speak of."""

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


def made(seen: list[list[float]]):
    def train(table, folder):
        seen.append(table.column("label").to_pylist())
        (folder / "twin.py").write_text(TWIN.format(table.column("label").to_pylist()[-1]))
        return Candidate("m", "python", SIGNATURE, folder / "twin.py", entry="twin:Twin")

    return train


def test_each_twin_speaks_of_the_whole_days_that_it_has_not_seen(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen: list[list[float]] = []
    reference = reference_of(made(seen), rows(10), SIGNATURE, Blocks(), 3)
    assert [sorted(set(days)) for days in seen] == [[4, 5, 6, 7, 8, 9], [0, 1, 2, 3, 7, 8, 9], [0, 1, 2, 3, 4, 5, 6]]
    assert isinstance(reference, ReferenceProfile)
    assert [start for start, *_ in reference.windows] == [
        event_time_of(FIRST + timedelta(days=day)) for day in range(10)
    ]
    means = [part.columns[SIGNATURE.output].mean for _, part, _ in reference.windows]
    assert means == [9, 9, 9, 9, 9, 9, 9, 6, 6, 6], "each says the newest day that it has seen"
    assert not list(tmp_path.iterdir()), "nothing lies over what the challenger's training wrote"


def test_fewer_days_than_folds_make_no_reference():
    seen: list[list[float]] = []
    assert isinstance(reference_of(made(seen), rows(2), SIGNATURE, Blocks(), 3), NotEnoughData)
    assert seen == []
