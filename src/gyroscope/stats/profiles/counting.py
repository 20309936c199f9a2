"""Counting a block of rows on fixed bins, column by column.

`profile` calls this. Nothing here loops over rows in Python.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from gyroscope.stats.arrays import Floats
from gyroscope.stats.buckets import bucket_keys_of_ordered
from gyroscope.stats.profiles.categories import count_texts
from gyroscope.stats.profiles.column import ColumnCounts, center_of
from gyroscope.stats.profiles.inputs import Column, as_floats, tally_strings
from gyroscope.stats.profiles.layout import CategoryBins, NumericBins
from gyroscope.stats.sparse import SparseCounts
from gyroscope.stats.sums import exact_sum, exact_sum_of_growing
from gyroscope.stats.texts import Texts

_GREATEST = float(np.finfo(np.float64).max)
_MANY = 1 << 14  # fewer values than these are summed faster without looking for their exponents


def count_numbers(columns: Mapping[str, Column], layout: Mapping[str, NumericBins], n: int) -> dict[str, ColumnCounts]:
    """Count numeric columns of n rows.

    Parameters
    ----------
    columns : mapping of str to array, shape (n,) each
        A column that is not there is missing in every row.
    layout : mapping of str to NumericBins
    n : int

    Returns
    -------
    dict of str to ColumnCounts

    Examples
    --------
    >>> count_numbers({"x": np.array([0.5, 2.0])}, {"x": NumericBins((0.0, 1.0))}, 2)["x"].counts.tolist()
    [0, 1, 1]
    """
    missing = np.full(n, np.nan)
    return {name: _count(as_floats(columns.get(name, missing)), bins) for name, bins in layout.items()}


def count_strings(values: Column, bins: CategoryBins) -> ColumnCounts:
    """Count a column of strings.

    Parameters
    ----------
    values : array or Texts, shape (n,)
        Strings; None or NaN is missing.
    bins : CategoryBins

    Returns
    -------
    ColumnCounts

    Examples
    --------
    >>> count_strings(np.array(["a", "z", None, "a"], dtype=object), CategoryBins(("a", "b"))).counts.tolist()
    [2, 0, 0, 1]
    """
    if isinstance(values, Texts):
        found = count_texts(values, bins)
        if found is not None:
            return ColumnCounts(bins, found, values.missing)
    tally, missing = tally_strings(values)
    counts = [tally.pop(name, 0) for name in bins.categories]
    rare = frozenset(bins.rare) if tally else frozenset()
    other = sum(count for name, count in tally.items() if name in rare)
    return ColumnCounts(bins, np.array([*counts, other, sum(tally.values()) - other], np.int64), missing)


def _count(values: Floats, bins: NumericBins) -> ColumnCounts:
    # One sort pays for the least and greatest value, the bins and the buckets.
    ordered = np.sort(values)
    cuts = (*bins.edges[:-1], math.nextafter(bins.edges[-1], math.inf)) if bins.edges else ()
    # Places of -inf's end, the bins' starts, +inf's start, NaN's start.
    places = np.searchsorted(ordered, (-_GREATEST, *cuts, np.inf, np.nan))
    first, last, present = int(places[0]), int(places[-2]), int(places[-1])
    finite = ordered[first:last]
    return ColumnCounts(
        bins=bins,
        counts=np.diff(places[:-1]),
        missing=ordered.size - present,
        nan_or_inf=first + present - last,
        buckets=SparseCounts.of_sorted(bucket_keys_of_ordered(finite)) if finite.size else SparseCounts.empty(),
        # + 0.0 makes -0.0 into 0.0, whose bytes would else depend on the order of merging.
        least=float(finite[0]) + 0.0 if finite.size else np.inf,
        greatest=float(finite[-1]) + 0.0 if finite.size else -np.inf,
        total=_total(finite),
        squares=_squares(finite, center_of(bins)),
    )


def _total(ordered: Floats) -> int:
    if ordered.size < _MANY:
        return exact_sum(ordered)
    negative, rest = (int(place) for place in (np.searchsorted(ordered, 0.0), np.searchsorted(ordered, 0.0, "right")))
    return exact_sum_of_growing(ordered[rest:]) - exact_sum_of_growing(-ordered[:negative][::-1])


def _squares(ordered: Floats, center: float) -> int:
    squares = _squared_distances(ordered, center)
    if ordered.size < _MANY:
        return exact_sum(squares)
    nearest = int(np.searchsorted(ordered, center))
    return exact_sum_of_growing(squares[:nearest][::-1]) + exact_sum_of_growing(squares[nearest:])


def _squared_distances(values: Floats, center: float) -> Floats:
    with np.errstate(over="ignore"):
        distances = values - center
        distances *= distances
        # Beyond 1e154 a square overflows: it is cut to the greatest float, and `sd` refuses such columns.
        return np.minimum(distances, _GREATEST, out=distances)
