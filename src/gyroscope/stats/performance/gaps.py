"""Differences between two segments of the same windows, for instance two groups of people, with honest intervals.

Monitoring and reports call `segment_gaps`. A difference has an interval here and no verdict.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gyroscope.records import NotEnoughData
from gyroscope.stats.intervals import Z_95, Estimate
from gyroscope.stats.performance.metrics import metrics
from gyroscope.stats.performance.outcomes import Outcomes
from gyroscope.stats.sequences import errors_at_every_look

LEAST_WINDOWS = 6
"""With fewer an interval by windows is wider than anything it could say."""

_LEAST_ROWS = 30

Found = dict[str, Estimate | NotEnoughData]


def segment_gaps(a: Sequence[Outcomes | NotEnoughData], b: Sequence[Outcomes | NotEnoughData]) -> Found:
    """Every metric of segment a less that of segment b, over all windows together.

    Parameters
    ----------
    a, b : sequence of Outcomes or NotEnoughData, length T
        The same windows of both segments; a window in which one has no rows still counts for the other.

    Returns
    -------
    dict of str to Estimate or NotEnoughData
        The names of `metrics`; `n` is the rows of the smaller segment. `NotEnoughData` for fewer than six windows with
        rows, fewer than 30 rows of a segment, or a metric that one of the two has not.

    Notes
    -----
    What rows of a window share, moves both segments: intervals for independent rows are too narrow for each and wrong
    for the difference. Leaving out one window of both at a time (the delete-a-group jackknife, Kott 2001, J. Official
    Stat. 17, 521) counts windows and keeps what the segments share out of the difference. The interval holds at every
    look while windows are added: so many standard errors wide as `mean_sequence` is over as many windows (asymptotic
    form of Waudby-Smith et al. 2024, arXiv:2103.06476), wider as Student's t for as few windows is than the normal.

    Examples
    --------
    >>> from gyroscope.stats.performance import tally
    >>> rng = np.random.default_rng(0)
    >>> def day(errors):
    ...     return tally("binary", np.where(rng.random(300) < errors, 0.1, 0.9), np.ones(300))
    >>> gap = segment_gaps([day(0.3) for _ in range(20)], [day(0.1) for _ in range(20)])["recall"]
    >>> round(gap.value, 1), gap.high < 0
    (-0.2, True)
    """
    pairs = [(_or_none(one), _or_none(other)) for one, other in zip(a, b, strict=True)]
    pairs = [pair for pair in pairs if pair[0] is not None or pair[1] is not None]
    whole = [_merged([pair[side] for pair in pairs]) for side in (0, 1)]
    if whole[0] is None or whole[1] is None or len(pairs) < LEAST_WINDOWS:
        return _nothing(whole, f"{len(pairs)} windows with rows; {LEAST_WINDOWS} with rows of both segments are needed")
    n = round(min(one.n * one.support for one in whole if one is not None))
    if n < _LEAST_ROWS:
        return _nothing(whole, f"{n} labelled rows in the smaller segment; {_LEAST_ROWS} are needed")
    values = _gaps(whole[0], whole[1])
    without = _without_each(pairs)
    return {name: _estimate(value, [one.get(name) for one in without], n) for name, value in values.items()}


def _or_none(window: Outcomes | NotEnoughData) -> Outcomes | None:
    return window if isinstance(window, Outcomes) and window.n else None


def _merged(windows: Sequence[Outcomes | None]) -> Outcomes | None:
    whole: Outcomes | None = None
    for window in windows:
        whole = _both(whole, window)
    return whole


def _both(one: Outcomes | None, other: Outcomes | None) -> Outcomes | None:
    if one is None or other is None:
        return one or other
    return one.merge(other)


def _without_each(pairs: list[tuple[Outcomes | None, Outcomes | None]]) -> list[dict[str, float | NotEnoughData]]:
    """The gaps of all windows but one, for each: sums from the left and from the right meet around it."""
    sides = []
    for side in (0, 1):
        own = [pair[side] for pair in pairs]
        left, right = _running(own), _running(own[::-1])[::-1]
        sides.append([_both(left[at], right[at + 1]) for at in range(len(own))])
    return [_gaps(*pair) if None not in pair else {} for pair in zip(*sides, strict=True)]


def _running(windows: Sequence[Outcomes | None]) -> list[Outcomes | None]:
    sums: list[Outcomes | None] = [None]
    for window in windows:
        sums.append(_both(sums[-1], window))
    return sums


def _gaps(one: Outcomes, other: Outcomes) -> dict[str, float | NotEnoughData]:
    first, second = metrics(one), metrics(other)
    return {name: _less(first[name], second[name]) for name in first}


def _less(one: Estimate | NotEnoughData, other: Estimate | NotEnoughData) -> float | NotEnoughData:
    if isinstance(one, NotEnoughData):
        return one
    return other if isinstance(other, NotEnoughData) else one.value - other.value


def _estimate(
    value: float | NotEnoughData, without: list[float | NotEnoughData | None], n: int
) -> Estimate | NotEnoughData:
    if isinstance(value, NotEnoughData):
        return value
    known = np.array([one for one in without if isinstance(one, float)])
    if known.size < len(without):
        return NotEnoughData("one window holds all that the metric needs; an interval by windows needs more")
    errors = errors_at_every_look(known.size) * _t_95(known.size - 1) / Z_95
    half = errors * math.sqrt((known.size - 1) * float(known.var()))
    return Estimate(value, value - half, value + half, n)


def _t_95(freedom: int) -> float:
    from scipy.special import stdtrit  # a replica starts without scipy

    return float(stdtrit(freedom, 0.975))


def _nothing(whole: list[Outcomes | None], reason: str) -> Found:
    known = next((one for one in whole if one is not None), None)
    return dict.fromkeys(metrics(known), NotEnoughData(reason)) if known is not None else {}
