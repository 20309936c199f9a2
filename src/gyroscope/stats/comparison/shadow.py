"""The gate of a shadow: two versions answered the same requests, and their losses are compared window by window.

Rollouts ask after each mature window. It promotes only on evidence over a whole week; a version that is worse for a
part of the people is not promoted however good it is on the whole.
"""

from __future__ import annotations

import math
from enum import StrEnum

import msgspec
import numpy as np

from gyroscope.records import Decision
from gyroscope.stats.arrays import Floats, Ints
from gyroscope.stats.comparison.one_sample import interval, log_e_above


class Reason(StrEnum):
    """Why a shadow was judged so."""

    NOT_ENOUGH_DATA = "not enough data"
    BETTER = "better"
    WORSE = "worse"
    WORSE_IN_SEGMENT = "worse in a segment"
    FUTILE = "cannot be better by the margin"
    UNDECIDED = "undecided"


class Paired(msgspec.Struct, frozen=True, eq=False):
    """Mean loss of the champion less that of the challenger on the same requests, per window, oldest first.

    Attributes
    ----------
    differences : float64 array, shape (T,)
        Above 0 where the challenger is better. Mature windows only; NaN windows are left out.
    rows : int64 array, shape (T,)

    Examples
    --------
    >>> Paired(np.array([0.1]), np.array([500])).rows.tolist()
    [500]
    """

    differences: Floats
    rows: Ints


class Shadow(msgspec.Struct, frozen=True):
    """What a challenger has to show.

    Attributes
    ----------
    margin : float
        In units of the loss: by how much it has to be better; below 0, by how much it may be worse (a cheaper model).
    evidence : float
        E-value at which it is believed: with none, a wrong verdict has probability 1 / evidence at most.
    days, windows, rows : int
        The least it takes: a whole week, seven windows, 500 rows.
    segment_share : float
        Segments with less of the rows have no veto.

    Examples
    --------
    >>> Shadow().evidence
    20.0
    """

    margin: float = 0.0
    evidence: float = 20.0
    days: int = 7
    windows: int = 7
    rows: int = 500
    segment_share: float = 0.05


def shadow(whole: Paired, days: float, policy: Shadow, segments: dict[str, Paired] | None = None) -> Decision:
    """Promote the challenger, stop it, or keep waiting.

    Parameters
    ----------
    whole : Paired
        All requests.
    days : float
        How many days the windows cover.
    policy : Shadow
    segments : dict of str to Paired
        The same for parts of the requests.

    Returns
    -------
    Decision
        Action "promote", "roll back" or "keep waiting"; `reason` is a value of `Reason`.

    Notes
    -----
    Evidence over windows, valid at every look, so nothing has to be decided about when to look: see `log_e_above`. It
    is futile when the 95 % interval that holds at every look lies below the margin.

    Examples
    --------
    >>> better = Paired(0.02 + 0.01 * np.sin(np.arange(14.0)), np.full(14, 1_000))
    >>> shadow(better, 14, Shadow()).action, shadow(better, 5, Shadow()).reason.value
    ('promote', 'not enough data')
    """
    x, rows = _known(whole)
    figures: dict[str, float | str] = {"windows": x.size, "rows": int(rows.sum()), "days": days}
    if x.size < policy.windows or days < policy.days or rows.sum() < policy.rows:
        return Decision("keep waiting", Reason.NOT_ENOUGH_DATA, figures)
    low, high = interval(x)
    better, worse = log_e_above(x, policy.margin)[-1], log_e_above(-x, max(-policy.margin, 0.0))[-1]
    figures |= {"difference": float(x.mean()), "low": float(low[-1]), "high": float(high[-1])}
    figures |= {"evidence_better": _e(better), "evidence_worse": _e(worse)}
    needed = math.log(policy.evidence)
    if worse >= needed:
        return Decision("roll back", Reason.WORSE, figures)
    if high[-1] < policy.margin:
        return Decision("roll back", Reason.FUTILE, figures)
    if better < needed:
        return Decision("keep waiting", Reason.UNDECIDED, figures)
    name, against = _worst(segments or {}, int(rows.sum()), policy)
    if against >= needed:
        return Decision(
            "keep waiting", Reason.WORSE_IN_SEGMENT, figures | {"segment": name, "evidence_segment": _e(against)}
        )
    return Decision("promote", Reason.BETTER, figures)


def _worst(segments: dict[str, Paired], rows: int, policy: Shadow) -> tuple[str, float]:
    """The segment with most evidence against the challenger, and its logarithm."""
    worst = ("", -math.inf)
    for name, part in segments.items():
        x, n = _known(part)
        if x.size and n.sum() >= policy.segment_share * rows:
            worst = max(worst, (name, float(log_e_above(-x, max(-policy.margin, 0.0))[-1])), key=lambda one: one[1])
    return worst


def _known(paired: Paired) -> tuple[Floats, Ints]:
    known = np.isfinite(paired.differences) & (paired.rows > 0)
    return paired.differences[known], paired.rows[known]


def _e(log_e: float) -> float:
    return math.exp(min(float(log_e), 600.0))
