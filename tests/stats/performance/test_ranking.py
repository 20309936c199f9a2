"""Ranking metrics against scikit-learn and against lists read one by one; merging; bad lists."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk

from gyroscope.errors import GyroscopeError
from gyroscope.records import NotEnoughData
from gyroscope.stats.performance import Outcomes, confusion, metrics, tally, tally_ranking


def lists(n: int, seed: int, ties: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n), rng.integers(2, 30, n))
    scores = rng.normal(size=groups.size)
    relevance = rng.integers(0, 4, groups.size) * (rng.random(groups.size) < 0.3)
    order = rng.permutation(groups.size)
    return (scores.round(1) if ties else scores)[order], relevance[order].astype(float), groups[order]


def value(outcomes: Outcomes, name: str) -> float:
    found = metrics(outcomes)[name]
    assert not isinstance(found, NotEnoughData) and 0 <= found.low <= found.value <= found.high <= 1
    return found.value


def each(by: tuple[np.ndarray, np.ndarray, np.ndarray]):
    for group in np.unique(by[2]):
        mine = by[2] == group
        yield by[0][mine], by[1][mine]


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("k", [1, 5, 100])
def test_ndcg_is_scikit_learns(k: int, ties: bool) -> None:
    given = lists(300, k, ties)
    theirs = [sk.ndcg_score([relevance], [scores], k=k) for scores, relevance in each(given)]
    assert value(tally_ranking(*given, k=k), "ndcg") == pytest.approx(np.mean(theirs), rel=1e-12)


def test_average_precision_of_whole_lists_is_scikit_learns() -> None:
    given = lists(300, 2)
    theirs = [sk.average_precision_score(r > 0, s) if r.any() else 0.0 for s, r in each(given)]
    assert value(tally_ranking(*given, k=100), "map") == pytest.approx(np.mean(theirs), rel=1e-12)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_others_are_what_a_reader_of_each_list_counts(k: int) -> None:
    given, known = lists(200, 3, ties=True), {"map": 0.0, "mrr": 0.0, "hit_rate": 0.0}
    for scores, relevance in each(given):
        top = relevance[np.argsort(-scores, kind="stable")][:k] > 0
        places = np.flatnonzero(top)
        known["hit_rate"] += top.any()
        known["mrr"] += 1 / (places[0] + 1) if places.size else 0.0
        hits = [(at + 1) / (place + 1) for at, place in enumerate(places)]
        known["map"] += sum(hits) / min(k, (relevance > 0).sum()) if (relevance > 0).any() else 0.0
    outcomes = tally_ranking(*given, k=k)
    for name, total in known.items():
        assert value(outcomes, name) == pytest.approx(total / 200, rel=1e-12), name


def test_lists_of_two_days_add_up_exactly() -> None:
    scores, relevance, groups = lists(100, 4)
    first = groups < 40
    halves = [tally_ranking(scores[part], relevance[part], groups[part]) for part in (first, ~first)]
    whole = tally_ranking(scores, relevance, groups)
    assert halves[0].merge(halves[1]) == whole
    assert Outcomes.from_bytes(whole.to_bytes()) == whole
    with pytest.raises(GyroscopeError, match="counted as a whole"):
        tally("ranking", np.ones(2), np.ones(2))
    with pytest.raises(GyroscopeError):
        whole.merge(tally_ranking(scores, relevance, groups, k=3))


def test_bad_lists_are_counted_apart_and_none_is_not_enough() -> None:
    scores = np.array([1.0, np.nan, 2.0, 1e308, 3.0, 1.0])
    relevance = np.array([1.0, 1.0, -1.0, 0.0, 1e308, 0.0])
    outcomes = tally_ranking(scores, relevance, np.array(["a", "a", "b", "c", "c", "d"]))
    assert (outcomes.n, outcomes.unusable) == (2, 2)
    assert value(outcomes, "hit_rate") == 0.5
    nothing = tally_ranking(np.empty(0), np.empty(0), np.empty(0))
    assert all(isinstance(one, NotEnoughData) for one in metrics(nothing).values())
    assert isinstance(confusion(outcomes), NotEnoughData)
    with pytest.raises(GyroscopeError, match="do not fit"):
        tally_ranking(np.ones(2), np.ones(3), np.ones(2))
