"""The closing table: what each way to live through the year would have said, by what it could know."""

from __future__ import annotations

from pathlib import Path

import lightgbm
import numpy as np
import pytest
from numpy.typing import NDArray

from gyroscope.demo import closing
from gyroscope.demo.closing import compare
from gyroscope.demo.flights import Flights
from gyroscope.demo.train import EARLIER
from gyroscope.records import Feature, Signature

LATE = {3: [1, 1, 1, 0], 4: [1, 1, 1, 1], 5: [0, 0, 0, 0, -1]}
"""By month: late, in time, or (-1) never arrived. Two flights before March were in time."""


class Mean:
    """A model that says how often those were late that it was fitted on."""

    def __init__(self, late: NDArray[np.float64]) -> None:
        self._says = float(late.mean())

    def predict(self, matrix: NDArray[np.float64], num_threads: int) -> NDArray[np.float64]:
        return np.full(len(matrix), self._says)


def flights() -> Flights:
    late = np.array([one for month in LATE.values() for one in month], np.int8)
    month = np.repeat(list(LATE), [len(one) for one in LATE.values()])
    at = np.arange(len(late))
    days = np.array([f"2013-{one:02d}-01" for one in month], object)
    return Flights(at.astype(object), at, at, late, days, month, {"x": at.astype(np.float64)})


def test_each_way_knows_what_was_known_by_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / EARLIER, matrix=np.zeros((2, 1)), late=np.zeros(2))
    monkeypatch.setattr(closing, "fit", lambda matrix, late: Mean(late))
    monkeypatch.setattr(lightgbm, "Booster", lambda model_file: Mean(np.array([0.75])))
    sent = flights()
    ways = compare(sent, np.full(len(sent), 0.25), Signature("binary", (Feature("x"),)), tmp_path, 7)
    by_name = {way.name: way for way in ways}
    never, monthly, best = (by_name[name] for name in ("never retrained", "retrained every month", "best in hindsight"))
    assert by_name["this loop"].by_month == {3: 0.4375, 4: 0.5625, 5: 0.0625}
    assert never.by_month == {3: 0.1875, 4: 0.0625, 5: 0.5625}
    # April's model has learned from March, May's from both: 3 of 6 were late, then 7 of 10.
    assert monthly.by_month == pytest.approx({3: 0.1875, 4: 0.25, 5: 0.49})
    assert best.by_month == pytest.approx({3: 0.1875, 4: 0.0625, 5: 0.25})
    assert [way.trainings for way in ways] == [0, 7, 2, 1]


def test_of_one_month_alone_there_is_nothing_to_train_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / EARLIER, matrix=np.zeros((2, 1)), late=np.zeros(2))
    monkeypatch.setattr(lightgbm, "Booster", lambda model_file: Mean(np.array([0.75])))
    march = flights().where(flights().month == 3)
    ways = compare(march, np.full(len(march), 0.25), Signature("binary", (Feature("x"),)), tmp_path, 0)
    assert [way.brier for way in ways] == [0.1875, 0.4375, 0.1875, 0.1875]
    assert [way.trainings for way in ways] == [0, 0, 0, 0]
