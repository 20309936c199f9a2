"""Windows of one version to signals: performance, drift, missing values, errors, and what lies above a plain limit.

The loop calls this for windows that changed. Pure: facts of windows and their standard in, signals out. A reading here
pages nobody; what is not known is a signal that says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from gyroscope.monitoring.fold import Fold
from gyroscope.monitoring.references import Standard
from gyroscope.records import NotEnoughData, Signal, Window
from gyroscope.settings import Thresholds
from gyroscope.stats.drift import Distance, EffectSize, effective_rows, plain_distance
from gyroscope.stats.performance import METRICS, Estimate, Outcomes, mean_estimate, metrics, share_estimate
from gyroscope.stats.profiles import ColumnCounts
from gyroscope.stats.profiles.late import table_of

LEAST_ROWS = 30
"""Below this an interval covers nearly everything and a normal one is not even right."""

# How harm shows: a share falls, a loss rises. Errors in the label's unit are judged relative to the reference's.
# Average precision is in neither: between normal days of 900 rows it moves by more than a plain limit.
FALLING = {"accuracy", "precision", "recall", "f1", "auc", "precision_macro", "recall_macro", "f1_macro", "r2"}
FALLING |= {*METRICS["ranking"]}
RISING = {"brier", "log_loss", "false_positive_rate"}
RISING_RELATIVE = {"mae", "rmse"}

Found = Estimate | NotEnoughData


class Facts(msgspec.Struct, frozen=True):
    """What is known about one version in one window; `segments` are parts of its outcomes by name."""

    window: Window
    fold: Fold
    outcomes: Outcomes | NotEnoughData
    segments: dict[str, Outcomes] = {}


class Moved(NamedTuple):
    """How far each column of a window has moved from the reference; `unknown` says why none was measured."""

    columns: Mapping[str, Found]
    unknown: NotEnoughData | None


def measure_rows(windows: Sequence[Facts], standard: Standard, limits: Thresholds) -> list[Signal]:
    """Everything that follows from the rows alone of some windows of one version."""
    signals: list[Signal] = []
    for facts, moved in zip(windows, _moved(windows, standard), strict=True):
        signals += _measure_window(facts, moved, standard, limits)
    return signals


def _measure_window(facts: Facts, moved: Moved, standard: Standard, limits: Thresholds) -> list[Signal]:
    write = _Writer(facts, standard)
    fold = facts.fold
    # What a shadow said was shown to nobody: it is judged like the rest, and is no volume.
    write("predictions", _exact(fold.scored - fold.shadow, fold.scored - fold.shadow))
    if fold.shadow:
        write("shadow_predictions", _exact(fold.shadow, fold.shadow))
    write("error_share", share_estimate(fold.errors, fold.answered, "answered rows", support=fold.answered_support))
    rows = fold.scored * fold.support
    for name, labels in _outputs(standard):
        write("output_mean", _supported(_mean(fold.profile.columns[name], fold.support), rows), **labels)
    if standard.version.signature.task == "binary":
        positives = share_estimate(fold.positives, fold.scored, support=fold.support)
        write("positive_share", _supported(positives, rows))
    write("duplicate_share", _again(fold))
    _measure_columns(write, moved, facts, standard, limits)
    return write.signals


def measure_labels(facts: Facts, standard: Standard, limits: Thresholds, labelled: int) -> list[Signal]:
    """Everything that follows from the labels of so many rows; outcomes of a ranking count lists."""
    write = _Writer(facts, standard)
    scored = facts.fold.scored
    write("label_count", _exact(labelled, labelled))
    write("label_coverage", _exact(labelled / scored, scored) if scored else NotEnoughData("no rows"))
    for metric, found in _metrics(facts.outcomes, standard).items():
        write("performance", found, metric=metric)
        worse = _worse_by(metric, found, standard)
        if isinstance(worse, Estimate) and worse.value > limits.performance_drop:
            write("reading", worse, kind="performance", metric=metric)
    for name, outcomes in facts.segments.items():
        for metric, found in _metrics(outcomes, standard).items():
            write("segment_performance", found, metric=metric, segment=name)
    return write.signals


class _Writer:
    """Collects the signals of one window; knows the labels that all of them carry."""

    def __init__(self, facts: Facts, standard: Standard) -> None:
        self._at = facts.window.start
        self._about = (standard.version.model, standard.version.version)
        self.signals: list[Signal] = []

    def __call__(self, name: str, found: Found, **labels: str) -> None:
        self.put(name, found, _in_order(*self._about, *labels.items()))

    def put(self, name: str, found: Found, every: tuple[tuple[str, str], ...]) -> None:
        """A signal whose labels are known already, in order."""
        if isinstance(found, NotEnoughData):
            self.signals.append(Signal(name, self._at, found, every))
        else:
            self.signals.append(Signal(name, self._at, found.value, every, found.low, found.high, found.n))


@lru_cache(maxsize=16_384)
def _in_order(model: str, version: str, *labels: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """The same labels are written for every window."""
    return tuple(sorted((("model", model), ("version", version), *labels)))


_share = lru_cache(maxsize=16_384)(share_estimate)
"""Most columns of most windows miss nothing, of the same number of rows."""


def _measure_columns(write: _Writer, moved: Moved, facts: Facts, standard: Standard, limits: Thresholds) -> None:
    table, rows, support = table_of(facts.fold.profile.columns), facts.fold.profile.n, facts.fold.support
    about = _about_columns(standard.version.model, standard.version.version, table.names)
    for name, every, absent in zip(table.names, about, table.missing.tolist(), strict=True):
        missing = _supported(_share(absent, rows, support=support), rows * support)
        write.put("drift", moved.columns[name], every)
        write.put("missing_share", missing, every)
        _read_column(write, name, (moved.columns[name], missing), standard, limits)
        for distance, limit in limits.distances.items():
            found = _distance(distance, name, facts, standard, moved.unknown)
            if isinstance(found, Distance) and found.value > limit:
                write("reading", _exact(found.value, rows), kind=distance, column=name)


@lru_cache(maxsize=256)
def _about_columns(model: str, version: str, names: tuple[str, ...]) -> list[tuple[tuple[str, str], ...]]:
    return [_in_order(model, version, ("column", name)) for name in names]


def _read_column(write: _Writer, name: str, found: tuple[Found, Found], standard: Standard, limits: Thresholds) -> None:
    """Readings of a column that has moved, or misses more than it did."""
    moved, missing = found
    if isinstance(moved, Estimate) and moved.value > limits.drift_effect:
        write("reading", moved, kind="drift", column=name)
    if isinstance(missing, Estimate) and missing.value - standard.missing.get(name, 0.0) > limits.missing_share:
        write("reading", missing, kind="missing", column=name)


def _again(fold: Fold) -> Found:
    equal = fold.profile.equal_rows
    again = equal if isinstance(equal, NotEnoughData) else equal.again()
    if isinstance(again, NotEnoughData):
        return again
    return _supported(Estimate(again.share, again.low, again.high, again.rows), again.rows)


def _moved(windows: Sequence[Facts], standard: Standard) -> list[Moved]:
    unknown = [_why_unmeasured(facts, standard) for facts in windows]
    asked = [facts.fold for facts, reason in zip(windows, unknown, strict=True) if reason is None]
    found = iter(
        []
        if isinstance(standard.effects, NotEnoughData)
        else standard.effects.of_each(
            [fold.profile.columns for fold in asked], supports=[fold.support for fold in asked]
        )
    )
    return [
        Moved(_estimates(next(found), facts.fold.profile.n), None)
        if reason is None
        else Moved(dict.fromkeys(facts.fold.profile.columns, reason), reason)
        for facts, reason in zip(windows, unknown, strict=True)
    ]


def _why_unmeasured(facts: Facts, standard: Standard) -> NotEnoughData | None:
    fold = facts.fold
    if isinstance(standard.effects, NotEnoughData):
        return standard.effects
    if _is_reference(facts, standard):
        return NotEnoughData("this window is part of the reference")
    rows = fold.profile.n * fold.support
    return _too_few(rows) if rows < LEAST_ROWS else None


def _is_reference(facts: Facts, standard: Standard) -> bool:
    """Whether a window is one of the reference's; an older release may have counted its columns alone."""
    before = standard.windows.get(facts.window.start)
    return before is not None and before.columns == facts.fold.profile.columns


def _estimates(effects: Mapping[str, EffectSize | NotEnoughData], n: int) -> dict[str, Found]:
    return {
        name: found if isinstance(found, NotEnoughData) else Estimate(found.effect, found.low, found.high, n)
        for name, found in effects.items()
    }


def _distance(
    distance: str, name: str, facts: Facts, standard: Standard, unknown: NotEnoughData | None
) -> Distance | NotEnoughData:
    """As `_moved`, by a distance that has a name; rows of a window that resemble each other count for what they are."""
    if unknown is not None or isinstance(standard.reference, NotEnoughData):
        return NotEnoughData("no window of enough rows beside a reference")
    column, support = facts.fold.profile.columns[name], facts.fold.support
    before, icc = standard.reference.total.columns[name], standard.icc.get(name, 0.0)
    windows = max(len(standard.reference.windows), 1)
    rows = windows * effective_rows(before.n / windows, icc), effective_rows(column.n * support, icc)
    return plain_distance(distance, before, column, rows)


def _metrics(outcomes: Outcomes | NotEnoughData, standard: Standard) -> dict[str, Found]:
    names = METRICS[standard.version.signature.task]
    if isinstance(outcomes, NotEnoughData):
        return dict.fromkeys(names, outcomes)
    rows = outcomes.n * outcomes.support
    if rows < LEAST_ROWS:
        return dict.fromkeys(names, _too_few(rows, "labelled rows"))
    return dict(metrics(outcomes))


def _worse_by(metric: str, found: Found, standard: Standard) -> Found:
    """How much worse than the reference, above 0 where it is worse; the interval is that of the window alone."""
    before = standard.metrics.get(metric, NotEnoughData("no reference"))
    if isinstance(found, NotEnoughData) or isinstance(before, NotEnoughData):
        return NotEnoughData("the window or the reference has no such metric")
    if metric in FALLING:
        return Estimate(before.value - found.value, before.value - found.high, before.value - found.low, found.n)
    if metric not in RISING | RISING_RELATIVE:
        return NotEnoughData("neither more nor less of it is harm")
    unit = before.value if metric in RISING_RELATIVE else 1.0
    if unit <= 0:
        return NotEnoughData("the reference has no error to compare with")
    low, middle, high = ((value - before.value) / unit for value in (found.low, found.value, found.high))
    return Estimate(middle, low, high, found.n)


def _outputs(standard: Standard) -> Iterator[tuple[str, dict[str, str]]]:
    """The profiled columns of the output, and the label that tells the classes apart."""
    signature = standard.version.signature
    if signature.width == 1:
        yield signature.output, {}
        return
    for k, name in enumerate(signature.classes):
        yield f"{signature.output}_{k}", {"class": name}


def _mean(column: ColumnCounts, support: float) -> Found:
    mean, sd = column.mean, column.sd
    if isinstance(mean, NotEnoughData) or isinstance(sd, NotEnoughData):
        return NotEnoughData("fewer than two finite outputs")
    return mean_estimate(mean, sd * sd, column.values * support)


def _supported(found: Found, rows: float) -> Found:
    return found if rows >= LEAST_ROWS else _too_few(rows)


def _too_few(rows: float, what: str = "rows") -> NotEnoughData:
    return NotEnoughData(f"{rows:g} {what}; {LEAST_ROWS} are needed")


def _exact(value: float, n: int) -> Estimate:
    """A count has no interval."""
    return Estimate(value, value, value, n)
