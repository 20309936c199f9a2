"""Days of one model, what its monitor says of them, and what scikit-learn says of the same rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sk
from tests.monitoring.conftest import ZONE, House, Rows

from gyroscope.clock import parse_event_time
from gyroscope.monitoring import window_of
from gyroscope.monitoring.windows import Length
from gyroscope.records import Signal, Window

MARCH_1, MARCH_2 = "2013-03-01T00:00:00-05:00", "2013-03-02T00:00:00-05:00"
SPRING = "2013-03-10T00:00:00-05:00"
JANUARY = "2013-01-01T00:00:00-05:00"


def window(start: str, length: Length = "1d") -> Window:
    return window_of(parse_event_time(start), length, ZONE)


def everything(house: House) -> dict[str, list[Signal]]:
    return {name: house.points(name) for name in house.signals.names() if house.points(name)}


def measured(house: House, day: Rows) -> dict[str, list[Signal]]:
    """All that is said of a day that was predicted, labelled and measured."""
    house.predict(day)
    house.label(day)
    house.measure()
    return everything(house)


def value(house: House, name: str, at: Window | None = None, **labels: str) -> Any:
    (found,) = house.values(name, at, **labels)
    return found


def expected_binary(rows: Rows, places: range | NDArray[np.int64], threshold: float = 0.3) -> dict[str, float]:
    y, p = rows.labels[places], rows.outputs[places]
    said = p >= threshold
    return {
        "accuracy": sk.accuracy_score(y, said),
        "precision": sk.precision_score(y, said),
        "recall": sk.recall_score(y, said),
        "f1": sk.f1_score(y, said),
        "brier": sk.brier_score_loss(y, p),
        "log_loss": sk.log_loss(y, p),
        "positives": y.mean(),
    }
