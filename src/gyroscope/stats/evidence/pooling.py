"""What the streams of a family say about each other: how far a figure of one is to be drawn to the mean of all.

Memory (`baselines`) and tails (`scoring`) of a stream are known from few windows; those of hundreds together are known
well. It never mixes the streams' values themselves.
"""

from __future__ import annotations

from gyroscope.stats.arrays import Floats

_LEAST_STREAMS = 3


def pooled(own: Floats, error: Floats) -> tuple[Floats, float]:
    """Figures of S streams, drawn to their mean as far as chance explains that they differ.

    Parameters
    ----------
    own : float array, shape (S,)
    error : float array, shape (S,)
        Standard error of each.

    Returns
    -------
    float array, shape (S,)
        The drawn figures.
    float
        The share of a stream's distance from the mean that was kept: 1 where streams truly differ, or are 3 or fewer;
        0 where they differ no more than by chance.

    Notes
    -----
    Empirical Bayes (Efron & Morris 1973, JASA 68, 117). A family of a few odd streams among many alike draws the odd
    ones too far: callers limit how far a figure may go (Efron & Morris 1972, JASA 67, 130).

    Examples
    --------
    >>> import numpy as np
    >>> alike, kept = pooled(np.array([0.1, 0.2, 0.3, 0.2]), np.full(4, 0.2))
    >>> alike.round(2).tolist(), kept
    ([0.2, 0.2, 0.2, 0.2], 0.0)
    >>> pooled(np.array([0.0, 5.0, 0.0, 5.0]), np.full(4, 0.2))[1] > 0.99
    True
    """
    differ = float(own.var()) if own.size else 0.0
    if own.size <= _LEAST_STREAMS:
        return own, 1.0
    by_chance = float((error**2).mean()) * (own.size - _LEAST_STREAMS) / (own.size - 1)
    kept = max(0.0, 1 - by_chance / differ) if differ > 0 else 0.0
    centre = own.mean()
    return centre + kept * (own - centre), kept
