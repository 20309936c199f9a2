"""Calibration: of the rows that were given a score, how many came true.

Reports draw it; estimates without labels rest on it. It moves no score.
"""

from __future__ import annotations

import msgspec
import numpy as np

from gyroscope.records import NotEnoughData
from gyroscope.stats.intervals import Estimate, share_estimate
from gyroscope.stats.performance.cells import counts_by_score
from gyroscope.stats.performance.outcomes import Outcomes
from gyroscope.stats.performance.tally import SCORE_BITS

LEAST_ROWS = 30


class CalibrationBin(msgspec.Struct, frozen=True):
    """Rows of about one score: their mean score and the share that came true, with its 95 % interval.

    Examples
    --------
    >>> CalibrationBin(0.1, Estimate(0.12, 0.10, 0.14, 900)).score
    0.1
    """

    score: float
    share: Estimate


def calibration(outcomes: Outcomes, most: int = 10) -> list[CalibrationBin] | NotEnoughData:
    """Groups of equally many rows by score, lowest first.

    Parameters
    ----------
    outcomes : Outcomes
        Of a binary model.
    most : int
        Groups; fewer where one score has the rows of several.

    Returns
    -------
    list of CalibrationBin, or NotEnoughData
        `NotEnoughData` below 30 labelled rows, or for another task.

    Notes
    -----
    The reliability diagram of Murphy & Winkler 1977, Appl. Statist. 26, 41, on quantile bins.

    Examples
    --------
    >>> from gyroscope.stats.performance import tally
    >>> said, came = np.repeat([0.2, 0.8], 50), np.r_[np.ones(10), np.zeros(40), np.ones(40), np.zeros(10)]
    >>> [(round(one.score, 2), one.share.value) for one in calibration(tally("binary", said, came))]
    [(0.2, 0.2), (0.8, 0.8)]
    """
    if outcomes.task != "binary":
        return NotEnoughData(f"a {outcomes.task} model has no single score")
    rows = outcomes.n * outcomes.support
    if rows < LEAST_ROWS:
        return NotEnoughData(f"{rows:g} labelled rows; {LEAST_ROWS} are needed")
    positive, negative = counts_by_score(outcomes)
    scores = (np.unique(outcomes.cells.keys >> 1) // 2 + 0.5) / 2**SCORE_BITS
    total = positive + negative
    group = np.minimum((np.cumsum(total) - total / 2) * most // total.sum(), most - 1)
    found = []
    for place in np.unique(group):
        here = group == place
        share = share_estimate(int(positive[here].sum()), int(total[here].sum()), support=outcomes.support)
        if isinstance(share, Estimate):
            found.append(CalibrationBin(float((scores[here] * total[here]).sum() / total[here].sum()), share))
    return found
