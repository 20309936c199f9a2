"""The judge: enters each complete window once, replays all of them, and hands what is sure to the ledger.

The loop calls `judge` for every model after it has measured. What was entered is on disk, all else follows from it: a
control that was killed says the same causes again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce

import msgspec

from gyroscope.clock import EventTime
from gyroscope.monitoring.cache import Cache
from gyroscope.monitoring.fold import Fold
from gyroscope.monitoring.judging import Ledger
from gyroscope.monitoring.judging.basis import Basis, basis_of
from gyroscope.monitoring.judging.causes import About, broken, drifts, falls
from gyroscope.monitoring.judging.completeness import Completeness, Moment
from gyroscope.monitoring.judging.days import excluded
from gyroscope.monitoring.judging.entered import Entered, Entry
from gyroscope.monitoring.judging.normal import Normal, Rows, learn
from gyroscope.monitoring.judging.tracks import Budget, Track, follow, streams_of
from gyroscope.monitoring.references import Standard
from gyroscope.records import Cause, CauseKind, Judged, NotEnoughData, Signal, Window
from gyroscope.settings import Monitoring, per_30_days
from gyroscope.settings_models import ModelMonitor
from gyroscope.stats.performance import Outcomes
from gyroscope.stats.profiles import Profile

NEAR_WINDOWS = 3
"""A change is dated to within a window or two; causes that began within three windows may be one."""

LABEL_KINDS: tuple[CauseKind, ...] = ("performance",)
ROW_KINDS: tuple[CauseKind, ...] = ("quality", "output", "input")


class Case(msgspec.Struct, frozen=True, eq=False):
    """Everything about one version that is judged."""

    about: About
    normal: Normal
    rows: tuple[Entry, ...]
    labels: tuple[Entry, ...]


class Judge:
    """Judges all models of one home. One process runs it."""

    def __init__(self, settings: Monitoring, cache: Cache, entered: Entered, ledger: Ledger) -> None:
        self._settings = settings
        self._cache = cache
        self._entered = entered
        self._ledger = ledger
        self._completeness = Completeness(cache, settings)
        self._normals: dict[tuple[str, str], Normal] = {}
        self._said: dict[str, tuple[str, ...]] = {}

    def judge(
        self, model: str, standards: Mapping[str, Standard], policy: ModelMonitor, moment: Moment
    ) -> tuple[int, list[Signal]]:
        """How many windows were entered, and the evidence to draw; nothing when nothing has changed."""
        if not policy.enabled:
            return 0, []
        cases, entered = [], 0
        for version, standard in standards.items():
            basis = self.basis(model, version, standard, moment)
            if isinstance(basis, NotEnoughData):
                continue
            normal = self._normal(About(model, version), basis, standard, policy)
            entered += self._enter(About(model, version), normal, moment)
            cases.append(self._case(About(model, version), normal))
        bases = tuple(case.normal.basis.id for case in cases)
        if not entered and self._said.get(model) == bases:
            return 0, []
        causes, signals = self.verdict(cases, policy, per_30_days(policy.false_alarms or self._settings.false_alarms))
        self._ledger.take(model, Judged(tuple(causes), _upto(cases), self._near_us(cases), moment.now))
        self._said[model] = bases
        return entered, signals

    def basis(self, model: str, version: str, standard: Standard, moment: Moment) -> Basis | NotEnoughData:
        """What the windows of a version are held against, or why there is nothing yet."""
        complete = self._completeness.rows(model, version, moment)
        return basis_of(standard, self._ledger.epochs(model, version), complete)

    def cases(self, model: str, standards: Mapping[str, Standard], policy: ModelMonitor, moment: Moment) -> list[Case]:
        """Every version of a model as it is judged now; nothing is entered."""
        found = []
        for version, standard in standards.items():
            basis = self.basis(model, version, standard, moment)
            if not isinstance(basis, NotEnoughData):
                about = About(model, version)
                found.append(self._case(about, self._normal(about, basis, standard, policy)))
        return found

    def verdict(
        self, cases: Sequence[Case], policy: ModelMonitor, false_alarms: float
    ) -> tuple[list[Cause], list[Signal]]:
        """All causes of a model over its history at some budget, and the course of the evidence."""
        causes: list[Cause] = []
        signals: list[Signal] = []
        traffic = _traffic(cases)
        for case in cases:
            share = traffic[case.about.version]
            starts = [entry.window.start for entry in (*case.rows, *case.labels)]
            budget = Budget(false_alarms, share, excluded(self._settings.calendar, starts, self._settings.timezone))
            causes += broken(case.about, [one for one in case.rows if one.window.start not in budget.excluded])
            for track, found in self._tracks(case, budget):
                causes += found
                signals += _evidence(case.about, track)
        return causes, signals

    def _tracks(self, case: Case, budget: Budget) -> Iterator[tuple[Track, list[Cause]]]:
        for kind, drift in case.normal.drift.items():
            if drift.baselines.names and case.rows:
                current = streams_of(case.rows, drift.baselines.names)
                track = follow(kind, drift.baselines, case.rows, current, budget)
                yield track, list(drifts(case.about, track, case.normal, lambda window: self._merged(case, window)))
        if case.labels:
            baselines, current, streams = case.normal.performance(case.labels)
            if baselines.names:
                track = follow("performance", baselines, case.labels, current, budget)
                yield track, list(falls(case.about, track, streams))

    def _case(self, about: About, normal: Normal) -> Case:
        basis = normal.basis
        rows, labels = (
            self._entered.entries(about.model, about.version, basis.id, source) for source in ("rows", "labels")
        )
        return Case(about, normal, tuple(rows), tuple(labels))

    def _enter(self, about: About, normal: Normal, moment: Moment) -> int:
        """Enter the windows that have become complete since the last round, oldest first."""
        key = (about.model, about.version, normal.basis.id)
        known = set(self._entered.starts(*key, "rows"))
        complete = [
            one for one in self._completeness.rows(about.model, about.version, moment) if self._is_judged(one, normal)
        ]
        new = [one for one in complete if one.start not in known]
        folds = [(window, self._fold(about, window)) for window in new]
        rows = [Rows(window, fold.profile, fold.scored) for window, fold in folds if fold is not None]
        self._entered.add(*key, "rows", normal.enter(rows))
        with_labels = set(self._entered.starts(*key, "labels"))
        ripe = self._completeness.labels(about.model, about.version, complete, moment, with_labels)
        labelled = [
            Entry(window, scored, outcomes=found.to_bytes())
            for window, scored in ripe
            if (found := self._outcomes(about, window)) is not None
        ]
        self._entered.add(*key, "labels", labelled)
        return len(rows) + len(labelled)

    def _is_judged(self, window: Window, normal: Normal) -> bool:
        basis = normal.basis
        is_reference = basis.uses_reference and any(start == window.start for start, _, _ in basis.reference.windows)
        return window.start >= basis.since and not is_reference

    def _normal(self, about: About, basis: Basis, standard: Standard, policy: ModelMonitor) -> Normal:
        key = (about.model, about.version)
        known = self._normals.get(key)
        if known is None or known.basis.id != basis.id:
            added = [(self._profile(about, window), self._outcomes(about, window)) for window in basis.added]
            known = learn(basis, added, standard.version.signature, policy)
            self._entered.keep_only(about.model, about.version, basis.id)
            self._normals[key] = known
        return known

    def _fold(self, about: About, window: Window) -> Fold | None:
        cells = self._cache.cells(about.model, about.version, window)
        return reduce(Fold.merge, cells) if cells else None

    def _profile(self, about: About, window: Window) -> Profile:
        return reduce(Fold.merge, self._cache.cells(about.model, about.version, window)).profile

    def _outcomes(self, about: About, window: Window) -> Outcomes | None:
        found = self._cache.tallies(about.model, about.version, window)
        return reduce(Outcomes.merge, found) if found else None

    def _merged(self, case: Case, window: Window) -> Profile | NotEnoughData:
        fold = self._fold(case.about, window)
        return NotEnoughData("no rows in this stretch") if fold is None else fold.profile

    def _near_us(self, cases: Sequence[Case]) -> int:
        lengths = [entry.window.end - entry.window.start for case in cases for entry in case.rows[:1]]
        return NEAR_WINDOWS * max(lengths, default=0)


def _traffic(cases: Sequence[Case]) -> dict[str, dict[EventTime, float]]:
    """By version and window, its share of the model's scored rows."""
    whole: dict[EventTime, int] = {}
    for case in cases:
        for entry in case.rows:
            whole[entry.window.start] = whole.get(entry.window.start, 0) + entry.rows
    return {
        case.about.version: {
            entry.window.start: entry.rows / whole[entry.window.start] for entry in case.rows if entry.rows
        }
        for case in cases
    }


def _upto(cases: Sequence[Case]) -> dict[tuple[str, CauseKind], EventTime]:
    found: dict[tuple[str, CauseKind], EventTime] = {}
    for case in cases:
        for kinds, entries in ((ROW_KINDS, case.rows), (LABEL_KINDS, case.labels)):
            if entries:
                found |= {(case.about.version, kind): entries[-1].window.start for kind in kinds}
    return found


def _evidence(about: About, track: Track) -> list[Signal]:
    """How near each family was to its budget, window by window: it reaches 1 with an alarm."""
    labels = (("family", track.kind), ("model", about.model), ("version", about.version))
    return [
        Signal("evidence", entry.window.start, min(float(mass), 1e6), labels, n=entry.rows)
        for entry, mass in zip(track.entries, track.course.mass, strict=True)
    ]
