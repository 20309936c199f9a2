"""What a family of monitors can see: how rows and days of its series depend on each other, and how small a change.

`gyro monitor show` prints these. Pure: baselines and a budget in, records out.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from gyroscope.clock import DAY_US
from gyroscope.monitoring.judging.tracks import Track
from gyroscope.records import NotEnoughData
from gyroscope.stats.drift import effective_rows
from gyroscope.stats.evidence import Baselines, Family, Streams, replay

SHIFTS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
"""In standard deviations of a normal window."""

LONGEST = 30
TOO_LONG_A_MEMORY = 0.6


class Card(msgspec.Struct, frozen=True):
    """How far the rows of a window, and windows that follow one another, say the same: the dependence of one series.

    `rows` of a window count as `effective` ones. Above a `memory` of 0.6 a longer window is wanted.
    """

    series: str
    windows: int
    rows: float
    icc: float
    effective: float
    memory: float

    @property
    def advice(self) -> str:
        return "choose a longer window" if self.memory > TOO_LONG_A_MEMORY else ""


class Sight(msgspec.Struct, frozen=True):
    """A shift of a series, in its own unit, and after how many days it is certain at this budget and traffic."""

    series: str
    shift: float
    days: float


class Watched(msgspec.Struct, frozen=True):
    """One family of one version: how many windows it has judged and series it follows, and what it can see."""

    version: str
    family: str
    windows: int
    series: int
    evidence: float
    cards: tuple[Card, ...]
    sights: tuple[Sight, ...]
    left_out: dict[str, NotEnoughData]
    share: float
    quieter: tuple[str, ...]


def watched(version: str, track: Track, most: int = 3) -> Watched:
    """Describe a family by its heaviest series."""
    baselines = track.baselines
    heaviest = np.argsort(-baselines.weights, kind="stable")[:most]
    mass = track.course.mass
    return Watched(
        version=version,
        family=track.family,
        windows=len(track.entries),
        series=len(baselines.names),
        evidence=float(mass[-1]) if len(mass) else 0.0,
        cards=tuple(_card(track, int(row)) for row in heaviest),
        sights=tuple(sight for row in heaviest for sight in _sights(track, int(row))),
        left_out=baselines.missing,
        share=track.share,
        quieter=track.quieter,
    )


def _card(track: Track, row: int) -> Card:
    baselines = track.baselines
    within, tau2 = float(baselines.typical[row] - baselines.tau2[row]), float(baselines.tau2[row])
    rows = float(np.median([entry.rows for entry in track.entries])) if track.entries else 0.0
    icc = tau2 / (tau2 + within * rows) if tau2 > 0 and rows else 0.0
    return Card(
        series=baselines.names[row],
        windows=int(baselines.windows[row]),
        rows=rows,
        icc=icc,
        effective=effective_rows(rows, icc),
        memory=float(baselines.rho[row]),
    )


def _sights(track: Track, row: int) -> list[Sight]:
    """The smallest shift that is certain within a week, and the smallest within thirty windows."""
    baselines = track.baselines
    length = _days_a_window(track)
    sd = math.sqrt(float(baselines.typical[row]))
    found = [
        Sight(baselines.names[row], shift * sd, after * length)
        for shift in SHIFTS
        if (after := _windows_until(baselines, row, shift, track.share * track.false_alarms * length))
    ]
    within_a_week = [sight for sight in found if sight.days <= max(7.0, length)]
    return list(dict.fromkeys([*found[:1], *within_a_week[:1]]))


def _windows_until(baselines: Baselines, row: int, shift: float, mass_days: float) -> int:
    """Windows of a constant shift until the evidence reaches 1 when all other series stay as normal; 0: never."""
    side = int(baselines.sides[row]) or 1
    y = np.repeat(baselines.mean[:, np.newaxis], LONGEST, axis=1)
    y[row] += side * shift * math.sqrt(float(baselines.typical[row]))
    within = np.repeat(np.maximum(baselines.typical - baselines.tau2, 1e-12)[:, np.newaxis], LONGEST, axis=1)
    current = Streams(baselines.names, y, within, baselines.sides, baselines.weights, baselines.tolerances)
    course = replay(Family("sight", baselines, 1.0), current, np.full(LONGEST, mass_days), false_alarms=1.0)
    reached = np.flatnonzero(course.mass >= 1)
    return int(reached[0]) + 1 if len(reached) else 0


def _days_a_window(track: Track) -> float:
    if not track.entries:
        return 1.0
    window = track.entries[-1].window
    return (window.end - window.start) / DAY_US
