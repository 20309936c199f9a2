"""What share of rows with a score is positive: isotonic regression on counts.

`estimator.py` fits one per fold and one for later windows. It never sees a row.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from gyroscope.records import NotEnoughData
from gyroscope.stats.arrays import Floats
from gyroscope.stats.performance.cells import counts_by_score
from gyroscope.stats.performance.outcomes import Outcomes
from gyroscope.stats.performance.tally import SCORE_BITS

LEAST_OF_CLASS = 20


class Calibration(msgspec.Struct, frozen=True, eq=False):
    """A non-decreasing map from scores to shares of positive rows, by its knots; flat beyond them.

    Examples
    --------
    >>> Calibration(np.array([0.2, 0.8]), np.array([0.1, 0.5]))(np.array([0.0, 0.5, 1.0])).round(2).tolist()
    [0.1, 0.3, 0.5]
    """

    s: Floats
    share: Floats

    def __call__(self, s: Floats) -> Floats:
        """The share at each score, same shape."""
        return np.interp(s, self.s, self.share)


def fit_calibration(windows: Sequence[Outcomes]) -> Calibration | NotEnoughData:
    """Learn from labelled windows of a binary classifier.

    Parameters
    ----------
    windows : sequence of Outcomes

    Returns
    -------
    Calibration or NotEnoughData
        `NotEnoughData` for another task, or fewer than 20 positive or 20 negative rows.

    Notes
    -----
    Isotonic regression by pooling adjacent violators (Ayer et al. 1955, Ann. Math. Stat. 26, 641; as a calibration
    Zadrozny & Elkan 2002, KDD), on shares per score bin weighted by rows; between the middles of its blocks it is
    linear.

    Examples
    --------
    >>> from gyroscope.stats.performance import tally
    >>> rng = np.random.default_rng(0)
    >>> p = rng.random(20_000)
    >>> fitted = fit_calibration([tally("binary", p, rng.random(20_000) < p / 2)])
    >>> fitted(np.array([0.2, 0.8])).round(1).tolist()
    [0.1, 0.4]
    """
    from scipy.optimize import isotonic_regression  # a replica starts without scipy

    binary = [window for window in windows if window.task == "binary" and window.n]
    if not binary:
        return NotEnoughData("no labelled window of a binary classifier")
    whole = binary[0]
    for window in binary[1:]:
        whole = whole.merge(window)
    positive, negative = counts_by_score(whole)
    if min(int(positive.sum()), int(negative.sum())) < LEAST_OF_CLASS:
        return NotEnoughData(
            f"{positive.sum()} positive and {negative.sum()} negative rows; calibration needs {LEAST_OF_CLASS} of each"
        )
    rows = positive + negative
    bins = np.unique(whole.cells.keys >> 1) >> 1
    s = np.minimum((bins + 0.5) / (1 << SCORE_BITS), 1.0)
    fitted = isotonic_regression(positive / rows, weights=rows)
    return Calibration(s, np.asarray(fitted.x, np.float64))
