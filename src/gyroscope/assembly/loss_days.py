"""The labelled losses of a challenger on its way, added up by day: what was read once is read again when it changed.

The loop of rollouts asks here in each of its looks. It reads the log and its labels and keeps sums only.
"""

from __future__ import annotations

from collections.abc import Sequence

from gyroscope.assembly.days import Days, beside
from gyroscope.assembly.house import House
from gyroscope.assembly.reading import labels_of, without_broken
from gyroscope.clock import DAY_US, EventTime, day_of
from gyroscope.errors import StoreError
from gyroscope.models.blocks import Blocks
from gyroscope.predictions.reading.selection import Selection, Stretch
from gyroscope.predictions.tables.table import FIRST_TIME
from gyroscope.rollouts.loop import Step
from gyroscope.rollouts.losses import Compared, Losses, Sums

REACH = 1
"""A shadow answers a little later than its champion: around midnight the two lie in different days."""


class LossDays:
    """One step of one model; for one thread at a time."""

    def __init__(self, house: House, step: Step, model: str) -> None:
        self.step = step
        self._house = house
        self._model = model
        self._table = house.table(model)
        monitoring = house.settings.monitoring
        self._losses = Losses(
            "shadow" if step.stage == "shadow" else "canary",
            step.champion,
            step.challenger,
            house.models.get(model, step.champion).signature,
            Blocks(monitoring.timezone, monitoring.window),
        )
        self._days: Days[Sums] = Days(house, model, self._read, REACH)

    def compared(self) -> Compared:
        """All that is in the log by now; the versions alone say which rows are meant, for event time may run far behind
        the date, as in a replay.
        """
        try:
            first = self._table.first_of(self.step.challenger)
        except StoreError:
            return Compared()  # nothing was recorded yet
        if first is None:
            return Compared()  # the challenger has answered nothing yet
        files = self._days.files()
        # Who is luckier with what was broken is the better model for nothing.
        sound = "true" + without_broken(self._house, self._model, also_now=True)
        return self._losses.compared(self._days.sums(files, {day: sound for day in files if day >= self._begin(first)}))

    def _begin(self, first: EventTime) -> str:
        """What came before is held against nothing. A day more, for the table may have been begun in another zone."""
        if first == FIRST_TIME:
            return ""
        return day_of(EventTime(first - DAY_US), self._house.zone_of(self._model))

    def _read(self, days: Sequence[str], sound: str) -> dict[str, Sums]:
        stretch = Stretch(beside(days[0], -REACH), beside(days[-1], REACH), sound)
        rows = Selection(self._table, stretch, labels_of(self._house, self._model))
        query = f"{self._losses.query} AND p.day BETWEEN '{days[0]}' AND '{days[-1]}'"
        return self._losses.by_day(rows.sql(query).arrow())
