"""The flights of 2013 by local day: January and February held out a day at a time, the rest as the demo's model says.

The rows about flights call `load_year`. Days are windows; a flight that never arrived has a score and no label.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import lightgbm
import msgspec
import numpy as np

from gyroscope.clock import SECOND_US
from gyroscope.demo.flights import ZONE, Flights, load_flights
from gyroscope.demo.train import encode, train
from gyroscope.stats.estimation import Scores
from gyroscope.stats.performance import Outcomes, tally

Array = np.ndarray
TRAINING_MONTHS = (1, 2)


class Rows(msgspec.Struct, frozen=True, eq=False):
    """Flights of some days: score, 1 late / 0 not / -1 never arrived, microseconds of landing, place of their day."""

    score: Array
    late: Array
    lands: Array
    day: Array
    names: tuple[str, ...]
    flights: Flights

    def outcomes(self) -> list[Outcomes]:
        """The labelled rows of each day."""
        return [tally("binary", score, late) for score, late in self.labelled()]

    def labelled(self) -> list[tuple[Array, Array]]:
        """Scores and labels of each day."""
        return [(self.score[rows], self.late[rows]) for rows in self._each(self.late >= 0)]

    def scores(self) -> list[Scores]:
        """All rows of each day."""
        return [Scores.of(self.score[rows]) for rows in self._each(np.ones(len(self.late), bool))]

    def mean(self, values: Array, chosen: Array) -> Array:
        """The mean per day over the chosen rows; NaN where a day has none."""
        total = np.bincount(self.day[chosen], values[chosen], len(self.names))
        rows = np.bincount(self.day[chosen], minlength=len(self.names))
        return np.divide(total, rows, out=np.full(len(self.names), np.nan), where=rows > 0)

    def landed_by(self, hour: int) -> Array:
        """Which labels were there at an hour of the day of departure, by New York's clock."""
        zone = ZoneInfo(ZONE)
        moments = [datetime.fromisoformat(name).replace(hour=hour, tzinfo=zone).timestamp() for name in self.names]
        return (self.late >= 0) & (self.lands <= np.array(moments)[self.day] * SECOND_US)

    def _each(self, chosen: Array) -> list[Array]:
        order = np.flatnonzero(chosen)
        order = order[np.argsort(self.day[order], kind="stable")]
        return np.split(order, np.searchsorted(self.day[order], np.arange(1, len(self.names))))


class Year(msgspec.Struct, frozen=True, eq=False):
    """Reference (59 days) and later days (306)."""

    reference: Rows
    later: Rows


def load_year(folder: Path) -> Year:
    """Train as the demo does and score; about 15 seconds."""
    every = load_flights()
    trained = train(every, TRAINING_MONTHS, folder)
    later = every.where(~np.isin(every.month, TRAINING_MONTHS))
    model = lightgbm.Booster(model_file=str(trained.artifact))
    score = np.asarray(model.predict(encode(later.columns, trained.signature), num_threads=1))
    return Year(_rows(trained.flights, trained.held_out), _rows(later, score))


def _rows(flights: Flights, score: Array) -> Rows:
    names, day = np.unique(flights.day.astype(str), return_inverse=True)
    return Rows(score, flights.late.astype(np.float64), flights.lands, day, tuple(names.tolist()), flights)
