"""One window of one version to signals: performance, drift, missing values, errors, and what lies above a plain limit.

The loop calls this for windows that changed. Pure: a window's facts and its standard in, signals out. A reading here
pages nobody; what is not known is a signal that says why.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import msgspec

from gyroscope.monitoring.fold import Fold
from gyroscope.monitoring.references import Standard
from gyroscope.records import NotEnoughData, Signal, Window
from gyroscope.settings import Thresholds
from gyroscope.stats.drift import Distance, effective_rows, plain_distance
from gyroscope.stats.performance import METRICS, Estimate, Outcomes, mean_estimate, metrics, share_estimate
from gyroscope.stats.profiles import ColumnCounts

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


def measure_rows(facts: Facts, standard: Standard, limits: Thresholds) -> list[Signal]:
    """Everything that follows from the rows alone."""
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
    moved = _moved(write, facts, standard)
    for name in fold.profile.columns:
        _measure_column(write, name, moved[name], facts, standard, limits)
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
        self._facts = facts
        self._labels = (("model", standard.version.model), ("version", standard.version.version))
        self.is_reference = _is_of(facts, standard)
        self.signals: list[Signal] = []

    def __call__(self, name: str, found: Found, **labels: str) -> None:
        every = _in_order((*self._labels, *labels.items()))
        at = self._facts.window.start
        if isinstance(found, NotEnoughData):
            self.signals.append(Signal(name, at, found, every))
        else:
            self.signals.append(Signal(name, at, found.value, every, found.low, found.high, found.n))


def _is_of(facts: Facts, standard: Standard) -> bool:
    """Whether a window is one of the reference's; an older release may have counted its columns alone."""
    before = standard.windows.get(facts.window.start)
    return before is not None and before.columns == facts.fold.profile.columns


@lru_cache(maxsize=16_384)
def _in_order(labels: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """The same labels are written for every window."""
    return tuple(sorted(labels))


def _measure_column(
    write: _Writer, name: str, moved: Found, facts: Facts, standard: Standard, limits: Thresholds
) -> None:
    column, rows, support = facts.fold.profile.columns[name], facts.fold.profile.n, facts.fold.support
    write("drift", moved, column=name)
    if isinstance(moved, Estimate) and moved.value > limits.drift_effect:
        write("reading", moved, kind="drift", column=name)
    for distance, limit in limits.distances.items():
        found = _distance(write, distance, name, facts, standard)
        if isinstance(found, Distance) and found.value > limit:
            write("reading", _exact(found.value, rows), kind=distance, column=name)
    missing = _supported(share_estimate(column.missing, rows, support=support), rows * support)
    write("missing_share", missing, column=name)
    if isinstance(missing, Estimate) and missing.value - standard.missing.get(name, 0.0) > limits.missing_share:
        write("reading", missing, kind="missing", column=name)


def _again(fold: Fold) -> Found:
    equal = fold.profile.equal_rows
    if isinstance(equal, NotEnoughData):
        return equal
    return _supported(share_estimate(equal.again, equal.rows), equal.rows)


def _moved(write: _Writer, facts: Facts, standard: Standard) -> dict[str, Found]:
    """How far each column has moved from the reference."""
    profile, support = facts.fold.profile, facts.fold.support
    if isinstance(standard.effects, NotEnoughData):
        return dict.fromkeys(profile.columns, standard.effects)
    if write.is_reference:
        return dict.fromkeys(profile.columns, NotEnoughData("this window is part of the reference"))
    if profile.n * support < LEAST_ROWS:
        return dict.fromkeys(profile.columns, _too_few(profile.n * support))
    return {
        name: found if isinstance(found, NotEnoughData) else Estimate(found.effect, found.low, found.high, profile.n)
        for name, found in standard.effects.of(profile.columns, support=support).items()
    }


def _distance(write: _Writer, distance: str, name: str, facts: Facts, standard: Standard) -> Distance | NotEnoughData:
    """As `_moved`, by a distance that has a name; rows of a window that resemble each other count for what they are."""
    column, support = facts.fold.profile.columns[name], facts.fold.support
    if isinstance(standard.reference, NotEnoughData) or write.is_reference or column.n * support < LEAST_ROWS:
        return NotEnoughData("no window of enough rows beside a reference")
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
