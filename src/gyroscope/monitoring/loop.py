"""The monitor: reads new rows and labels, folds them, measures the windows they touch, writes signals.

Control runs `run_once` in its loop; pages, reports and the command line ask for profiles and outcomes of windows.
It takes event time, does work in proportion to what changed, and notifies nobody.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from types import MappingProxyType

import msgspec
from msgspec.structs import replace

from gyroscope.clock import SECOND_NS, EventTime, MachineTime, machine_now
from gyroscope.errors import GyroscopeError
from gyroscope.models.blocks import Blocks
from gyroscope.models.store import ModelStore
from gyroscope.monitoring import cold_start
from gyroscope.monitoring.cache import Cache, Entry
from gyroscope.monitoring.coverage import PAST_US, Coverage, coverage_of, measure_coverage
from gyroscope.monitoring.fold import Cell, Columns, Fold
from gyroscope.monitoring.judging import Ledger
from gyroscope.monitoring.judging.basis import Basis
from gyroscope.monitoring.judging.completeness import Moment, behind, moment_of_data
from gyroscope.monitoring.judging.entered import Entered
from gyroscope.monitoring.judging.followed_hours import HourlySeries
from gyroscope.monitoring.judging.judge import Judge
from gyroscope.monitoring.judging.seasons import Seasons
from gyroscope.monitoring.judging.turns import Turns
from gyroscope.monitoring.judging.watched import Watched
from gyroscope.monitoring.measure import Facts, measure_labels, measure_rows
from gyroscope.monitoring.months import Month, months
from gyroscope.monitoring.reader import ROWS_A_ROUND, Reader
from gyroscope.monitoring.references import References, Standard
from gyroscope.monitoring.rounds import Collector, Round
from gyroscope.monitoring.segments import Segment, labelled_in, segments_of
from gyroscope.monitoring.tally import Packed
from gyroscope.monitoring.windows import cell_length, window_of
from gyroscope.predictions.labels.labels import Labels
from gyroscope.predictions.tables.table import Table
from gyroscope.records import Cause, NotEnoughData, Signal, Window
from gyroscope.settings import Monitoring
from gyroscope.settings_models import ModelMonitor, ModelPolicy
from gyroscope.signals.store import Signals
from gyroscope.stats.performance import MATURE_COVERAGE, Outcomes
from gyroscope.stats.profiles import Profile

# A window that keeps changing is measured this often: a replay touches the same day in every round for seconds.
SETTLE_NS = 2 * SECOND_NS

# Work of one round, about half a second each, so that a long backlog neither blocks control nor hides its progress.
FILES_A_ROUND = 64
WINDOWS_A_ROUND = 64
ALL = 1 << 62

READINGS_OF_LABELS = ("performance", "labels")

# What a window costs falls with how many are measured together, and their profiles are kept meanwhile.
WINDOWS_AT_ONCE = 32

LOG = logging.getLogger(__name__)

Standards = Mapping[str, Standard]


class Due(msgspec.Struct, frozen=True):
    """A window to be measured: the cells that made it dirty, and whether any of them has new rows."""

    version: str
    window: Window
    cells: tuple[Cell, ...]
    has_new_rows: bool


class Stores(msgspec.Struct, frozen=True):
    """What the loop reads and writes: models, tables of predictions, labels, signals, and the cache's own file."""

    models: ModelStore
    tables: Callable[[str], Table]
    labels: Labels
    signals: Signals
    cache: Path


class Monitor:
    """All models of one home. One process runs the loop; reading is open to every thread.

    Without a `ledger` windows are measured and nothing is judged.
    """

    def __init__(
        self,
        settings: Monitoring,
        stores: Stores,
        ledger: Ledger | None = None,
        policies: Mapping[str, ModelPolicy] = MappingProxyType({}),
    ) -> None:
        self._settings = settings
        self._models = stores.models
        self._labels = stores.labels
        self._signals = stores.signals
        self._policies = policies
        self._blocks = Blocks(settings.timezone, cell_length(settings.window))
        self._cache = Cache(stores.cache)
        self._reader = Reader(stores.tables, self._cache, self._blocks)
        self._references = References(stores.models)
        self._entered = Entered(stores.cache)
        self._seasons = Seasons(settings, self._cache, stores.cache, self._reader.complaints)
        self._judge = Judge(settings, self._cache, self._entered, self._seasons, ledger) if ledger is not None else None
        self._turns = Turns()
        self._measured_at: dict[tuple[str, str, EventTime], MachineTime] = {}
        self._running = threading.Lock()
        self._collector = Collector()
        self._failures: dict[str, str] = {}

    def run_once(self, now: EventTime, *, final: bool = False) -> Round:
        """Bring signals up to date with tables and labels; `final` waits for no window to settle and leaves none.

        What goes wrong with one model is logged, kept in the round and tried again in the next; the others go on.
        """
        done = Round()
        with self._running, self._collector.waiting():
            known: dict[str, Standards] = {}
            for model in self._models.models():
                with _named(model, done):
                    known[model] = self._one_model(model, now, final, done)
            self._judge_some(known, now, final, done)
            for model, failure in done.failures.items() - self._failures.items():
                LOG.error("measuring %s: %s", model, failure)
            self._failures = done.failures
        return done

    def outcomes(self, model: str, version: str, start: EventTime, end: EventTime) -> Outcomes | NotEnoughData:
        """The labelled rows of a version in the windows that start in [start, end), added up exactly."""
        found = self._cache.tallies(model, version, Window(start, end))
        return reduce(Outcomes.merge, found) if found else NotEnoughData("no rows in this stretch")

    def basis(self, model: str, version: str, now: EventTime) -> Basis | NotEnoughData:
        """What a version's windows are held against, or why they are not judged yet."""
        standard = self._references.of(model).get(version)
        if self._judge is None or standard is None:
            return NotEnoughData("nothing is judged here")
        return self._judge.basis(model, version, standard, self._moment(model, now))

    def rehearse(self, model: str, now: EventTime, false_alarms: float) -> list[Cause]:
        """What would have been found at some budget on all that is known of a model now; it changes nothing."""
        return [] if self._judge is None else self._judge.rehearse(model, *self._about(model, now), false_alarms)

    def watched(self, model: str, now: EventTime) -> list[Watched]:
        """What each family of monitors of a model follows, and how small a change it can see."""
        return [] if self._judge is None else self._judge.watched(model, *self._about(model, now))

    def hours(self, model: str) -> list[HourlySeries]:
        """Predictions over time: the hourly series of a model, as far as hours are complete."""
        return [] if self._judge is None else self._judge.hours(model, self._references.of(model), self._policy(model))

    def months(self, model: str, version: str) -> list[Month]:
        """Every calendar month of the monitoring time zone that has predictions, oldest first."""
        return months(self._cache, model, version, self._settings.timezone)

    def segments(self, model: str, version: str) -> tuple[Segment, ...]:
        """Performance of a version in each segment that its policy names, and how it differs from the rest."""
        policy = self._policy(model)
        return segments_of(self._cache, model, version, policy.segments)

    def journal(self, model: str) -> list[Entry]:
        """What was decided about a model here, and why."""
        return self._cache.journal(model)

    def close(self) -> None:
        for store in (self._cache, self._entered, self._seasons):
            store.close()

    def _one_model(self, model: str, now: EventTime, final: bool, done: Round) -> Standards:
        with done.timed("references"):
            standards = self._current_standards(model)
        before = (done.files, done.label_days, done.windows)
        with done.timed("files"):
            lenses = {version: standard.lens for version, standard in standards.items()}
            most = (ALL, ALL) if final else (FILES_A_ROUND, ROWS_A_ROUND)
            done.files += self._reader.fold_some(model, lenses, *most)
        with done.timed("labels"):
            done.label_days += self._take_labels(model, now)
        with done.timed("cold start"):
            made = [v for v in standards.values() if not v.digest and self._made_reference(v, standards, now)]
            done.references += len(made)
        if not made:
            with done.timed("measure"):
                self._measure(model, standards, now, final, done)
        elif final:  # now every window has something to be held against: all is folded anew
            return self._one_model(model, now, final, done)
        if before != (done.files, done.label_days, done.windows):
            self._turns.changed(model, machine_now())
        return standards

    def _judge_some(self, known: Mapping[str, Standards], now: EventTime, final: bool, done: Round) -> None:
        """Judge the models whose turn it is, after all are measured; when time is up, the others have theirs later."""
        if self._judge is None:
            return
        for model in self._turns.due(known, machine_now()):
            began = machine_now()
            if not (final or self._turns.has_time(began)):
                return
            with _named(model, done), done.timed("judge"):
                policy, moment = self._policy(model), self._moment(model, now)
                entered, evidence = self._judge.judge(model, known[model], policy, moment)
                done.entered += entered
                self._signals.put(evidence)
            self._turns.judged(model, began, machine_now())

    def _about(self, model: str, now: EventTime) -> tuple[Standards, ModelMonitor, Moment]:
        return self._references.of(model), self._policy(model), self._moment(model, now)

    def _policy(self, model: str) -> ModelMonitor:
        return self._policies.get(model, ModelPolicy()).monitor

    def _moment(self, model: str, now: EventTime) -> Moment:
        found = moment_of_data(self._cache.newest(model), now, is_quiet=self._turns.is_quiet(model, machine_now()))
        return behind(found, self._reader.backlog(model), self._settings.timezone)

    def _current_standards(self, model: str) -> Standards:
        """What each version is held against; where that has changed, its rows are to be folded anew."""
        standards = self._references.of(model)
        for version, standard in standards.items():
            if self._cache.standard(model, version) != standard.digest:
                with self._cache.transaction():
                    self._reader.forget(model, version)
                    self._cache.put_standard(model, version, standard.digest)
        segments = " ".join(self._policy(model).segments)
        if self._cache.standard(model, "segments") != segments:
            with self._cache.transaction():
                cells = [cell for version in standards for cell in self._cache.scored_by_cell(model, version)]
                self._cache.mark_dirty(model, cells, has_new_rows=False)
                self._cache.put_standard(model, "segments", segments)
        return standards

    def _take_labels(self, model: str, now: EventTime) -> int:
        days = self._labels.settle(model, now)
        if days:
            with self._cache.transaction():
                self._cache.mark_dirty(model, self._cache.cells_of_days(model, days), has_new_rows=False)
            self._labels.restated(model, days)
            self._seasons.labels_came(model)
        return len(days)

    def _made_reference(self, standard: Standard, standards: Standards, now: EventTime) -> bool:
        """Make, store and journal the reference of a version that has none, once its first rows are complete."""
        version = standard.version
        newest = min(now, self._cache.newest(version.model))
        cells = self._cache.scored_by_cell(version.model, version.version)
        span = cold_start.first_span(cells, self._settings.reference, self._blocks, newest)
        if isinstance(span, NotEnoughData) or self._reader.backlog(version.model):
            return False
        days = sorted({cell.day for cell in cells if span.window.start <= cell.start < span.window.end})
        parts = (part for day in days for part in self._rows_with_labels(standard, day))
        blocks = Blocks(self._settings.timezone, self._settings.window)
        reference = cold_start.build(version, parts, span, blocks)
        self._models.put_reference(version, reference)
        self._cache.write_down(cold_start.entry_of(version, reference, span, newest, self._blocks.zone))
        return True

    def _rows_with_labels(self, standard: Standard, day: str) -> Iterator[tuple[Columns, cold_start.Values]]:
        """The rows of a version on one day, part by part, each with the labels of that day."""
        version = standard.version
        ids, rows, values = self._labels.of_day(version.model, day)
        known = dict(zip(zip(ids.tolist(), rows.tolist(), strict=True), values.tolist(), strict=True))
        files = self._reader.files_of(version.model, {day})
        for part in self._reader.rows(version.model, files, standard.lens, version.version):
            yield part, known

    def _measure(self, model: str, standards: Standards, now: EventTime, final: bool, done: Round) -> None:
        due, left = self._due(model, standards, final)
        done.left += left
        done.windows += len(due)
        if not due:
            return
        self._tally(model, [cell for one in due for cell in one.cells], standards)
        found: list[Signal] = []
        for version, standard in standards.items():
            mine = [one for one in due if one.version == version]
            for first in range(0, len(mine), WINDOWS_AT_ONCE):
                found += self._measured(model, mine[first : first + WINDOWS_AT_ONCE], standard, now)
        outdated = [one for version in standards for one in self._outdated(model, version, due)]
        self._signals.put(found, instead_of=outdated)
        self._cache.mark_clean(model, [cell for one in due for cell in one.cells])

    def _due(self, model: str, standards: Standards, final: bool) -> tuple[list[Due], int]:
        """The windows to measure now, and how many wait: for files not folded yet, or to settle."""
        moment = machine_now()
        for key in [key for key, at in self._measured_at.items() if moment - at >= SETTLE_NS]:
            del self._measured_at[key]
        backlog = self._reader.backlog(model)
        windows = self._dirty_windows(model, standards)
        ready = [
            one
            for one in windows
            if (final or (model, one.version, one.window.start) not in self._measured_at)
            and not any(cell.day in backlog for cell in one.cells)
        ][: ALL if final else WINDOWS_A_ROUND]
        for one in ready:
            self._measured_at[model, one.version, one.window.start] = moment
        return ready, len(windows) - len(ready)

    def _dirty_windows(self, model: str, standards: Standards) -> list[Due]:
        cells: dict[tuple[str, Window], list[Cell]] = {}
        dirty = self._cache.dirty(model)
        for cell in dirty:
            if cell.version in standards:
                window = window_of(cell.start, self._settings.window, self._settings.timezone)
                cells.setdefault((cell.version, window), []).append(cell)
        return [
            Due(version, window, tuple(found), any(dirty[cell] for cell in found))
            for (version, window), found in cells.items()
        ]

    def _tally(self, model: str, due: list[Cell], standards: Standards) -> None:
        """Count what became of the labelled rows of some cells, and of all others of their days."""
        gone = self._cache.days_let_go(model)  # their rows are gone, what was tallied of them stays
        wanted = self._policy(model).segments
        lenses = {version: replace(standard.lens, segments=wanted) for version, standard in standards.items()}
        days = {cell.day for cell in due} - gone
        cells = [cell for cell in self._cache.cells_of_days(model, days) if cell.version in lenses]
        tallies: dict[Cell, Packed] = {cell: standards[cell.version].unlabelled for cell in cells}
        for day in self._labels.days_known(model, days):
            found = self._reader.tallied(model, day, lenses, self._labels.known_on(model, day))
            tallies |= {cell: known.packed() for cell, known in found.items() if cell in tallies}
        with self._cache.transaction():
            self._cache.drop_tallies(model, [cell for cell in due if cell not in tallies and cell.day not in gone])
            self._cache.put_tallies(model, tallies)

    def _measured(self, model: str, due: Sequence[Due], standard: Standard, now: EventTime) -> list[Signal]:
        """The signals of some windows of one version."""
        cells = self._cache.cells(model, standard.version.version, [one.window for one in due])
        windows = [self._facts(model, one, some, standard) for one, some in zip(due, cells, strict=True)]
        limits = self._settings.thresholds
        found = measure_rows(
            [facts for facts, one in zip(windows, due, strict=True) if one.has_new_rows], standard, limits
        )
        for facts in windows:
            coverage = self._coverage(facts, standard, now)
            found += measure_labels(facts, standard, limits, coverage.labelled)
            found += measure_coverage(facts.window, facts.outcomes, facts.fold.scored, coverage, standard)
        return found

    def _facts(self, model: str, due: Due, cells: list[Fold], standard: Standard) -> Facts:
        labelled = labelled_in(self._cache, model, due.version, due.window)
        return Facts(
            window=due.window,
            fold=_merged(cells) if cells else Fold(profile=Profile.empty(standard.lens.layout)),
            outcomes=labelled[0] if labelled else NotEnoughData("no rows in this window"),
            segments=labelled[1].parts if labelled else {},
        )

    def _coverage(self, facts: Facts, standard: Standard, now: EventTime) -> Coverage:
        """How far the labels of a window have come, held against those of the 30 days before it."""
        about = (standard.version.model, standard.version.version)
        labelled = 0 if isinstance(facts.outcomes, NotEnoughData) else facts.outcomes.n
        asks_past = 0 < labelled < MATURE_COVERAGE * facts.fold.scored
        since = EventTime(facts.window.start - PAST_US) if asks_past else facts.window.start
        cells = self._cache.arrivals(*about, Window(since, facts.window.end))
        return coverage_of(facts.window, cells, now, support=facts.fold.support)

    def _outdated(self, model: str, version: str, due: Sequence[Due]) -> list[Signal]:
        """The readings that measuring these windows again may take back: without new rows, only those of labels."""
        has_new_rows = {one.window.start: one.has_new_rows for one in due if one.version == version}
        if not has_new_rows:
            return []
        stretch = min(has_new_rows), EventTime(max(has_new_rows) + 1)  # asked once: it looks at readings of all models
        readings = self._signals.query("reading", {"model": model, "version": version}, *stretch)
        return [
            one
            for one in readings
            if one.at in has_new_rows and (has_new_rows[one.at] or dict(one.labels).get("kind") in READINGS_OF_LABELS)
        ]


def _merged(cells: list[Fold]) -> Fold:
    return reduce(Fold.merge, cells)


@contextmanager
def _named(model: str, done: Round) -> Iterator[None]:
    """What goes wrong with one model is kept in the round; the others go on."""
    try:
        yield
    except GyroscopeError as error:
        done.failures[model] = str(error)
    except Exception as error:
        LOG.exception("measuring %s met a fault of its own", model)
        done.failures[model] = repr(error)
