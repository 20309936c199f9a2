"""Rows that are there again: their share as a stream for the engine, beside those of missing and unknown values.

Monitoring joins this to the family "quality". A batch that was sent twice or a join that multiplies shows here at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gyroscope.records import NotEnoughData
from gyroscope.stats.evidence import Streams, stream
from gyroscope.stats.profiles import Profile
from gyroscope.stats.streams.cells import arcsine

DUPLICATES = "duplicates"
"""The name of the stream. Those of a column are called after it, with a colon: none has this name."""


def duplicate_stream(windows: Sequence[Profile], typical_rows: float, weight: float = 1.0) -> Streams:
    """The share of rows that are there again in the same window, upwards, in arcsine units.

    Parameters
    ----------
    windows : sequence of Profile, length T
    typical_rows : float
        Of a window of the reference, above 0.
    weight : float

    Returns
    -------
    Streams
        One; a window that has no rows, or whose profile did not count equal rows, has no value.

    Notes
    -----
    Two rows are equal by chance more often the more there are: the share grows at most in proportion. A window of more
    than `typical_rows` is therefore held to so much less, else growing traffic would look like rows sent twice.

    Examples
    --------
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> day = {"x": np.arange(100.0)}
    >>> twice = {"x": np.repeat(day["x"], 2)}
    >>> found = duplicate_stream([profile(one, fit_layout(day)) for one in (day, twice)], typical_rows=100)
    >>> (np.sin(found.y[0] / 2) ** 2).round(2).tolist()
    [0.0, 0.25]
    """
    again, rows = np.zeros(len(windows)), np.zeros(len(windows))
    for place, window in enumerate(windows):
        counted = window.equal_rows
        if not isinstance(counted, NotEnoughData) and window.n:
            again[place] = counted.again * min(typical_rows / window.n, 1.0)
            rows[place] = counted.rows
    y, within = arcsine(again[np.newaxis], rows[np.newaxis])
    return stream(DUPLICATES, y[0], within[0], side=1, weight=weight)
