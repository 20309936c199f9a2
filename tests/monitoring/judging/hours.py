"""Rows by the hour from a Monday on, and the incidents that the monitor made of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

import numpy as np
import pytest
from tests.monitoring.conftest import ZONE, House, Rows

from gyroscope.clock import HOUR_US, EventTime, MachineTime, iso, machine_now, parse_event_time
from gyroscope.monitoring.judging.turns import QUIET_NS

MONDAY = parse_event_time("2013-06-03T00:00:00-04:00")
HISTORY_DAYS = 21


def rows_of(
    days: Iterable[int],
    per_hour: int = 8,
    seed: int = 0,
    skip: Iterable[int] = (),
    extra: Mapping[int, int] | None = None,
) -> Rows:
    """Rows around the same number an hour, but none in hours to be skipped (counted from the first Monday)."""
    rng = np.random.default_rng(seed)
    hours = np.concatenate([np.arange(day * 24, day * 24 + 24) for day in days])
    n = rng.poisson(per_hour, hours.size)
    for hour, more in (extra or {}).items():
        n[hours == hour] += more
    n[np.isin(hours, list(skip))] = 0
    rows = Rows(iso(EventTime(MONDAY), ZONE), int(n.sum()), seed=seed)
    rows.times = MONDAY + np.repeat(hours, n) * HOUR_US + np.sort(rng.integers(0, HOUR_US, n.sum()))
    rows.ids = [f"{seed}-{k}" for k in range(len(rows.times))]
    return rows


def at(hours: float) -> EventTime:
    return EventTime(int(MONDAY + hours * HOUR_US))


def minutes_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two looks at the clock, so that a model whose rows have stopped is quiet."""
    clock = itertools.count(machine_now() + QUIET_NS, QUIET_NS)
    monkeypatch.setattr("gyroscope.monitoring.loop.machine_now", lambda: MachineTime(next(clock)))


def found(house: House) -> list[tuple[str, tuple[str, ...], bool]]:
    return [(one.kind, one.subjects, one.pages) for one in house.incidents.all("flights")]
