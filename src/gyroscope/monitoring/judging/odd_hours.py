"""Hours that are further off than noise, in words, and the causes they are: one for what goes on.

`Seasons` asks for hours that ended just now. An hour without any row where some were surely due is broken data; the
rest is unusual for its hour. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.clock import HOUR_US, EventTime
from gyroscope.monitoring.judging.hour_days import Day, Odd
from gyroscope.monitoring.judging.hour_series import ERRORS, LATENCY, OF_VERSION, REQUESTS, WORSE_UPWARDS, Key
from gyroscope.records import Cause, NotEnoughData, Signal
from gyroscope.stats.quality import no_rows
from gyroscope.stats.seasonal import Ahead, Series
from gyroscope.stats.seasonal.thresholds import SPANS

CALM_HOURS = 3
"""After so many usual hours it is over."""

LEAST_SLOWER = 1.25
"""Answers have to be slower by a quarter: of thousands of requests an hour a percent is no chance, and no harm."""

APART_US = 24 * HOUR_US
"""What is back within a day is no new cause: at most one page a day and series, as its budget was meant."""

HOURS_A_DAY = 24

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Hour(msgspec.Struct, frozen=True):
    """One hour of one series that is beyond its limits: over how many hours together, and what came of the last.

    `due` is what was expected of this hour and of those right before it in which nothing came either.
    """

    key: Key
    at: EventTime
    version: str
    span: int
    score: float
    seen: float
    expected: float
    rows: float
    due: float


def odd_hours(
    day: Day, hours: Ints, series: Mapping[Key, tuple[Series, Ahead]], places: Sequence[int], busiest: str
) -> list[Odd]:
    """Those at some places of a day that are beyond the limits of their series, oldest first.

    `hours` are the starts of all hours of that day, which the series are held against; `busiest` is the version that
    answers most.
    """
    at = np.searchsorted(hours, np.array(day.starts, np.int64))
    found = [
        odd for key, (one, ahead) in series.items() for odd in _odd(day, _Held(key, one, ahead, at), places, busiest)
    ]
    return sorted(found, key=lambda one: one.at)


def causes_of(model: str, odd: Sequence[Odd], upto: EventTime) -> list[Cause]:
    """One cause per series and stretch of odd hours; `upto` is the newest hour that was judged."""
    runs: dict[tuple[str, str, str], list[list[Odd]]] = {}
    for one in odd:
        # Of a series of the model whoever answered most stands for it, at the beginning.
        version = one.version if one.series.startswith(OF_VERSION) else ""
        mine = runs.setdefault((one.kind, one.series, version), [])
        if mine and one.at - mine[-1][-1].at <= APART_US:
            mine[-1].append(one)
        else:
            mine.append([one])
    return [_cause(model, run, upto) for of_series in runs.values() for run in of_series]


class _Held(msgspec.Struct, frozen=True, eq=False):
    """A series of a day, what it is held against, and where in that its hours stand."""

    key: Key
    series: Series
    ahead: Ahead
    at: NDArray[np.intp]


def _odd(day: Day, one: _Held, places: Sequence[int], busiest: str) -> Iterator[Odd]:
    key, series, ahead, at = one.key, one.series, one.ahead, one.at
    y, within = np.full((2, ahead.expected.size), np.nan)
    y[at], within[at] = series.y, series.within
    held = ahead.held_against(y, within)
    beyond = np.nan_to_num(ahead.beyond(held), posinf=0.0, neginf=0.0)
    for place in places:
        hour = at[place]
        span = int(np.abs(beyond[:, hour]).argmax())
        if abs(beyond[span, hour]) <= 1 or (beyond[span, hour] < 0 and key.name in WORSE_UPWARDS):
            continue
        seen, expected = key.natural(float(y[hour])), key.natural(float(ahead.expected[hour]))
        if key.name == LATENCY and seen < LEAST_SLOWER * expected:
            continue
        found = Hour(
            key=key,
            at=day.starts[place],
            version=key.version or busiest,
            span=SPANS[span],
            score=float(held.scans[span, hour]),
            seen=seen,
            expected=expected,
            rows=float(1 / within[hour]) if series.kind == "share" else 0.0,
            due=_due(y, ahead, int(hour)),
        )
        yield _told(found, ahead.noise)


def _due(y: Floats, ahead: Ahead, hour: int) -> float:
    some = np.flatnonzero(y[: hour + 1] != 0)
    first = int(some[-1]) + 1 if some.size else 0
    return float(np.nansum(ahead.expected[first : hour + 1]))


def _told(hour: Hour, noise: float) -> Odd:
    kind: Literal["seasonal", "quality"] = "seasonal"
    together = f"{hour.span} hours together: in the last of them " if hour.span > 1 else ""
    of = " of a request" if hour.key.name == LATENCY else ""
    unit = " s" if hour.key.name == LATENCY else ""
    text = f"{hour.key.name}{of} {together}{hour.seen:.3g}{unit} where {hour.expected:.3g}{unit} is usual at this hour"
    harm = -1.0
    if hour.key.name == REQUESTS and hour.seen < hour.expected:
        harm = (hour.expected - hour.seen) * HOURS_A_DAY
        nothing = no_rows(hour.due, noise) if not hour.seen else None
        if nothing is not None:
            kind, text = "quality", f"requests: {nothing.reason}"
    elif hour.key.name == ERRORS:
        harm = (hour.seen - hour.expected) * hour.rows * HOURS_A_DAY
    return Odd(hour.at, kind, hour.key.name, hour.version, text, hour.score, hour.seen, hour.expected, harm)


def _cause(model: str, run: Sequence[Odd], upto: EventTime) -> Cause:
    first, last = run[0], run[-1]
    about = (("of", first.series),)
    figures = (("score", first.score), ("seen", first.seen), ("expected", first.expected))
    return Cause(
        model=model,
        version=first.version,
        kind=first.kind,
        subjects=(first.series,),
        since=first.at,
        seen=first.at,
        ended=EventTime(last.at + HOUR_US) if upto - last.at >= CALM_HOURS * HOUR_US else None,
        reason=first.text,
        pages=first.pages,
        harm_per_day=first.harm_per_day if first.harm_per_day >= 0 else NotEnoughData("nobody knows what it costs"),
        bundle=tuple(Signal(name, first.at, value, about) for name, value in figures),
    )
