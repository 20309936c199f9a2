"""Choosing the bins from reference data: equal-mass bins for numbers, the most frequent categories for strings.

Models call `fit_layout` once per version, the notebook once per comparison. It never counts a window.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gyroscope.stats.arrays import Floats
from gyroscope.stats.profiles.inputs import Column, as_floats, is_numeric, row_count, tally_strings
from gyroscope.stats.profiles.layout import Bins, CategoryBins, Layout, NumericBins

NUMERIC_BINS = 20
CATEGORIES = 100
RARE_CATEGORIES = 1_000


def fit_layout(columns: Mapping[str, Column]) -> Layout:
    """Fix the bins of each column on reference rows.

    Parameters
    ----------
    columns : mapping of str to array, shape (n,) each
        Bool, integer, float or date arrays become numeric bins; object and string arrays become categories.
        NaN, NaT, None and masked entries are missing and shape no bin, nor does an infinite value.

    Returns
    -------
    Layout
        Numeric: at most 20 bins of equal mass between the least and the greatest value; up to 20 different values
        get a bin each. Strings: the 100 most frequent, then 1,000 that are known as rare.

    Raises
    ------
    GyroscopeError
        When two columns differ in length or one is not flat.

    Examples
    --------
    >>> fit_layout({"flag": np.array([0.0, 1.0, np.nan]), "from": np.array(["JFK", None, "JFK"], dtype=object)}).columns
    {'flag': NumericBins(edges=(0.0, 1.0, 1.0)), 'from': CategoryBins(categories=('JFK',), rare=())}
    """
    row_count(columns)
    return Layout({name: _fit(values) for name, values in columns.items()})


def _fit(values: Column) -> Bins:
    return _fit_numbers(as_floats(values)) if is_numeric(values) else _fit_strings(values)


def _fit_numbers(values: Floats) -> NumericBins:
    ordered = np.sort(values[np.isfinite(values)])
    if not ordered.size:
        return NumericBins()
    distinct = ordered[np.concatenate(([True], ordered[1:] != ordered[:-1]))]
    if distinct.size > NUMERIC_BINS:
        ranks = np.minimum(np.arange(NUMERIC_BINS + 1) * ordered.size // NUMERIC_BINS, ordered.size - 1)
        distinct = np.unique(ordered[ranks])
        at_top = ordered.size - np.searchsorted(ordered, ordered[-1])
        if at_top * NUMERIC_BINS < ordered.size:
            return NumericBins(tuple(distinct.tolist()))
    # The greatest value is frequent: it gets a bin of its own, else a 0/1 column would be one bin and never drift.
    return NumericBins((*distinct.tolist(), float(ordered[-1])))


def _fit_strings(values: Column) -> CategoryBins:
    counts, _ = tally_strings(values)
    names = sorted(counts, key=lambda name: (-counts[name], name))
    return CategoryBins(tuple(names[:CATEGORIES]), tuple(names[CATEGORIES : CATEGORIES + RARE_CATEGORIES]))
