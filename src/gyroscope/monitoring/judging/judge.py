"""The judge: enters each complete window once, replays all of them, and hands what is sure to the ledger.

The loop calls `judge` for every model after it has measured. What was entered is on disk, all else follows from it: a
control that was killed says the same causes again.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce

import msgspec

from gyroscope.clock import HOUR_US, EventTime
from gyroscope.monitoring.cache import Cache
from gyroscope.monitoring.cache import Entry as Line
from gyroscope.monitoring.fold import Fold
from gyroscope.monitoring.judging import Ledger
from gyroscope.monitoring.judging.basis import Basis, basis_of
from gyroscope.monitoring.judging.causes import About, settled
from gyroscope.monitoring.judging.completeness import Completeness, Moment
from gyroscope.monitoring.judging.early import BOUNDED
from gyroscope.monitoring.judging.entered import SOURCES, Entered, Entry, Source
from gyroscope.monitoring.judging.followed_hours import HourlySeries
from gyroscope.monitoring.judging.normal import Labelled, Normal, Rows, learn
from gyroscope.monitoring.judging.seasons import Seasons
from gyroscope.monitoring.judging.verdicts import OF_LABELS, OF_ROWS, Case, Verdicts
from gyroscope.monitoring.judging.watched import Watched, watched
from gyroscope.monitoring.references import Standard
from gyroscope.monitoring.segments import labelled_in
from gyroscope.records import Cause, CauseKind, Judged, NotEnoughData, Signal, Window
from gyroscope.settings import Monitoring, per_30_days
from gyroscope.settings_models import ModelMonitor
from gyroscope.stats.attribution import FeatureLosses
from gyroscope.stats.performance import Outcomes
from gyroscope.stats.profiles import Profile

NEAR_WINDOWS = 3
"""A change is dated to within a window or two; causes that began within three windows may be one."""


class Judge:
    """Judges all models of one home. One process runs it."""

    def __init__(self, settings: Monitoring, cache: Cache, entered: Entered, seasons: Seasons, ledger: Ledger) -> None:
        self._settings = settings
        self._cache = cache
        self._entered = entered
        self._seasons = seasons
        self._ledger = ledger
        self._completeness = Completeness(cache, settings)
        self._verdicts = Verdicts(settings, self._merged, self._today, self._losses)
        self._normals: dict[tuple[str, str], Normal] = {}
        self._kept: dict[About, str] = {}
        self._said: dict[str, tuple[tuple[str, ...], tuple[Entry | None, ...]]] = {}

    def judge(
        self, model: str, standards: Mapping[str, Standard], policy: ModelMonitor, moment: Moment
    ) -> tuple[int, list[Signal]]:
        """How many windows were entered, and the evidence to draw; nothing when nothing has changed."""
        if not policy.enabled:
            return 0, []
        said = self._said.pop(model, None)  # until the ledger has kept what follows: its disk may be full
        normals: list[tuple[About, Normal]] = []
        entered: list[Entry] = []
        for version, standard in standards.items():
            basis = self.basis(model, version, standard, moment)
            if not isinstance(basis, NotEnoughData):
                about = About(model, version)
                self._make_quieter(about, moment)  # weights are fixed before a window is seen
                normals.append((about, self._normal(about, basis, standard, policy)))
                entered += self._enter(about, normals[-1][1], moment)
        bases = tuple(normal.basis.id for _, normal in normals)
        early = tuple(self._early(about, normal) for about, normal in normals)
        seasonal = self._seasonal(model, standards, policy, moment)
        if not entered and said == (bases, early) and not seasonal:
            self._said[model] = bases, early
            return 0, []
        cases = [self._case(*one, soon) for one, soon in zip(normals, early, strict=True)]
        is_new = said is None or said[0] != bases
        since = EventTime(0) if is_new else min((one.window.start for one in entered), default=moment.now)
        causes, signals = self._verdicts.of(cases, self.false_alarms(policy), since)
        windows, hours = _upto(cases), self._seasons.upto(model)
        causes = [*settled(causes, windows), *settled(self._seasons.causes(model), hours)]
        # Hours say nothing of what was broken in windows: these alone say how far those have been judged.
        upto = {key: at for key, at in hours.items() if key[1] == "seasonal"} | windows
        self._ledger.take(model, Judged(tuple(causes), upto, self._near_us(cases), moment.now))
        self._said[model] = bases, early
        return len(entered), signals

    def _make_quieter(self, about: About, moment: Moment) -> None:
        """What people called noise since the last round weighs less in windows to come; each verdict moves once."""
        known = {one.incident for one in self._entered.quieter(about.model, about.version)}
        for noise in self._ledger.called_noise(about.model, about.version):
            found = self._verdicts.series_of(about, noise) if noise.incident not in known else None
            if found is not None:
                reason = f"{noise.incident} was called noise: {noise.kind} and these series have half of their weight"
                line = Line(moment.now, about.model, about.version, "weight moved", reason, ", ".join(found.names))
                self._entered.make_quieter(about.model, about.version, found)
                self._cache.write_down(line)

    def hours(self, model: str, standards: Mapping[str, Standard], policy: ModelMonitor) -> list[HourlySeries]:
        """The hourly series of a model as they were entered, and what each was expected to be."""
        signatures = {version: standard.lens.signature for version, standard in standards.items()}
        return self._seasons.shown(model, signatures, self.false_alarms(policy))

    def _seasonal(self, model: str, standards: Mapping[str, Standard], policy: ModelMonitor, moment: Moment) -> bool:
        """Enter the hours that are over; whether what is known to be unusual has changed."""
        before = self._seasons.causes(model)
        signatures = {version: standard.lens.signature for version, standard in standards.items()}
        self._seasons.enter(model, signatures, self.false_alarms(policy), moment)
        return self._seasons.causes(model) != before

    def basis(self, model: str, version: str, standard: Standard, moment: Moment) -> Basis | NotEnoughData:
        """What the windows of a version are held against, or why there is nothing yet."""
        return basis_of(
            standard, self._ledger.epochs(model, version), *self._completeness.ended(model, version, moment)
        )

    def rehearse(
        self, model: str, standards: Mapping[str, Standard], policy: ModelMonitor, moment: Moment, false_alarms: float
    ) -> list[Cause]:
        """What would have been found with another budget on all rows and labels known now; nothing is entered."""
        return self._verdicts.of(self._cases(model, standards, policy, moment), false_alarms, moment.now)[0]

    def watched(
        self, model: str, standards: Mapping[str, Standard], policy: ModelMonitor, moment: Moment
    ) -> list[Watched]:
        """Every family of a model: what it follows and what it can see."""
        false_alarms = self.false_alarms(policy)
        return [
            watched(case.about.version, track)
            for case in self._cases(model, standards, policy, moment)
            for track, _ in self._verdicts.tracks(case, self._verdicts.budget(case, false_alarms))
        ]

    def false_alarms(self, policy: ModelMonitor) -> float:
        """The budget of a model, per 30 days."""
        return per_30_days(policy.false_alarms or self._settings.false_alarms)

    def _cases(self, model: str, standards: Mapping[str, Standard], policy: ModelMonitor, moment: Moment) -> list[Case]:
        """Every version of a model as rows and labels are known now."""
        nothing: dict[Source, frozenset[EventTime]] = dict.fromkeys(SOURCES, frozenset())
        found = []
        for version, standard in standards.items():
            basis = self.basis(model, version, standard, moment)
            if not isinstance(basis, NotEnoughData):
                about = About(model, version)
                normal = self._normal(about, basis, standard, policy)
                rows, labels = self._complete(about, normal, moment, nothing)
                quieter = self._entered.quieter(model, version)
                found.append(Case(about, normal, tuple(rows), tuple(labels), quieter=quieter))
        return found

    def _case(self, about: About, normal: Normal, early: Entry | None) -> Case:
        basis = normal.basis
        rows, labels = (
            self._entered.entries(about.model, about.version, basis.id, source) for source in ("rows", "labels")
        )
        return Case(about, normal, tuple(rows), tuple(labels), early, self._entered.quieter(about.model, about.version))

    def _early(self, about: About, normal: Normal) -> Entry | None:
        """The first window after all with mature labels, with the labels that it has so far."""
        if not BOUNDED & set(normal.metrics):
            return None
        key = (about.model, about.version, normal.basis.id)
        rows, labels = (self._entered.entries(*key, source) for source in ("rows", "labels"))
        after = bisect_right(rows, labels[-1].window.start, key=lambda one: one.window.start) if labels else 0
        if after == len(rows):
            return None
        found = self._outcomes(about, rows[after].window)
        if found is None or not found.n:
            return None
        cells = self._cache.arrivals(about.model, about.version, rows[after].window)
        scored = max(sum(rows for rows, _ in cells.values()), found.n)
        return msgspec.structs.replace(rows[after], rows=scored, streams={}, outcomes=found.to_bytes())

    def _enter(self, about: About, normal: Normal, moment: Moment) -> list[Entry]:
        """Enter the windows that have become complete since the last round, oldest first."""
        key = (about.model, about.version, normal.basis.id)
        if normal.basis.id != self._kept.get(about):
            self._entered.keep_only(*key)
            self._kept[about] = normal.basis.id
        known = {source: frozenset(self._entered.starts(*key, source)) for source in SOURCES}
        rows, labels = self._complete(about, normal, moment, known)
        self._entered.add(*key, "rows", rows)
        self._entered.add(*key, "labels", labels)
        return [*rows, *labels]

    def _complete(
        self, about: About, normal: Normal, moment: Moment, known: Mapping[Source, frozenset[EventTime]]
    ) -> tuple[list[Entry], list[Entry]]:
        """What complete windows say as rows and labels are known now; those in `known` are left out."""
        basis = normal.basis
        reference = {start for start, _, _ in basis.reference.windows} if basis.uses_reference else set()
        complete = [
            one
            for one in self._completeness.rows(about.model, about.version, moment)
            if one.start >= basis.since and one.start not in reference
        ]
        new = [one for one in complete if one.start not in known["rows"]]
        folds = self._folds(about, new)
        rows = normal.enter(
            [Rows(one, fold.profile, fold.scored) for one, fold in zip(new, folds, strict=True) if fold is not None]
        )
        ripe = self._completeness.labels(about.model, about.version, complete, moment, known["labels"])
        labels = normal.label([one for window, scored in ripe for one in self._labelled(about, window, scored)])
        return self._with_traffic(about, rows), self._with_traffic(about, labels)

    def _with_traffic(self, about: About, entries: Sequence[Entry]) -> list[Entry]:
        """The entries with the share that the version has of the model's rows in their windows, as known now."""
        if not entries:
            return []
        stretch = Window(entries[0].window.start, entries[-1].window.end)
        whole = self._cache.scored_by_start(about.model, stretch)
        starts = list(whole)
        found = []
        for entry in entries:
            inside = starts[bisect_left(starts, entry.window.start) : bisect_left(starts, entry.window.end)]
            rows = sum(whole[start] for start in inside)
            found.append(msgspec.structs.replace(entry, traffic=entry.rows / rows if rows else 1.0))
        return found

    def _normal(self, about: About, basis: Basis, standard: Standard, policy: ModelMonitor) -> Normal:
        key = (about.model, about.version)
        known = self._normals.get(key)
        if known is None or known.basis.id != basis.id:
            profiles = [fold.profile for fold in self._folds(about, basis.added) if fold is not None]
            outcomes = [self._outcomes(about, window) for window in basis.added]
            added = list(zip(profiles, outcomes, strict=True))
            known = learn(basis, added, standard.version.signature, policy)
            self._normals[key] = known
        return known

    def _folds(self, about: About, windows: Sequence[Window]) -> list[Fold | None]:
        found = self._cache.cells(about.model, about.version, windows)
        return [reduce(Fold.merge, cells) if cells else None for cells in found]

    def _outcomes(self, about: About, window: Window) -> Outcomes | None:
        found = self._cache.tallies(about.model, about.version, window)
        return reduce(Outcomes.merge, found) if found else None

    def _labelled(self, about: About, window: Window, scored: int) -> Iterator[Labelled]:
        found = labelled_in(self._cache, about.model, about.version, window)
        if found is not None:
            yield Labelled(window, scored, *found)

    def _losses(self, about: About, window: Window) -> FeatureLosses | None:
        found = self._cache.losses(about.model, about.version, window)
        return reduce(FeatureLosses.merge, found) if found else None

    def _today(self, about: About, windows: Sequence[Window]) -> list[bytes]:
        stretch = Window(windows[0].start, windows[-1].end)
        packed = self._cache.packed_tallies(about.model, about.version, stretch)
        starts = list(packed)
        found = []
        for window in windows:
            inside = starts[bisect_left(starts, window.start) : bisect_left(starts, window.end)]
            if len(inside) == 1:
                found.append(packed[inside[0]])
            else:
                cells = [Outcomes.from_bytes(packed[start]) for start in inside]
                found.append(reduce(Outcomes.merge, cells).to_bytes() if cells else b"")
        return found

    def _merged(self, about: About, window: Window) -> Profile | NotEnoughData:
        (fold,) = self._folds(about, [window])
        return NotEnoughData("no rows in this stretch") if fold is None else fold.profile

    def _near_us(self, cases: Sequence[Case]) -> int:
        lengths = [entry.window.end - entry.window.start for case in cases for entry in case.rows[:1]]
        return NEAR_WINDOWS * max(lengths, default=HOUR_US)


def _upto(cases: Sequence[Case]) -> dict[tuple[str, CauseKind], EventTime]:
    found: dict[tuple[str, CauseKind], EventTime] = {}
    for case in cases:
        for kinds, entries in ((OF_ROWS, case.rows), (OF_LABELS, case.labels)):
            if entries:
                found |= {(case.about.version, kind): entries[-1].window.start for kind in kinds}
    return found
