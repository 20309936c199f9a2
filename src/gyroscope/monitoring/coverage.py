"""How far the labels of one window have come: their lag, what the missing ones could change, whether they mislead.

The loop calls this for windows whose labels or rows changed. Pure: arrivals of the window and of those before it in,
signals out. A reading of kind `labels` says that the first labels are not like the rest; it pages nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce

import msgspec
import numpy as np

from gyroscope.clock import DAY_US, SECOND_US, EventTime
from gyroscope.monitoring.references import Standard
from gyroscope.records import NotEnoughData, Signal, Window
from gyroscope.stats.intervals import Z_95
from gyroscope.stats.performance import (
    LAG_SHARE,
    Arrivals,
    EarlyLabels,
    Estimate,
    Outcomes,
    early_labels,
    is_mature,
    loss_bounds,
)
from gyroscope.stats.sums import as_float

PAST_US = 30 * DAY_US
"""Lags are those of the last 30 days: how late labels come changes with who sends them."""

QUANTILES = (0.5, 0.95)
_LABELS_ARE_THERE = NotEnoughData("the labels of this window are there")
_AGES = 16

Cells = Mapping[EventTime, tuple[int, Arrivals]]
"""Start of a cell -> its scored rows, and when their labels came."""


class Coverage(msgspec.Struct, frozen=True):
    """What is known about the labels of one window.

    `labelled` are rows, of ranked lists too. `lags_s` are the lags by quantile; `early` is not known for a mature
    window, nor without mature windows before it.
    """

    labelled: int
    share: float | NotEnoughData
    is_mature: bool
    lags_s: dict[float, float | NotEnoughData]
    early: EarlyLabels | NotEnoughData


def coverage_of(window: Window, cells: Cells, now: EventTime, *, support: float = 1.0) -> Coverage:
    """From the cells of the window, and for one that lacks labels those of the 30 days before.

    `support` is how many rows stand behind one that is counted.
    """
    mine = _added(found for start, (_, found) in cells.items() if start >= window.start)
    rows = sum(scored for start, (scored, _) in cells.items() if start >= window.start)
    usual_s = _added(found for _, found in cells.values()).lag_quantile(LAG_SHARE)
    share = mine.n / rows if rows else NotEnoughData("no rows")
    mature = not isinstance(share, NotEnoughData) and is_mature(share, (now - window.end) / SECOND_US, usual_s)
    before = _mature_before(window, cells, now, usual_s)
    return Coverage(
        labelled=mine.n,
        share=share,
        is_mature=mature,
        lags_s={q: mine.lag_quantile(q) for q in QUANTILES},
        early=_LABELS_ARE_THERE if mature else early_labels(mine, before, _ages_s(window, now), support=support),
    )


def measure_coverage(
    window: Window, outcomes: Outcomes | NotEnoughData, scored: int, coverage: Coverage, standard: Standard
) -> list[Signal]:
    """Everything that follows from which labels are there and which are not."""
    about = (("model", standard.version.model), ("version", standard.version.version))
    signals = [_signal("labels_mature", window, about, float(coverage.is_mature))]
    for q, lag_s in coverage.lags_s.items():
        signals.append(_signal("label_lag_s", window, (*about, ("quantile", f"{q:g}")), lag_s))
    if not isinstance(outcomes, NotEnoughData):
        for metric, low, high in _bounds(outcomes, scored):
            signals.append(_signal("performance_low", window, (*about, ("metric", metric)), low))
            signals.append(_signal("performance_high", window, (*about, ("metric", metric)), high))
    if standard.version.signature.says_probabilities:
        signals += _about_early(window, coverage.early, about)
    return signals


def _bounds(outcomes: Outcomes, scored: int) -> Iterator[tuple[str, float, float]]:
    """Metric, least and greatest value that the labels of all rows could give."""
    for metric, loss in _losses(outcomes):
        bounds = loss_bounds(loss, outcomes.n, scored)
        if not isinstance(bounds, NotEnoughData):
            low, high = bounds
            yield (metric, 1 - high, 1 - low) if metric == "accuracy" else (metric, low, high)


def _losses(outcomes: Outcomes) -> Iterator[tuple[str, float]]:
    """The metrics that are means of a loss in [0, 1], and the sum of that loss over the labelled rows."""
    if outcomes.task not in ("binary", "multiclass"):
        return
    keys = outcomes.cells.keys
    if outcomes.task == "binary":
        is_wrong = (keys & 1) != ((keys >> 1) & 1)
        yield "brier", as_float(outcomes.sums["brier"])
    else:
        label, predicted = np.divmod(keys, outcomes.classes)
        is_wrong = label != predicted
    yield "accuracy", float(outcomes.cells.counts[is_wrong].sum())


def _about_early(
    window: Window, early: EarlyLabels | NotEnoughData, about: tuple[tuple[str, str], ...]
) -> list[Signal]:
    """The share that was right, as it is usually found once all labels are there; a reading where it differs."""
    metric = ("metric", "accuracy")
    if isinstance(early, NotEnoughData):
        return [_signal("performance_weighted", window, (*about, metric), early)]
    weighted = early.weighted
    right = Estimate(1 - weighted.value, 1 - weighted.high, 1 - weighted.low, weighted.n)
    found = [_signal("performance_weighted", window, (*about, metric), right)]
    if not early.is_representative:
        moved, se = max((early.difference, early.se), (early.before, early.before_se), key=lambda one: abs(one[0]))
        reading = Estimate(-moved, -moved - Z_95 * se, -moved + Z_95 * se, weighted.n)
        found.append(_signal("reading", window, (*about, ("kind", "labels"), metric), reading))
    return found


def _mature_before(window: Window, cells: Cells, now: EventTime, usual_s: float | NotEnoughData) -> Arrivals:
    """The labels of the cells before the window whose labels are there."""
    length = min(window.end - window.start, DAY_US)
    return _added(
        found
        for start, (scored, found) in cells.items()
        if start < window.start and scored and is_mature(found.n / scored, (now - start - length) / SECOND_US, usual_s)
    )


def _ages_s(window: Window, now: EventTime) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """How much time the labels of rows spread over the window have had."""
    middles = (np.arange(_AGES) + 0.5) / _AGES
    return np.maximum((now - window.start - middles * (window.end - window.start)) / SECOND_US, 0.0)


def _signal(
    name: str, window: Window, labels: tuple[tuple[str, str], ...], found: float | Estimate | NotEnoughData
) -> Signal:
    if isinstance(found, Estimate):
        return Signal(name, window.start, found.value, tuple(sorted(labels)), found.low, found.high, found.n)
    return Signal(name, window.start, found, tuple(sorted(labels)))


def _added(found: Iterable[Arrivals]) -> Arrivals:
    return reduce(Arrivals.merge, found, Arrivals.empty())
