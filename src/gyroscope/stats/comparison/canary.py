"""The gate of a canary: two versions serve at once, requests are split at random, harm is counted by the minute.

Rollouts ask every minute. Evidence of harm rolls back at once; promotion needs enough requests, a split that was as
intended, and an interval that rules harm beyond the margin out.
"""

from __future__ import annotations

import math
from enum import StrEnum

import msgspec
import numpy as np
from scipy.special import logsumexp

from gyroscope.records import Decision
from gyroscope.stats.arrays import Floats
from gyroscope.stats.comparison.minutes import Minutes, log_e_worse
from gyroscope.stats.comparison.one_sample import interval
from gyroscope.stats.comparison.ratio import log_e_split


class Harm(StrEnum):
    """Why a canary was judged so."""

    NOT_ENOUGH_DATA = "not enough data"
    WORSE = "worse"
    SPLIT = "the requests were not split as intended"
    NO_WORSE = "no worse than the margin"
    UNDECIDED = "undecided"


class Canary(msgspec.Struct, frozen=True):
    """What a canary has to show.

    Attributes
    ----------
    share : float
        Of the requests it was to get.
    evidence : float
        E-value of harm at which it is rolled back; without harm that happens with probability 1 / evidence at most.
    margin : float
        Harm per request that it may do beyond the champion, as a share.
    requests, minutes : int
        Of each arm, and of time, before it can be promoted.
    split_evidence : float
        E-value against the intended split at which no verdict is trusted.
    block : int
        Minutes that are one window of the interval of the difference.

    Examples
    --------
    >>> Canary(share=0.05).evidence
    100.0
    """

    share: float
    evidence: float = 100.0
    margin: float = 0.005
    requests: int = 500
    minutes: int = 1440
    split_evidence: float = 1e4
    block: int = 30


def canary(harms: dict[str, Minutes], policy: Canary) -> Decision:
    """Promote the canary, roll it back, or keep waiting.

    Parameters
    ----------
    harms : dict of str to Minutes
        What is harmful, over the same minutes: errors, answers slower than the champion's 95 % point, slower than
        promised, wrong labels. Arm a is the champion, arm b the canary.
    policy : Canary

    Returns
    -------
    Decision
        Action "promote", "roll back" or "keep waiting"; `reason` is a value of `Harm`.

    Notes
    -----
    Evidence of several harms is averaged, which keeps the promise under any dependence (Vovk & Wang 2021, Ann. Stat.
    49, 1736). Fewer than 500 requests never pass, but a canary that fails is rolled back before it has served them.

    Examples
    --------
    >>> minutes, fine = np.full(20, 950), np.full(20, 5)
    >>> broken = Minutes(minutes, fine, np.full(20, 50), np.full(20, 10))
    >>> canary({"errors": broken}, Canary(share=0.05)).action
    'roll back'
    """
    if not harms or not len(next(iter(harms.values())).a_n):
        return Decision("keep waiting", Harm.NOT_ENOUGH_DATA, {"requests": 0})
    each = {name: float(log_e_worse(minutes)[-1]) for name, minutes in harms.items()}
    worst = max(each, key=lambda name: each[name])
    together = float(logsumexp(list(each.values()))) - math.log(len(each))
    some = harms[worst]
    n_a, n_b = int(some.a_n.sum()), int(some.b_n.sum())
    split = log_e_split(n_a, n_b, policy.share)
    figures: dict[str, float | str] = {
        "requests": n_b,
        "champion_requests": n_a,
        "harm": worst,
        "evidence_worse": math.exp(min(together, 600.0)),
        "evidence_split": math.exp(min(split, 600.0)),
    }
    if together >= math.log(policy.evidence):
        return Decision("roll back", Harm.WORSE, figures)
    if split >= math.log(policy.split_evidence):
        return Decision("keep waiting", Harm.SPLIT, figures)
    if min(n_a, n_b) < policy.requests or len(some.a_n) < policy.minutes:
        return Decision("keep waiting", Harm.NOT_ENOUGH_DATA, figures)
    tops = {name: _top(minutes, policy.block) for name, minutes in harms.items()}
    figures |= {f"most_{name}": top for name, top in tops.items()}
    if max(tops.values()) < policy.margin:
        return Decision("promote", Harm.NO_WORSE, figures)
    return Decision("keep waiting", Harm.UNDECIDED, figures)


def _top(minutes: Minutes, block: int) -> float:
    """The most harm per request beyond the champion's that is not ruled out, at any look."""
    a_n, a_harm, b_n, b_harm = (
        np.add.reduceat(values, np.arange(0, len(values), block))
        for values in (minutes.a_n, minutes.a_harm, minutes.b_n, minutes.b_harm)
    )
    both = (a_n > 0) & (b_n > 0)
    differences: Floats = b_harm[both] / b_n[both] - a_harm[both] / a_n[both]
    if not differences.size:
        return math.inf
    if not differences.any():  # no harm at all, in both: three over the requests (Hanley & Lippman-Hand 1983)
        return 3 / int(b_n.sum())
    return float(interval(differences)[1][-1])
