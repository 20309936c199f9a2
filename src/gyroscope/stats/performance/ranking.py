"""Ranked lists with graded relevance: their tally, which merges exactly, and NDCG, MAP, MRR and hit rate at k.

People call `tally_ranking` on arrays, `metrics` reads what it counted. A list is the unit, not its rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gyroscope.errors import GyroscopeError
from gyroscope.records import NotEnoughData
from gyroscope.stats.arrays import Floats, Ints
from gyroscope.stats.intervals import Estimate, bounded_mean_estimate, share_estimate
from gyroscope.stats.performance.outcomes import Outcomes
from gyroscope.stats.sparse import SparseCounts
from gyroscope.stats.sums import as_float, exact_sums, variance_of

RANKING = ("ndcg", "map", "mrr", "hit_rate")
"""The names of `ranking_metrics`, in the order they are shown."""

_MEANS = ("ndcg", "map", "mrr")
_NO_LIST = NotEnoughData("no labelled list")


def tally_ranking(scores: Floats, relevance: Floats, groups: npt.NDArray[Any], *, k: int = 10) -> Outcomes:
    """Count ranked lists with the relevance of their rows.

    Parameters
    ----------
    scores : array, shape (n,)
        The higher, the further up.
    relevance : array, shape (n,)
        0 for a row of no use, above 0 for one that is: 1, or grades.
    groups : array, shape (n,)
        Which list a row belongs to, for instance the id of its request; in any order.
    k : int
        Positions that are looked at.

    Returns
    -------
    Outcomes
        Of task "ranking"; `n` counts lists, `classes` is k, `cells` counts lists by the position of the first relevant
        row (0: none among them). A list with a score or relevance that is not finite, or negative relevance, is
        `unusable`. A list of which nothing is relevant counts 0.

    Raises
    ------
    GyroscopeError
        When the shapes differ or k is below 1.

    Notes
    -----
    NDCG (Jarvelin & Kekalainen 2002, ACM TOIS 20, 422): linear gain, rows of equal score share their mean gain, as in
    scikit-learn. The others keep rows of equal score in the order they came.

    Examples
    --------
    >>> lists = tally_ranking(np.array([0.9, 0.5, 0.1, 0.7, 0.2]), np.array([0, 1, 0, 1, 0]), np.array([1, 1, 1, 2, 2]))
    >>> known = ranking_metrics(lists)
    >>> known["mrr"].value, known["hit_rate"].value, known["mrr"].n
    (0.75, 1.0, 2)
    """
    s, gain, codes = _checked(scores, relevance, groups, k)
    size = int(codes.max(initial=-1)) + 1
    bad = np.zeros(size, bool)
    bad[codes[~(np.isfinite(s) & np.isfinite(gain) & (gain >= 0))]] = True
    keep = ~bad[codes]
    s, gain, codes = s[keep], gain[keep], codes[keep]
    usable = np.flatnonzero(~bad)
    place, gains = _in_order(s, gain, codes)
    first = _first_relevant(place, gains, codes, size, k)[usable]
    parts = {
        "ndcg": _ndcg(s, gain, codes, size, k)[usable],
        "map": _average_precision(place, gains, codes, size, k)[usable],
        "mrr": np.divide(1.0, first, out=np.zeros(first.size), where=first > 0),
    }
    terms = {**parts, **{f"{name}_squares": values * values for name, values in parts.items()}}
    n = usable.size
    return Outcomes(
        task="ranking",
        threshold=0.0,
        classes=k,
        n=n,
        unusable=int(bad.sum()),
        huge=0,
        cells=SparseCounts.of(first),
        sums=dict(zip(terms, exact_sums(np.stack(list(terms.values()))), strict=True)),
        squares=n,
    )


def ranking_metrics(outcomes: Outcomes) -> dict[str, Estimate | NotEnoughData]:
    """Means over lists of NDCG, average precision and reciprocal rank, and the share of lists with a hit, all at k.

    Parameters
    ----------
    outcomes : Outcomes
        Of task "ranking".

    Returns
    -------
    dict of str to Estimate or NotEnoughData
        `n` counts lists.

    Examples
    --------
    >>> known = ranking_metrics(tally_ranking(np.array([3.0, 2.0, 1.0]), np.array([0, 0, 1]), np.zeros(3)))
    >>> known["ndcg"].value, round(known["map"].value, 4)
    (0.5, 0.3333)
    """
    if not outcomes.n:
        return dict.fromkeys(RANKING, _NO_LIST)
    return {**{name: _mean(outcomes, name) for name in _MEANS}, "hit_rate": _hit_rate(outcomes)}


def hits_at_k(outcomes: Outcomes) -> int:
    """Lists with a relevant row among the first k.

    Examples
    --------
    >>> hits_at_k(tally_ranking(np.array([1.0, 2.0]), np.array([1, 0]), np.array([7, 8])))
    1
    """
    return int(outcomes.cells.counts[outcomes.cells.keys > 0].sum())


def _mean(outcomes: Outcomes, name: str) -> Estimate:
    total, squares = outcomes.sums[name], outcomes.sums[f"{name}_squares"]
    variance = variance_of(total, squares, outcomes.n)
    return bounded_mean_estimate(as_float(total, outcomes.n), variance, outcomes.n * outcomes.support)


def _hit_rate(outcomes: Outcomes) -> Estimate | NotEnoughData:
    return share_estimate(hits_at_k(outcomes), outcomes.n, support=outcomes.support)


def _checked(scores: Floats, relevance: Floats, groups: npt.NDArray[Any], k: int) -> tuple[Floats, Floats, Ints]:
    s, gain, lists = np.asarray(scores, np.float64), np.asarray(relevance, np.float64), np.asarray(groups)
    if not (s.ndim == 1 and s.shape == gain.shape == lists.shape and k >= 1):
        raise GyroscopeError(
            f"scores {s.shape}, relevance {gain.shape} and groups {lists.shape} do not fit, or k = {k} is below 1",
            where="tally_ranking(scores, relevance, groups)",
            fix="pass one flat array of each, and how many positions are looked at",
        )
    return s, gain, np.unique(lists, return_inverse=True)[1].astype(np.int64)


def _in_order(s: Floats, gain: Floats, codes: Ints) -> tuple[Ints, Floats]:
    """Of the rows list by list from the top: the position in their list, from 0, and the relevance."""
    order = np.lexsort((-s, codes))
    return _places(codes), gain[order]


def _places(codes: Ints) -> Ints:
    """0, 1, 2 ... within each list, for rows that are sorted by list."""
    ordered = np.sort(codes)
    starts = np.searchsorted(ordered, ordered, side="left")
    return np.arange(ordered.size) - starts


def _first_relevant(place: Ints, gains: Floats, codes: Ints, size: int, k: int) -> Ints:
    hit = (gains > 0) & (place < k)
    first = np.full(size, k + 1, np.int64)
    np.minimum.at(first, np.sort(codes)[hit], place[hit] + 1)
    return np.where(first > k, 0, first)


def _average_precision(place: Ints, gains: Floats, codes: Ints, size: int, k: int) -> Floats:
    """The precision at each relevant row among the first k, summed, over as many as there could be there."""
    lists, relevant = np.sort(codes), gains > 0
    above: Ints = np.cumsum(relevant, dtype=np.int64)
    before: Ints = above - relevant
    of_list: Ints = above - before[np.searchsorted(lists, lists, side="left")]
    counted = relevant & (place < k)
    total = np.bincount(lists[counted], of_list[counted] / (place[counted] + 1.0), size)
    could = np.minimum(np.bincount(lists, relevant, size), k)
    return np.divide(total, could, out=np.zeros(size), where=could > 0)


def _ndcg(s: Floats, gain: Floats, codes: Ints, size: int, k: int) -> Floats:
    lists, place = np.sort(codes), _places(codes)
    discount = np.where(place < k, 1 / np.log2(place + 2.0), 0.0)
    order = np.lexsort((-s, codes))
    is_new = np.ones(order.size, bool)
    is_new[1:] = (np.diff(s[order]) != 0) | (np.diff(lists) != 0)
    tie = np.cumsum(is_new) - 1
    shared = np.bincount(tie, gain[order]) / np.bincount(tie) if order.size else np.empty(0)
    found = np.bincount(lists, shared[tie] * discount, size)
    best = np.bincount(lists, gain[np.lexsort((-gain, codes))] * discount, size)
    return np.divide(found, best, out=np.zeros(size), where=best > 0)
