"""The e-detector: evidence for a change at any start, spent from a budget that grows with time.

Monitoring replays each family after every round of windows. Pure: the same windows give the same alarms, bit for bit,
whether they come at once or one at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from gyroscope.stats.arrays import Floats, Ints
from gyroscope.stats.evidence.alarms import Alarm, Course, State, describe, is_calm, telling
from gyroscope.stats.evidence.candidates import Candidates, candidates
from gyroscope.stats.evidence.eprocess import Sums
from gyroscope.stats.evidence.families import Family, Feedback, masses
from gyroscope.stats.evidence.scoring import scores
from gyroscope.stats.evidence.streams import Streams

LEAST_EVIDENCE = 4.0
"""An e-value below 4 says next to nothing and counts for nothing. Hundreds of streams would else sum up to half of an
alarm with no evidence in any of them. Counting less than an e-value is always allowed."""

_NEVER = np.iinfo(np.int64).max


def replay(
    family: Family,
    current: Streams,
    days: Floats,
    *,
    false_alarms: float = 1.0,
    state: State | None = None,
    feedback: Sequence[Feedback] = (),
) -> Course:
    """Follow a family over windows.

    Parameters
    ----------
    family : Family
        Of S usable streams.
    current : Streams
        T windows in order of time, each complete ("mature"); matched by name.
    days : float array, shape (T,)
        Since the window before: the time a window stands for.
    false_alarms : float
        The budget: false alarms per 30 days that all families together may raise.
    state : State, optional
        Of an earlier replay of the first windows of `current`: only the later ones are judged.
    feedback : sequence of Feedback
        Verdicts on earlier alarms.

    Returns
    -------
    Course
        With an alarm for each time the evidence reached 1. Then its members rest until three normal windows have
        passed, and all other streams start afresh.

    Notes
    -----
    The Shiryaev-Roberts e-detector of Shin, Ramdas & Rinaldo 2022 (arXiv 2203.03532), with mass in proportion to time:
    a change that begins with window j gets false_alarms * share * days_j / 30. As an e-value has mean 1 at most
    while nothing changed, each alarm uses up one unit of that mass on average, whatever the streams have to do with
    each other. That is a theorem for a known reference; with an estimated one it is "designed for, and measured": see
    row N1 of the benchmarks. O(S * min(t, 64)) a window.

    Examples
    --------
    >>> from gyroscope.stats.evidence import fit_baselines, stream
    >>> normal = fit_baselines(stream("loss", np.tile([0.9, 1.0, 1.1, 1.0], 10), np.full(40, 0.01), side=1))
    >>> later = stream("loss", np.r_[np.tile([1.0, 0.9, 1.1], 4), np.full(4, 1.6)], np.full(16, 0.01))
    >>> course = replay(Family("performance", normal), later, np.ones(16))
    >>> [(alarm.since, alarm.at, alarm.names) for alarm in course.alarms]
    [(11, 12, ('loss',))]
    >>> replay(Family("performance", normal), later, np.ones(16), state=course.state).alarms == course.alarms
    True
    """
    known = current.select(family.baselines.names)
    z = scores(family.baselines, known)
    walk = _Walk(family, known, z, masses(family, days, false_alarms, feedback), state or State())
    for window in range(walk.state.windows, known.windows):
        walk.step(window)
    return Course(family.baselines.names, walk.mass, walk.evidence, z, walk.state)


class _Walk:
    """One replay: the sums over windows, where each stream's candidates begin, and what was raised so far."""

    def __init__(self, family: Family, current: Streams, z: Floats, mass: Floats, state: State) -> None:
        self._family, self._current, self._z, self._spent = family, current, z, mass
        self._candidates = Candidates(family.baselines, _running_sums(z, current, family), LEAST_EVIDENCE)
        self._places = {name: place for place, name in enumerate(family.baselines.names)}
        self.state = state
        self.mass = np.full(current.windows, np.nan)
        self.evidence = np.zeros_like(z)
        self._begin = self._candidates_begin()

    def step(self, window: int) -> None:
        """Enter one window."""
        rows, e = self._candidates.of(window)
        parts = self._spent_on(rows, window) * np.where(e >= LEAST_EVIDENCE, e, 0.0)
        self.evidence[rows, window] = parts.sum(axis=1)
        self.mass[window] = self.evidence[:, window].sum()
        alarms = tuple(self._closed(alarm, window) for alarm in self.state.alarms)
        if self.mass[window] >= 1:
            start = int(parts.sum(axis=0).argmax())
            alone = np.zeros(len(self._places))
            alone[rows] = e[:, start]
            alarms += (self._alarm(window, candidates(window).start + start, alone),)
        is_changed = alarms != self.state.alarms
        self.state = State(window + 1, alarms)
        if is_changed:
            self._begin = self._candidates_begin()

    def _spent_on(self, rows: Ints, window: int) -> Floats:
        """The mass of each candidate of some streams (R, J), 0 where one is not in the race."""
        starts = candidates(window)
        spent = self._spent[rows, starts]
        if self.state.alarms:
            begin = self._begin[rows, np.newaxis]
            spent = np.where(np.arange(starts.start, starts.stop) >= begin, spent, 0.0)
        return spent

    def _candidates_begin(self) -> Ints:
        """The first window with which a stream's change may begin, (S,): after the last alarm, after its own closed."""
        every = self.state.alarms
        begin = np.full(len(self._places), every[-1].at + 1 if every else 0, np.int64)
        for alarm in every:
            rows = [self._places[name] for name in alarm.names]
            begin[rows] = _NEVER if alarm.closed is None else np.maximum(begin[rows], alarm.closed + 1)
        return begin

    def _alarm(self, window: int, since: int, e: Floats) -> Alarm:
        shares = self.evidence[:, window] / self.mass[window]
        windows = slice(since, window + 1)
        stretch = msgspec.structs.replace(
            self._current, y=self._current.y[:, windows], within=self._current.within[:, windows]
        )
        # A stream that was absent ever since may hold evidence of earlier windows, but nothing to say of this change.
        is_seen = np.isfinite(self._z[:, windows]).any(axis=1)
        rows = telling(np.where(is_seen, shares, 0.0), e * self._spent[:, since] / self._spent[:, since].sum())
        members = describe(rows, shares, self._z[:, windows], stretch, self._family.baselines)
        return Alarm(self._family.name, window, since, float(self.mass[window]), members)

    def _closed(self, alarm: Alarm, window: int) -> Alarm:
        if alarm.closed is not None:
            return alarm
        rows = [self._places[name] for name in alarm.names]
        side = self._family.baselines.sides[rows, np.newaxis]
        z = self._z[rows, alarm.at + 1 : window + 1]
        return (
            msgspec.structs.replace(alarm, closed=window) if is_calm(np.where(side == 0, abs(z), side * z)) else alarm
        )


def _running_sums(z: Floats, current: Streams, family: Family) -> Sums:
    """Of the windows before each one, arrays of shape (T + 1, S).

    A window counts by how precisely it is known: typical variance over its own. Its pseudo-value is z over the root of
    that weight.
    """
    here = np.isfinite(z)
    baselines = family.baselines
    variance = np.where(here, current.within, 1.0) + baselines.tau2[:, np.newaxis]
    weight = np.where(here, baselines.typical[:, np.newaxis] / variance, 0.0)
    score = np.where(here, z, 0.0)

    def before(part: Floats) -> Floats:
        sums = np.zeros((part.shape[1] + 1, part.shape[0]))
        np.cumsum(part.T, axis=0, out=sums[1:])
        return sums

    return Sums(before(here.astype(np.float64)), before(weight), before(np.sqrt(weight) * score), before(score**2))
