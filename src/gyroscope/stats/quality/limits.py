"""What the reference's own windows looked like where data breaks: how much was missing, unusual, or all the same.

Monitoring learns these once per reference and hands them to the hard rules. Each window is held against the others,
never against a range that it helped to set: a column of dates or counters lies outside the range of all other
windows every day, and in a range of all rows never.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from gyroscope.errors import GyroscopeError
from gyroscope.stats.arrays import Floats
from gyroscope.stats.buckets import bucket_keys
from gyroscope.stats.profiles import CategoryBins, ColumnCounts, Profile


class ColumnLimits(msgspec.Struct, frozen=True):
    """The worst that a column was in any window of the reference, as shares 0 to 1.

    Attributes
    ----------
    missing : float
        Of the rows that are missing, all windows together.
    most_missing, most_unusual : float
        The greatest share of one window. Unusual is infinite, out of the range of the other windows, or a category
        that no other window has.
    most_alike : float
        Of the rows of one window with a value, those of its most frequent bin or category; 1 where it was constant.

    Examples
    --------
    >>> ColumnLimits(missing=0.0, most_missing=0.1, most_unusual=0.0, most_alike=0.2).most_missing
    0.1
    """

    missing: float
    most_missing: float
    most_unusual: float
    most_alike: float


def learn_limits(reference: Sequence[Profile]) -> dict[str, ColumnLimits]:
    """What was normal in the windows of a reference.

    Parameters
    ----------
    reference : sequence of Profile, length D
        Its windows, cut like production's, all on one layout. One window (or the whole reference as one) is allowed:
        then nothing was unusual.

    Returns
    -------
    dict of str to ColumnLimits

    Raises
    ------
    GyroscopeError
        When there is no profile at all.

    Examples
    --------
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> days = [{"x": np.arange(0.0, 10.0)}, {"x": np.arange(5.0, 15.0)}]
    >>> layout = fit_layout({"x": np.arange(0.0, 15.0)})
    >>> learn_limits([profile(day, layout) for day in days])["x"].most_unusual
    0.5
    """
    if not reference:
        raise GyroscopeError("a reference without windows has no limits", where="learn_limits", fix="pass its total")
    return {name: _learn([window.columns[name] for window in reference]) for name in reference[0].columns}


def unusual_share(column: ColumnCounts) -> float:
    """The share of a window's rows that the reference never had: out of its range, infinite, or a new category.

    Examples
    --------
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> layout = fit_layout({"x": np.array([0.0, 1.0])})
    >>> unusual_share(profile({"x": np.array([0.5, 2.0, np.inf, np.nan])}, layout).columns["x"])
    0.5
    """
    if not column.n:
        return 0.0
    if isinstance(column.bins, CategoryBins):
        return int(column.counts[-1]) / column.n
    outside = int(column.counts[0] + column.counts[-1]) if column.bins.edges else 0
    return (outside + column.nan_or_inf) / column.n


def most_alike_share(column: ColumnCounts) -> float:
    """The share of a window's values in its most frequent cell; 1 where all are equal, 0 without values.

    Examples
    --------
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> layout = fit_layout({"x": np.array([0.0, 1.0])})
    >>> most_alike_share(profile({"x": np.array([0.0, 0.0, 1.0])}, layout).columns["x"]) == 2 / 3
    True
    """
    if not column.values:
        return 0.0
    if not isinstance(column.bins, CategoryBins):
        return int(column.buckets.counts.max()) / column.values
    return int(column.counts.max()) / column.values


def _learn(windows: list[ColumnCounts]) -> ColumnLimits:
    filled = [window for window in windows if window.n]
    rows = sum(window.n for window in filled)
    unusual = _unusual_texts(filled) if isinstance(windows[0].bins, CategoryBins) else _unusual_numbers(filled)
    return ColumnLimits(
        missing=sum(window.missing for window in filled) / rows if rows else 0.0,
        most_missing=max((window.missing / window.n for window in filled), default=0.0),
        most_unusual=float(unusual.max(initial=0.0)),
        most_alike=max((most_alike_share(window) for window in filled), default=0.0),
    )


def _unusual_texts(windows: list[ColumnCounts]) -> Floats:
    """Of each window, the share of rows whose category no other window has."""
    if len(windows) < 2:
        return np.zeros(0)
    counts = np.array([window.counts for window in windows])
    alone = counts[:, :-2] * (counts.sum(axis=0) == counts)[:, :-2]
    return np.asarray((alone.sum(axis=1) + counts[:, -1]) / np.array([window.n for window in windows]), np.float64)


def _unusual_numbers(windows: list[ColumnCounts]) -> Floats:
    """Of each window, the share of rows that are infinite or out of the range of the other windows' values."""
    if len(windows) < 2:
        return np.zeros(0)
    lows = _of_the_others(np.array([window.least for window in windows]))
    highs = -_of_the_others(np.array([-window.greatest for window in windows]))
    pairs = zip(windows, lows.tolist(), highs.tolist(), strict=True)
    return np.array([_outside(window, low, high) / window.n for window, low, high in pairs], np.float64)


def _of_the_others(values: Floats) -> Floats:
    """The least value of all but each."""
    least, second = np.partition(values, 1)[:2].tolist()
    others: Floats = np.where(values == least, second, least)
    return others


def _outside(window: ColumnCounts, low: float, high: float) -> int:
    """Rows beyond, within the 1 % of a bucket."""
    if not np.isfinite(low):  # the other windows have no value
        return window.nan_or_inf + window.values
    first, last = bucket_keys(np.array([low, high])).tolist()
    keys, counts = window.buckets.keys, window.buckets.counts
    return window.nan_or_inf + int(counts[(keys < first) | (keys > last)].sum())
