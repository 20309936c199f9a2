"""Train-serve skew: the same records, computed by serving and by training, must be the same.

Whoever can compute features both ways calls this with a sample. It compares exactly and knows no tolerance but that of
the float type that was served.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gyroscope.stats.intervals import wilson
from gyroscope.stats.profiles.inputs import as_floats, is_numeric
from gyroscope.stats.quality.finding import Finding, FindingKind

MOST_DIFFERENT = 0.001

Column = npt.NDArray[Any]


def skew(served: Mapping[str, Column], offline: Mapping[str, Column]) -> list[Finding]:
    """Columns in which more than one row in a thousand differs between serving and training.

    Parameters
    ----------
    served, offline : mapping of str to array, shape (n,)
        The same rows in the same order. Missing on both sides is equal; a column that one side lacks differs in
        every row.

    Returns
    -------
    list of Finding
        Where the 95 % interval of the share (Wilson 1927) lies above 0.1 %, greatest share first.

    Examples
    --------
    >>> found = skew({"age": np.array([1.0, 2.0, np.nan])}, {"age": np.array([1.0, 7.0, np.nan])})
    >>> found[0].reason
    '1 of 3 rows differ between serving and training'
    """
    found = []
    for name in dict.fromkeys((*served, *offline)):
        rows = len(served[name] if name in served else offline[name])
        different = _different(served[name], offline[name]) if name in served and name in offline else rows
        low, high = wilson(different / rows, rows) if rows else (0.0, 1.0)
        if low > MOST_DIFFERENT:
            figures = {"share": different / rows, "low": low, "high": high, "rows": float(rows)}
            reason = f"{different:,} of {rows:,} rows differ between serving and training"
            found.append(Finding(FindingKind.SKEW, name, reason, figures))
    return sorted(found, key=lambda one: -one.figures["share"])


def _different(served: Column, offline: Column) -> int:
    if is_numeric(served) and is_numeric(offline):
        a, b = as_floats(served), as_floats(offline)
        if np.float32 in (served.dtype, offline.dtype):  # equal as far as the narrower of the two can say
            with np.errstate(over="ignore"):
                a, b = a.astype(np.float32), b.astype(np.float32)
        return int((~((a == b) | (np.isnan(a) & np.isnan(b)))).sum())
    a, b = np.asarray(served, object), np.asarray(offline, object)
    nothing = np.full(a.shape, None, object)
    both_missing = ((a != a) | (a == nothing)) & ((b != b) | (b == nothing))
    return int((~((a == b) | both_missing)).sum())
