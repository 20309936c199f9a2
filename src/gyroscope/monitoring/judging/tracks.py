"""The families of monitors of one version: which streams share a budget, and what evidence their windows have given.

`Judge` follows these each round, rehearsals with other budgets. Pure: entered windows in, courses of evidence out.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence, Set
from itertools import chain, repeat
from typing import Any

import msgspec
import numpy as np

from gyroscope.clock import DAY_US, EventTime
from gyroscope.monitoring.judging.entered import Entry, Quieter
from gyroscope.records import CauseKind
from gyroscope.stats.arrays import Floats
from gyroscope.stats.evidence import SHARES, Baselines, Course, Family, Feedback, State, Streams, learned_shares, replay

SHARE: dict[CauseKind, float] = {
    "performance": SHARES["performance"],
    "quality": SHARES["quality"],
    "estimate": SHARES["estimate"],
    "seasonal": SHARES["predictions"],
    "output": SHARES["output"],
    # These inform and wake nobody: each has a budget of its own beside that of the pages.
    "input": 1.0,
    "relation": 1.0,
}


PAGING: tuple[CauseKind, ...] = ("performance", "quality", "estimate", "output")
"""The families that share the budget of pages and have streams."""


class Budget(msgspec.Struct, frozen=True):
    """What all families of a model may spend, per 30 days. Windows that start at one of `excluded` judge nothing.

    What was called noise is `quieter` from its windows on.
    """

    false_alarms: float
    excluded: Set[EventTime] = frozenset()
    quieter: tuple[Quieter, ...] = ()


class Track(msgspec.Struct, frozen=True, eq=False):
    """One family over the windows that were entered into it, in order of time.

    `part` says which part of its kind's budget of `false_alarms` it has, where there is more than one family of a kind.
    `share` is that of the newest window, `quieter` are its series that were called noise. `seen` is up to which window
    an alarm was looked at, and what of it matters by then: a track that goes on keeps it.
    """

    kind: CauseKind
    entries: tuple[Entry, ...]
    baselines: Baselines
    current: Streams
    course: Course
    false_alarms: float
    share: float
    quieter: tuple[str, ...] = ()
    part: str = ""
    seen: dict[tuple[int, tuple[str, ...]], tuple[int, list[Any]]] = {}

    @property
    def family(self) -> str:
        """What its evidence is called."""
        return self.part or self.kind

    def pooled(self, first: int, last: int) -> Streams:
        """The windows first to last, both included."""
        windows = slice(first, last + 1)
        here = self.current
        return msgspec.structs.replace(here, y=here.y[:, windows], within=here.within[:, windows])


def follow(
    kind: CauseKind,
    baselines: Baselines,
    entries: Sequence[Entry],
    current: Streams,
    budget: Budget,
    state: State,
) -> Track:
    """Replay one family from a state on; `current` are the streams of exactly these entries."""
    known = current.select(baselines.names)
    is_out = np.array([entry.window.start in budget.excluded for entry in entries], bool)
    known = msgspec.structs.replace(known, y=np.where(is_out, np.nan, known.y))
    family = Family(kind, baselines, SHARE[kind])
    starts = [entry.window.start for entry in entries]
    mine = [one for one in budget.quieter if one.kind == kind]
    told = [Feedback(bisect_right(starts, one.after) - 1, one.names, is_useful=False) for one in mine]
    shares = _shares(kind, starts, budget.quieter)
    days = _days(entries) * shares
    course = replay(family, known, days, false_alarms=budget.false_alarms, state=state, feedback=told)
    names = tuple(dict.fromkeys(name for one in mine for name in one.names))
    share = SHARE[kind] * float(shares[-1]) if len(shares) else SHARE[kind]
    return Track(kind, tuple(entries), baselines, known, course, budget.false_alarms, share, names)


def _shares(kind: CauseKind, starts: Sequence[EventTime], quieter: Sequence[Quieter]) -> Floats:
    """A family's part of the budget in each window, of what it has by default: noise of one goes to the others."""
    factors = np.ones(len(starts))
    noise: dict[str, int] = {}
    for one in sorted((one for one in quieter if one.kind in PAGING), key=lambda one: one.after):
        noise[one.kind] = noise.get(one.kind, 0) + 1
        if kind in PAGING:
            learned = learned_shares({name: SHARE[name] for name in PAGING}, {}, noise)
            factors[bisect_right(starts, one.after) :] = learned[kind] / SHARE[kind]
    return factors


def streams_of(entries: Sequence[Entry], names: tuple[str, ...], before: Streams | None = None) -> Streams:
    """The entered values of some streams; sides and weights are those of the baselines they are held against.

    `before` are those of the first entries, if they are known.
    """
    absent = (np.nan, np.nan)
    later = entries[before.windows :] if before is not None else entries
    pairs = chain.from_iterable(map(entry.streams.get, names, repeat(absent)) for entry in later)
    values = np.fromiter(chain.from_iterable(pairs), np.float64, 2 * len(later) * len(names))
    values = values.reshape(len(later), len(names), 2)
    y, within = values[:, :, 0].T, values[:, :, 1].T
    if before is not None:
        y, within = np.hstack([before.y, y]), np.hstack([before.within, within])
    one = np.ones(len(names))
    return Streams(names, y.copy(), within.copy(), np.zeros(len(names), np.int64), one, 0 * one)


def _days(entries: Sequence[Entry]) -> Floats:
    """The time each window stands for: since the one before, as far as the version had the model's traffic."""
    starts = np.array([entry.window.start for entry in entries], np.float64)
    if not len(starts):
        return starts
    first = entries[0].window
    since: Floats = np.diff(starts, prepend=starts[0] - (first.end - first.start)) / DAY_US
    share = np.array([entry.traffic for entry in entries])
    stands_for: Floats = since * share
    return stands_for
