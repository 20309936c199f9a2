"""Rows that are there twice in a window, such as a batch that was sent again or a join that multiplies: a hard rule.

Monitoring asks of each complete window. A share that is small says nothing here: it is a signal of the window.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gyroscope.records import NotEnoughData
from gyroscope.stats.profiles import Profile
from gyroscope.stats.profiles.equal_rows import Again
from gyroscope.stats.quality.finding import Finding, FindingKind
from gyroscope.stats.quality.rules import UNUSUAL_SHARE, UNUSUAL_TIMES

LEAST_ROWS = 30

_ALWAYS = 3
"""Repeated rows that a reference without any may have had coming: 95 % of Poisson counts of mean 3 are not 0."""


class Repetition(msgspec.Struct, frozen=True):
    """How rows repeat by nature: the greatest share of one window, and the share for each different row of a window.

    Rows of few values are equal by chance, the more of them the more often; rows sent again are no more different ones.
    """

    most: float
    pace: float


def learn_repetition(reference: Sequence[Profile]) -> Repetition | NotEnoughData:
    """How often rows were there already in the windows of a reference; those with less than 30 rows do not count.

    Parameters
    ----------
    reference : sequence of Profile, length D

    Returns
    -------
    Repetition or NotEnoughData
        With three repeated rows more than there were: that there are none is not sure.

    Examples
    --------
    >>> import numpy as np
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> day = {"x": np.arange(100.0)}
    >>> learn_repetition([profile(day, fit_layout(day))])
    Repetition(most=0.0, pace=0.0003)
    """
    found = [again for one in reference if (again := _counted(one)) is not None]
    if not found:
        return NotEnoughData(f"no window of the reference has {LEAST_ROWS} rows whose repetition was counted")
    repeated = sum(again.rows - again.different for again in found)
    pace = (repeated + _ALWAYS) / sum(again.rows * again.different for again in found)
    return Repetition(max(again.share for again in found), pace)


def duplicate_rows(before: Repetition | NotEnoughData, current: Profile) -> Finding | None:
    """Whether rows of a window are there twice.

    Parameters
    ----------
    before : Repetition or NotEnoughData
        From `learn_repetition`; where it is not known nothing is found.
    current : Profile

    Returns
    -------
    Finding or None
        A finding where surely (by the lower end of the interval) over 30 % of 30 rows or more were there already, and
        three times as many as in any window of the reference or as so many different rows have by chance.

    Notes
    -----
    Of rows drawn from any distribution the share that repeats grows at most twice as fast as the number of different
    ones: a window larger than the reference's is not found for its size.

    Examples
    --------
    >>> import numpy as np
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> day = {"x": np.arange(100.0)}
    >>> layout = fit_layout(day)
    >>> duplicate_rows(Repetition(0.0, 1e-6), profile({"x": np.repeat(day["x"], 2)}, layout)).reason
    "50 % of the rows are there already; in the reference's windows at most 0 %"
    """
    again = _counted(current)
    if isinstance(before, NotEnoughData) or again is None:
        return None
    usual = max(before.most, before.pace * again.different)
    if again.low <= UNUSUAL_SHARE or again.low <= UNUSUAL_TIMES * usual:
        return None
    reason = f"{_percent(again.share)} of the rows are there already; in the reference's windows at most "
    figures = {"share": again.share, "share_low": again.low, "reference_most": before.most}
    return Finding(FindingKind.DUPLICATE_ROWS, "", reason + _percent(before.most), figures)


def _counted(window: Profile) -> Again | None:
    counted = window.equal_rows
    if isinstance(counted, NotEnoughData) or counted.rows < LEAST_ROWS:
        return None
    again = counted.again()
    return None if isinstance(again, NotEnoughData) else again


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
