"""What the rules of one house watch: its signals, and which windows of its models are complete.

Control builds the loop here. It asks the cache of the monitors and measures nothing.
"""

from __future__ import annotations

from gyroscope.alerts.watch import Rules
from gyroscope.assembly.house import House
from gyroscope.clock import DAY_US, HOUR_US, EventTime, machine_now
from gyroscope.monitoring.cache import Cache
from gyroscope.monitoring.judging.completeness import Completeness, moment_of_data
from gyroscope.monitoring.judging.turns import Turns

LENGTH_US = {"1h": HOUR_US, "6h": 6 * HOUR_US, "1d": DAY_US, "7d": 7 * DAY_US}

NEVER = EventTime(-(1 << 62))


def rules(house: House) -> Rules:
    """The loop."""
    monitoring = house.settings.monitoring
    complete = CompleteWindows(house)
    return Rules(
        house.settings.rules,
        house.home / "state.db",
        house.signals,
        house.incidents,
        complete.newest,
        LENGTH_US[monitoring.window],
    )


class CompleteWindows:
    """Asks the cache that the monitors of a house keep."""

    def __init__(self, house: House) -> None:
        _ = house.monitor  # makes the file, where there is none
        self._cache = Cache(house.home / "monitoring.db")
        self._completeness = Completeness(self._cache, house.settings.monitoring)
        self._turns = Turns()
        self._seen: dict[str, EventTime] = {}
        self._asked_at = NEVER
        self._known: dict[tuple[str, str], EventTime] = {}

    def newest(self, model: str, version: str, now: EventTime) -> EventTime:
        """The start of the newest window of a version that is over and whose rows are measured.

        One look asks for each of its series at the same moment: it is read once for all of them.
        """
        if now != self._asked_at:
            self._asked_at, self._known = now, {}
        if (model, version) not in self._known:
            self._known[model, version] = self._read(model, version, now)
        return self._known[model, version]

    def _read(self, model: str, version: str, now: EventTime) -> EventTime:
        newest = self._cache.newest(model)
        if self._seen.get(model) != newest:
            self._seen[model] = newest
            self._turns.changed(model, machine_now())
        moment = moment_of_data(newest, now, is_quiet=self._turns.is_quiet(model, machine_now()))
        windows = self._completeness.rows(model, version, moment)
        return windows[-1].start if windows else NEVER
