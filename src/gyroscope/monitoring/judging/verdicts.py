"""All history of a model replayed: every cause it shows at a budget, and the course of the evidence.

`Judge` asks after windows were entered, rehearsals with other budgets. What it remembers only saves work: a replay goes
on where the last one stopped, to the same bits, and no stretch of windows is looked at twice.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

import msgspec
import numpy as np

from gyroscope.clock import EventTime
from gyroscope.monitoring.judging.causes import About, Look, broken, continued, drifts, falls
from gyroscope.monitoring.judging.days import excluded
from gyroscope.monitoring.judging.early import EARLY, previewed
from gyroscope.monitoring.judging.entered import Entry, Quieter
from gyroscope.monitoring.judging.estimates import METRIC
from gyroscope.monitoring.judging.means import running_means
from gyroscope.monitoring.judging.normal import Normal
from gyroscope.monitoring.judging.practical import Moved, drifted
from gyroscope.monitoring.judging.segments import SEGMENTS, carried, halved, segments_of
from gyroscope.monitoring.judging.suspects import Losses, Suspects, told
from gyroscope.monitoring.judging.tracks import Budget, Track, follow, streams_of
from gyroscope.monitoring.windows import window_of
from gyroscope.records import Cause, CauseKind, Noise, NotEnoughData, Signal, Window
from gyroscope.settings import Monitoring
from gyroscope.stats.estimation import Verdict
from gyroscope.stats.evidence import Alarm, Baselines, State, Streams
from gyroscope.stats.evidence.alarms import CALM_WINDOWS
from gyroscope.stats.performance import Outcomes, PerformanceStream
from gyroscope.stats.profiles import Profile

OF_LABELS: tuple[CauseKind, ...] = ("performance", "relation")
OF_ROWS: tuple[CauseKind, ...] = ("quality", "output", "input", "estimate")

NOTHING_YET = NotEnoughData("not read yet")

Merged = Callable[[About, Window], Profile | NotEnoughData]
"""The profile of a version's rows over a stretch of windows."""

Today = Callable[[About, Sequence[Window]], list[bytes]]
"""The packed outcomes of windows, oldest first, as their labels say now; nothing for one that has none."""

GONE = "the version is asked no more, others are"

CORRECTED = "would not be found on the labels known today"


class Case(msgspec.Struct, frozen=True, eq=False):
    """Everything about one version that is judged; `early` is the next window, whose labels are still coming.

    What was called noise is `quieter`.
    """

    about: About
    normal: Normal
    rows: tuple[Entry, ...]
    labels: tuple[Entry, ...]
    early: Entry | None = None
    quieter: tuple[Quieter, ...] = ()


class Verdicts:
    """Replays the cases of one home; `merged`, `today` and `losses` read what is known now from the cache."""

    def __init__(self, settings: Monitoring, merged: Merged, today: Today, losses: Losses) -> None:
        self._settings = settings
        self._merged, self._today = merged, today
        self._suspects = Suspects(losses)
        self._tracks: dict[tuple[object, ...], Track] = {}
        self._looked: dict[tuple[object, ...], list[Moved]] = {}
        self._inside: dict[tuple[object, ...], bool] = {}
        self._stretches: dict[tuple[About, EventTime], tuple[EventTime, Profile | NotEnoughData]] = {}

    def of(self, cases: Sequence[Case], false_alarms: float, since: EventTime) -> tuple[list[Cause], list[Signal]]:
        """All causes of a model over its history at some budget; of windows since a moment what is to be drawn."""
        causes: list[Cause] = []
        signals: list[Signal] = []
        for case in cases:
            budget = self.budget(case, false_alarms)
            mine = broken(case.about, [one for one in case.rows if one.window.start not in budget.excluded])
            signals += _estimates(case, since)
            for track, found in self.tracks(case, budget):
                mine += continued(found)
                signals += _evidence(case.about, track, since)
                if track.family == "performance" and track.entries:
                    signals += running_means(case.about, case.normal.signature.task, track, since)
            causes += _ended(mine, case) if _is_gone(case, cases) else mine
        return causes, signals

    def budget(self, case: Case, false_alarms: float) -> Budget:
        starts = [entry.window.start for entry in (*case.rows, *case.labels)]
        out = excluded(self._settings.calendar, starts, self._settings.timezone)
        return Budget(false_alarms, out, case.quieter)

    def tracks(self, case: Case, budget: Budget) -> Iterator[tuple[Track, list[Cause]]]:
        for kind, drift in case.normal.drift.items():
            if drift.baselines.names and case.rows:
                track = self._follow(case, kind, drift.baselines, budget)
                yield track, list(drifts(case.about, track, self._look_of(case)))
        if case.normal.quality.names and case.rows:
            track = self._follow(case, "quality", case.normal.quality, budget)
            yield track, list(drifts(case.about, track, self._look_of(case)))
        yield from self._estimated(case, budget)
        yield from self._labelled(case, budget)

    def _estimated(self, case: Case, budget: Budget) -> Iterator[tuple[Track, list[Cause]]]:
        estimates, tolerance = case.normal.estimates, case.normal.policy.tolerance
        if not isinstance(estimates, NotEnoughData) and estimates.baselines.names and case.rows:
            track = self._follow(case, "estimate", estimates.baselines, budget)
            causes = falls(case.about, track, {METRIC: estimates.stream}, tolerance)
            yield track, [self._believed(case, cause) for cause in causes]

    def _labelled(self, case: Case, budget: Budget) -> Iterator[tuple[Track, list[Cause]]]:
        normal = case.normal
        later = [_outcomes(entry.outcomes) for entry in case.labels]
        found = normal.performance(later) if later else NotEnoughData("no window has its labels yet")
        own = halved(budget) if normal.policy.segments else budget
        parts = list(self._by_segment(case, own))
        if not isinstance(found, NotEnoughData) and found[0].names:
            baselines, current, streams = found
            track = self._follow(case, "performance", baselines, own, current)
            causes = list(falls(case.about, track, streams, normal.policy.tolerance))
            causes += self._early(case, own, track, streams)
            told_of = [self._suspected(case, own, cause) for cause in self._annotated(case, own, causes)]
            yield track, [carried(cause, [part for _, found in parts for part in found]) for cause in told_of]
        yield from parts
        if later and not isinstance(normal.estimates, NotEnoughData):
            meant = normal.estimates.meant
            track = self._follow(case, "relation", meant, budget)
            moved = falls(case.about, track, {METRIC: normal.estimates.disagreement}, normal.policy.tolerance)
            yield track, [cause for cause in moved if self._is_inside(case, cause)]

    def _early(
        self, case: Case, budget: Budget, track: Track, streams: Mapping[str, PerformanceStream]
    ) -> Iterator[Cause]:
        """What the next window is sure of whatever its missing labels say."""
        if case.early is None:
            return
        found = previewed(track, streams, case.early, _outcomes(case.early.outcomes), budget)
        causes = [] if found is None else falls(case.about, found, streams, case.normal.policy.tolerance)
        for cause in causes:
            if cause.seen == case.early.window.start:
                yield msgspec.structs.replace(cause, reason=f"{cause.reason}; {EARLY}")

    def _by_segment(self, case: Case, budget: Budget) -> Iterator[tuple[Track, list[Cause]]]:
        """Segments are held against their own first labelled windows: references hold none by segment."""
        found = segments_of(case.labels, case.normal.signature.task, budget)
        if isinstance(found, NotEnoughData):
            return
        later = msgspec.structs.replace(case, labels=found.later)
        track = self._follow(later, "performance", found.baselines, budget, found.current)
        track = msgspec.structs.replace(track, part=SEGMENTS)
        yield track, list(falls(case.about, track, found.streams, case.normal.policy.tolerance))

    def _suspected(self, case: Case, budget: Budget, cause: Cause) -> Cause:
        basis = case.normal.basis
        starts = [start for start, _, _ in basis.reference.windows] if basis.uses_reference else []
        normal = [window_of(start, self._settings.window, self._settings.timezone) for start in starts]
        labels = [entry.window for entry in case.labels if entry.window.start not in budget.excluded]
        found = self._suspects.of(case.about, cause, labels, [*normal, *basis.added])
        return told(cause, found, basis.reference.layout)

    def _annotated(self, case: Case, budget: Budget, causes: list[Cause]) -> list[Cause]:
        """Labels that came or were corrected later take no cause back: it is said of those that last."""
        if all(cause.ended is not None for cause in causes):
            return causes
        today = self._today(case.about, [entry.window for entry in case.labels])
        if today == [entry.outcomes for entry in case.labels] or not all(today):
            return causes
        found = case.normal.performance([_outcomes(packed) for packed in today])
        if isinstance(found, NotEnoughData):
            return causes
        baselines, current, streams = found
        track = follow("performance", baselines, case.labels, current, budget, State())
        still = list(falls(case.about, track, streams, case.normal.policy.tolerance))
        return [
            cause
            if cause.ended is not None or any(one.ended is None for one in still)
            else msgspec.structs.replace(cause, note=CORRECTED)
            for cause in causes
        ]

    def _believed(self, case: Case, cause: Cause) -> Cause:
        """An estimate about rows unlike any the estimator has learned from informs and pages nobody."""
        if self._is_inside(case, cause):
            return cause
        return msgspec.structs.replace(cause, reason=f"{cause.reason}; {Verdict.OUTSIDE.value}", pages=False)

    def _is_inside(self, case: Case, cause: Cause) -> bool:
        """Whether the estimator may be believed about the rows since a change: else nothing has changed its meaning."""
        length = case.rows[-1].window.end - case.rows[-1].window.start
        stretch = Window(cause.since, EventTime(cause.seen + length))
        key = (case.about, case.normal.basis.id, stretch)
        if key not in self._inside:
            found, estimates = self._stretch(case.about, stretch), case.normal.estimates
            self._inside[key] = (
                not isinstance(found, NotEnoughData)
                and not isinstance(estimates, NotEnoughData)
                and estimates.is_inside(case.normal.total, found)
            )
        return self._inside[key]

    def series_of(self, about: About, noise: Noise) -> Quieter | None:
        """The series that an incident was about; None where it was no alarm of a family."""
        tracks = [one for key, one in self._tracks.items() if key[0] == about and one.kind == noise.kind]
        for track, (_, names), (last, found) in ((one, *seen) for one in tracks for seen in one.seen.items()):
            if found and track.entries[last].window.start == noise.seen:
                return Quieter(noise.incident, noise.kind, track.entries[-1].window.start, names)
        return None

    def _follow(
        self, case: Case, kind: CauseKind, baselines: Baselines, budget: Budget, current: Streams | None = None
    ) -> Track:
        """Replay, going on from what was replayed before if that was of the first of these very entries."""
        entries = case.labels if kind in OF_LABELS else case.rows
        key = (case.about, case.normal.basis.id, kind, baselines.names[:1], budget.false_alarms, budget.quieter)
        before = self._tracks.get(key)
        if before is not None and not _begins_with(entries, before.entries):
            before = None
        if current is None:
            current = streams_of(entries, baselines.names, before.current if before else None)
        state = before.course.state if before else State()
        track = follow(kind, baselines, entries, current, budget, state)
        if before:
            track.seen.update(before.seen)
        # What is held back on a day of the calendar is so in the track alone: the day may be taken off it again.
        self._tracks[key] = msgspec.structs.replace(track, current=current)
        return track

    def _stretch(self, about: About, stretch: Window) -> Profile | NotEnoughData:
        """The profile of a stretch; one that was asked for before is only merged with the windows that came since."""
        end, known = self._stretches.get((about, stretch.start), (stretch.start, NOTHING_YET))
        if isinstance(known, NotEnoughData) or end > stretch.end:
            known = self._merged(about, stretch)
        elif end < stretch.end:
            later = self._merged(about, Window(end, stretch.end))
            known = known if isinstance(later, NotEnoughData) else known.merge(later)
        self._stretches[about, stretch.start] = (stretch.end, known)
        return known

    def _look_of(self, case: Case) -> Look:
        """How far the columns of an alarm have moved, as of one of its windows; looked up once."""

        def look(alarm: Alarm, last: int) -> list[Moved]:
            stretch = Window(case.rows[alarm.since].window.start, case.rows[last].window.end)
            key = (case.about, case.normal.basis.id, stretch, alarm.names)
            if key not in self._looked:
                found = self._stretch(case.about, stretch)
                windows = last - alarm.since + 1
                self._looked[key] = (
                    [] if isinstance(found, NotEnoughData) else drifted(alarm, case.normal, found, windows)
                )
            return self._looked[key]

        return look


def _begins_with(entries: Sequence[Entry], first: Sequence[Entry]) -> bool:
    """Whether the same objects come first: `Entered` keeps them, and a rehearsal makes its own."""
    return len(first) <= len(entries) and all(map(operator.is_, entries, first))


@lru_cache(maxsize=2_048)
def _outcomes(packed: bytes) -> Outcomes:
    """Decoded once: a replay of months asks for the same windows every day."""
    return Outcomes.from_bytes(packed)


def _estimates(case: Case, since: EventTime) -> list[Signal]:
    """What performance was estimated to be, to be drawn beside what it turned out to be."""
    labels = (("model", case.about.model), ("version", case.about.version))
    return [
        Signal("performance_estimated", entry.window.start, value, (("metric", name), *labels), low, high, entry.rows)
        for entry in case.rows
        if entry.window.start >= since
        for name, (value, low, high) in entry.estimates.items()
    ]


def _evidence(about: About, track: Track, since: EventTime) -> list[Signal]:
    """How near each family was to its budget, window by window: it reaches 1 with an alarm."""
    labels = (("family", track.family), ("model", about.model), ("version", about.version))
    return [
        Signal("evidence", entry.window.start, min(float(mass), 1e6), labels, n=entry.rows)
        for entry, mass in zip(track.entries, track.course.mass, strict=True)
        if np.isfinite(mass) and entry.window.start >= since
    ]


def _is_gone(case: Case, cases: Sequence[Case]) -> bool:
    """Whether others have gone on without this version for so long that one which is quiet would be over."""
    last = case.rows[-1].window.start if case.rows else EventTime(0)
    later = {entry.window.start for other in cases for entry in other.rows if entry.window.start > last}
    return bool(case.rows) and len(later) >= CALM_WINDOWS


def _ended(causes: Sequence[Cause], case: Case) -> list[Cause]:
    """What was true of a version to its end is over with it: nothing would ever end it."""
    end = case.rows[-1].window.end
    return [
        one if one.ended is not None else msgspec.structs.replace(one, ended=max(end, one.since), note=one.note or GONE)
        for one in causes
    ]
