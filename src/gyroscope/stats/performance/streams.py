"""Performance as streams: one number per window for the engine, with the variance that the window's rows explain.

Monitoring passes reference and mature windows; `stats.evidence` judges what comes out. It never raises an alarm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from gyroscope.records import NotEnoughData, Task
from gyroscope.stats.arrays import Floats
from gyroscope.stats.buckets import bucket_quantile
from gyroscope.stats.performance.early import loss_bounds
from gyroscope.stats.performance.outcomes import Outcomes
from gyroscope.stats.performance.scales import SCALES, Scale, arcsine_point, hits_of
from gyroscope.stats.sparse import SparseCounts
from gyroscope.stats.sums import as_float

if TYPE_CHECKING:
    from gyroscope.stats.evidence import Streams

WINSOR_SHARE = 0.999
"""Errors beyond this point of the reference count as large as it in the RMSE."""

TOLERANCE = 0.0
"""In standard deviations of a normal window. With 0.25 a rise of errors from 10 to 12 % takes 6,900 rows instead of
3,500 to be seen (row P2), and false alarms are within the budget either way: the too small is left to `matters_at`.
"""

Windows = Sequence[Outcomes | NotEnoughData]


class Series(msgspec.Struct, frozen=True):
    """Values `y` of T windows, the variance `within` that their rows explain, and `rows`; NaN where a window has none.

    Examples
    --------
    >>> Series(np.array([0.1]), np.array([0.01]), np.array([50.0])).is_known.tolist()
    [True]
    """

    y: Floats
    within: Floats
    rows: Floats

    @property
    def is_known(self) -> np.ndarray:
        """Which windows have a value, shape (T,)."""
        return np.isfinite(self.y)


class PerformanceStream(msgspec.Struct, frozen=True):
    """One metric of the reference's windows and of later ones on the scale where they can be compared.

    Attributes
    ----------
    task, metric : str
    side : int
        +1 where more of it is harm, -1 where less is.
    s2 : float
        Variance of one row's part: `within` is s2 / rows (for logits, of an average window).
    reference, current : Series

    Examples
    --------
    >>> nothing = Series(np.empty(0), np.empty(0), np.empty(0))
    >>> PerformanceStream("binary", "accuracy", -1, 1.0, nothing, nothing).natural(np.array([np.pi])).tolist()
    [1.0]
    """

    task: Task
    metric: str
    side: int
    s2: float
    reference: Series
    current: Series

    def natural(self, y: Floats) -> Floats:
        """Values of the stream back in the unit of the metric."""
        return SCALES[self.task][self.metric].natural(np.asarray(y, np.float64))


def performance_streams(
    reference: Windows, windows: Windows, metrics: Sequence[str] = ()
) -> dict[str, PerformanceStream]:
    """The streams of every metric.

    Parameters
    ----------
    reference : sequence of Outcomes or NotEnoughData, length D
        Windows of held-out, time-blocked predictions, oldest first.
    windows : sequence of Outcomes or NotEnoughData, length T
        Later windows, oldest first; `NotEnoughData` for one that is not mature yet.
    metrics : sequence of str
        Those that are wanted; all of the task by default.

    Returns
    -------
    dict of str to PerformanceStream
        Empty where no window has outcomes. A window with fewer than 30 rows behind a metric (20 of the rarer class for
        AUC and average precision) is merged into the next; the value stands where enough came together.

    Notes
    -----
    Scales: arcsine for shares, logit for F1 (delta method), AUC (DeLong et al. 1988) and average precision
    (infinitesimal jackknife), log for the winsorised mean squared error (delta method), none for mean losses.

    Examples
    --------
    >>> from gyroscope.stats.performance import tally
    >>> day = tally("binary", np.full(40, 0.5), np.arange(40) % 2)
    >>> few = tally("binary", np.full(20, 0.5), np.arange(20) % 2)
    >>> stream = performance_streams([day] * 3, [day, few, few])["brier"]
    >>> stream.side, stream.current.y.tolist(), stream.current.rows.tolist()
    (1, [0.25, nan, 0.25], [40.0, nan, 40.0])
    """
    known = [window for window in (*reference, *windows) if isinstance(window, Outcomes)]
    if not known:
        return {}
    task = known[0].task
    cap = _winsor_point(reference) if task == "regression" else math.inf
    return {metric: _stream(task, metric, reference, windows, cap) for metric in metrics or SCALES[task]}


def as_streams(
    streams: Mapping[str, PerformanceStream], *, tolerance: float = TOLERANCE, prefix: str = "performance"
) -> tuple[Streams, Streams]:
    """Streams of the reference's windows and of later ones as the engine takes them, of equal weight.

    Parameters
    ----------
    streams : mapping of str to PerformanceStream, at least one
        By metric; all over the same windows.
    tolerance : float
        The shift that gives no evidence, in standard deviations of a normal window.
    prefix : str
        Names become `prefix:metric`.

    Returns
    -------
    (reference, current) : Streams

    Examples
    --------
    >>> from gyroscope.stats.performance import tally
    >>> day = tally("binary", np.full(40, 0.5), np.arange(40) % 2)
    >>> reference, current = as_streams(performance_streams([day] * 3, [day], ["brier", "accuracy"]))
    >>> reference.names, reference.sides.tolist(), current.windows
    (('performance:brier', 'performance:accuracy'), [1, -1], 1)
    """

    from gyroscope.stats.evidence import stream  # the engine needs scipy; a replica starts without it

    def table(of: Callable[[PerformanceStream], Series]) -> Streams:
        rows = [
            stream(f"{prefix}:{metric}", of(one).y, of(one).within, side=one.side, tolerance=tolerance)
            for metric, one in streams.items()
        ]
        return rows[0].join(*rows[1:])

    return table(lambda one: one.reference), table(lambda one: one.current)


def early_floor(stream: PerformanceStream, outcomes: Outcomes, rows: float) -> tuple[float, float] | NotEnoughData:
    """The least harmful value that a window can still have, whatever its missing labels say, and its `within`.

    Parameters
    ----------
    stream : PerformanceStream
        Brier score or accuracy.
    outcomes : Outcomes
        What is labelled so far.
    rows : float
        All rows of the window, labelled or not.

    Returns
    -------
    (y, within) or NotEnoughData
        An engine that alarms on it alarms for certain when the labels are there: its last score can only grow.

    Notes
    -----
    Manski 1989, J. Human Resources 24, 343, as in `loss_bounds`.

    Examples
    --------
    >>> from gyroscope.stats.performance import tally
    >>> day = tally("binary", np.full(40, 0.5), np.arange(40) % 2)
    >>> brier = performance_streams([day] * 3, [])["brier"]
    >>> early_floor(brier, day, 80)[0]
    0.125
    """
    if stream.metric == "brier" and rows > 0:
        bounds = loss_bounds(as_float(outcomes.sums["brier"]), outcomes.n, rows)
        return bounds if isinstance(bounds, NotEnoughData) else (bounds[0], stream.s2 / rows)
    if stream.metric == "accuracy" and rows > 0:
        return arcsine_point(rows - (outcomes.n - hits_of(outcomes)), rows).y, 1 / rows
    return NotEnoughData(f"{stream.metric} has no bound without its labels" if rows > 0 else "no rows")


def _stream(task: Task, metric: str, reference: Windows, windows: Windows, cap: float) -> PerformanceStream:
    scale = SCALES[task][metric]
    before, before_s2 = _series(scale, reference, cap)
    after, after_s2 = _series(scale, windows, cap)
    s2 = _pooled(before, before_s2)
    if scale.is_pooled:
        before_s2, after_s2 = np.full_like(before_s2, s2), np.full_like(after_s2, s2)
    before, after = (
        Series(series.y, own / series.rows, series.rows) for series, own in ((before, before_s2), (after, after_s2))
    )
    return PerformanceStream(task, metric, scale.side, s2, before, after)


def _series(scale: Scale, windows: Windows, cap: float) -> tuple[Series, Floats]:
    y, s2, rows = (np.full(len(windows), np.nan) for _ in range(3))
    waiting: Outcomes | None = None
    for at, window in enumerate(windows):
        if isinstance(window, NotEnoughData):
            continue
        waiting = window if waiting is None else waiting.merge(window)
        point = scale.measure(waiting, cap)
        if point.support >= scale.least and math.isfinite(point.y) and math.isfinite(point.s2):
            y[at], s2[at], rows[at] = point.y, point.s2, point.rows
            waiting = None
    return Series(y, s2, rows), s2


def _pooled(series: Series, s2: Floats) -> float:
    known = series.is_known
    rows = series.rows[known]
    # Each window's variance has divisor n and lost one degree of freedom to its own mean.
    return float((rows * s2[known]).sum() / (rows - 1).sum()) if known.any() else math.nan


def _winsor_point(reference: Windows) -> float:
    """The size of error below which 99.9 % of the reference's lie; without a reference nothing is cut."""
    known = [window for window in reference if isinstance(window, Outcomes) and window.cells.total]
    if not known:
        return math.inf
    keys = np.repeat(
        np.abs(np.concatenate([one.cells.keys for one in known])), np.concatenate([one.cells.counts for one in known])
    )
    return bucket_quantile(SparseCounts.of(keys), WINSOR_SHARE)
