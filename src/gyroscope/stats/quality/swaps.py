"""Columns that changed places: each holds now what another one held.

Monitoring asks for columns that were flagged in one window. It never proposes a swap that does not explain both.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
from scipy.optimize import linear_sum_assignment

from gyroscope.stats.profiles import ColumnCounts, NumericBins, Profile
from gyroscope.stats.quality.finding import Finding, FindingKind
from gyroscope.stats.quality.shapes import Yardstick, shape_of
from gyroscope.stats.quality.units import LEAST_BEFORE, MOST_AFTER


def swaps(reference: Sequence[Profile], current: Profile, columns: Sequence[str]) -> list[Finding]:
    """Name the columns that hold what others held.

    Parameters
    ----------
    reference : sequence of Profile, length D
    current : Profile
    columns : sequence of str
        The flagged ones; those that are no numbers are left out, as their new texts are not kept.

    Returns
    -------
    list of Finding
        One per column that moved: over 30 % of its rows are elsewhere than they were, and at most 5 %, or a fifth of
        that, elsewhere than those of the column it is taken for. All columns are assigned at once.

    Notes
    -----
    The assignment of least total distance (Kuhn 1955; Crouse 2016, IEEE Trans. Aerosp. 52, 1679).

    Examples
    --------
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> day = {"age": np.linspace(20, 60, 300), "income": np.linspace(1e4, 9e4, 300)}
    >>> layout = fit_layout(day)
    >>> swapped = profile({"age": day["income"], "income": day["age"]}, layout)
    >>> [(one.column, one.reason) for one in swaps([profile(day, layout)], swapped, ["age", "income"])]
    [('age', 'it holds what income held'), ('income', 'it holds what age held')]
    """
    names = [name for name in columns if isinstance(current.columns[name].bins, NumericBins)]
    wholes = {name: reduce(ColumnCounts.merge, [window.columns[name] for window in reference]) for name in names}
    before = {name: shape for name in names if (shape := shape_of(wholes[name])) is not None}
    now = {name: shape for name in before if (shape := shape_of(current.columns[name])) is not None}
    if len(now) < 2:
        return []
    usable = list(now)
    yards = [(Yardstick.of(before[old]), max(wholes[old].values, 1)) for old in usable]
    rows_now = max(current.n, 1)
    distances = np.array([[yard.apart(now[new], 1 / rows_now + 1 / n) for yard, n in yards] for new in usable])
    rows, chosen = linear_sum_assignment(distances)
    found = []
    for row, column in zip(rows.tolist(), chosen.tolist(), strict=True):
        was, becomes = float(distances[row, row]), float(distances[row, column])
        if row != column and was > LEAST_BEFORE and becomes <= max(MOST_AFTER, was / 5):
            figures = {"elsewhere_before": was, "elsewhere_after": becomes}
            reason = f"it holds what {usable[column]} held"
            found.append(Finding(FindingKind.SWAPPED, usable[row], reason, figures))
    return found
