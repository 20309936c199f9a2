"""What happens to the house from outside while the flights are sent: a unit that changes, a bad version, a crowd.

`run.py` draws one world a run from a seed; the house is told nothing of it. What it makes of it is its own loops'.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np

from gyroscope.clock import DAY_US, EventTime
from gyroscope.demo.flights import Flights
from gyroscope.demo.train import Poison

WEEK = 7

NEVER = EventTime(1 << 62)
"""A crowd takes a minute to come and go: a few days are over before."""

SUMMER = ("06-23", "07-07")

UNITS: tuple[tuple[str, str, float], ...] = (
    ("departure_minute", "hours for minutes", 1 / 60),
    ("humid", "shares for percent", 0.01),
    ("pressure", "pascals for hectopascals", 100.0),
)
"""Columns that matter to the model, what they are suddenly given in, and by which factor that differs."""

POISONS: tuple[Poison, ...] = ("flipped labels", "shuffled labels")


class Fault(msgspec.Struct, frozen=True):
    """For some days, [start, end) of event time, one column comes in another unit."""

    column: str
    change: str
    factor: float
    start: EventTime
    end: EventTime


class Stretch(msgspec.Struct, frozen=True):
    """Flights that are sent before the house is waited for: places [first, end)."""

    first: int
    end: int


class World(msgspec.Struct, frozen=True):
    """What one run has in store: from when on the poisoned version is offered, and when a crowd asks for plans."""

    fault: Fault | None
    poison: Poison
    poison_at: EventTime
    crowd_at: EventTime
    stretches: tuple[Stretch, ...]


def draw(flights: Flights, seed: int, *, has_fault: bool) -> World:
    """The world of a seed, over the days of these flights."""
    drawn = np.random.default_rng(seed)
    firsts = _first_of_days(flights)
    days = len(firsts)
    at = [
        _fault_day(np.unique(flights.day.astype(str)).tolist(), drawn.uniform()),
        *(int(days * drawn.uniform(low, high)) for low, high in ((0.56, 0.6), (0.3, 0.8))),
    ]
    column, change, factor = UNITS[drawn.integers(len(UNITS))]
    poison = POISONS[drawn.integers(len(POISONS))]
    start = EventTime(int(flights.departs[firsts[at[0]]]))
    return World(
        fault=Fault(column, change, factor, start, EventTime(start + WEEK * DAY_US)) if has_fault else None,
        poison=poison,
        poison_at=EventTime(int(flights.departs[firsts[at[1]]])),
        crowd_at=EventTime(int(flights.departs[firsts[at[2]]])) if days >= 2 * WEEK else NEVER,
        stretches=tuple(_stretches(firsts, len(flights))),
    )


def broken(flights: Flights, fault: Fault | None) -> Flights:
    """The flights as they are sent: the faulty column in its other unit for as long as that lasts."""
    if fault is None:
        return flights
    inside = (flights.departs >= fault.start) & (flights.departs < fault.end)
    values = np.asarray(flights.columns[fault.column], np.float64)
    columns = {**flights.columns, fault.column: np.where(inside, values * fault.factor, values)}
    return msgspec.structs.replace(flights, columns=columns)


def _fault_day(days: Sequence[str], share: float) -> int:
    """When the fault begins: in the weeks of the summer's fall, where somebody wants to retrain; else in the middle."""
    inside = [place for place, day in enumerate(days[:-WEEK]) if SUMMER[0] <= day[5:] <= SUMMER[1]]
    return inside[int(share * len(inside))] if inside else int(len(days) * (0.60 + 0.06 * share))


def _first_of_days(flights: Flights) -> list[int]:
    firsts: list[int] = np.unique(flights.day.astype(str), return_index=True)[1].tolist()
    return firsts


def _stretches(firsts: Sequence[int], flights: int) -> list[Stretch]:
    """A week each."""
    bounds = [*firsts[::WEEK], flights]
    return [Stretch(first, end) for first, end in pairwise(bounds)]
