"""Estimates: their intervals cover days that differ, tracks never peek, relation streams see what moved."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.records import NotEnoughData
from gyroscope.stats.estimation import (
    Estimator,
    Scores,
    Support,
    Verdict,
    estimate_stream,
    fit_estimator,
    relation_stream,
    relation_verdict,
    support_of,
    track,
)
from gyroscope.stats.performance import Outcomes, tally
from gyroscope.stats.profiles import fit_layout, profile


def day(rng: np.random.Generator, *, rows: int = 400, spread: float = 0.0, slope: float = 1.0) -> Outcomes:
    """Scores that are right, but for an effect that all rows of the day share."""
    p = rng.beta(2, 5, rows)
    moved = p * slope + spread * rng.normal()
    return tally("binary", p, rng.random(rows) < np.clip(moved, 0, 1))


def fitted(rng: np.random.Generator, days: int = 60, **how: float) -> tuple[Estimator, list[Outcomes]]:
    reference = [day(rng, **how) for _ in range(days)]  # type: ignore[arg-type]
    estimator = fit_estimator(reference)
    assert isinstance(estimator, Estimator)
    return estimator, reference


@pytest.mark.parametrize("metric", ["brier", "accuracy", "auc", "f1"])
def test_intervals_cover_days_that_differ(metric: str) -> None:
    rng, hits = np.random.default_rng(1), []
    for _ in range(5):  # references, each with its own luck
        estimator, _ = fitted(rng, spread=0.1)
        later = [day(rng, spread=0.1) for _ in range(80)]
        found = [estimator.estimate(Scores.from_outcomes(one))[metric] for one in later]
        realised = track(estimator, [], [*later], metric).realised
        hits += [one.low <= value <= one.high for one, value in zip(found, realised, strict=True)]  # type: ignore[union-attr]
    assert 0.92 <= np.mean(hits) <= 0.98


def test_a_track_uses_no_label_before_its_time() -> None:
    rng = np.random.default_rng(2)
    estimator, _ = fitted(rng)
    later = [day(rng, slope=0.6) for _ in range(30)]
    scores = [Scores.from_outcomes(one) for one in later]
    whole = track(estimator, scores, later, delay=3)
    blind = track(estimator, scores, [*later[:20], *[NotEnoughData("no labels yet")] * 10], delay=3)
    assert whole.estimate[:23].tolist() == blind.estimate[:23].tolist()
    assert whole.estimate[23:].tolist() != blind.estimate[23:].tolist()
    plain = [estimator.expected(one)["brier"] for one in scores]
    assert whole.estimate[:3].tolist() == plain[:3]
    assert np.isnan(blind.realised[20:]).all()


def test_a_lasting_error_is_learned_and_coverage_comes_back() -> None:
    rng = np.random.default_rng(3)
    estimator, _ = fitted(rng)
    later = [day(rng, slope=0.5) for _ in range(200)]
    scores = [Scores.from_outcomes(one) for one in later]
    found = track(estimator, scores, later, "positives")
    plain = np.array([estimator.expected(one)["positives"] for one in scores], np.float64)
    assert np.abs(found.realised - found.estimate).mean() < 0.3 * np.abs(found.realised - plain).mean()
    assert 0.9 <= found.coverage <= 0.99  # type: ignore[operator]


def test_the_relation_stream_moves_with_the_relation_and_not_with_the_scores() -> None:
    rng = np.random.default_rng(4)
    estimator, reference = fitted(rng)
    p = 0.4 + 0.4 * rng.random((20, 400))
    shifted = [tally("binary", one, rng.random(400) < one) for one in p]
    turned = [day(rng, slope=0.4) for _ in range(20)]
    stream = relation_stream(estimator, reference, [*shifted, NotEnoughData("coverage"), *turned], "log_loss")
    sd = np.sqrt(stream.current.within[:20].mean() / 20)
    assert abs(stream.current.y[:20].mean()) < 5 * sd + 0.01
    assert np.isnan(stream.current.y[20])
    assert abs(stream.current.y[21:].mean()) > 8 * sd
    suspected = estimate_stream(estimator, reference, [Scores.from_outcomes(one) for one in shifted])
    assert suspected.side == 1 and suspected.current.y.mean() > suspected.reference.y.max()


def test_the_reference_is_estimated_by_those_who_have_not_seen_it() -> None:
    rng = np.random.default_rng(5)
    estimator, reference = fitted(rng, days=20, rows=60)
    stream = relation_stream(estimator, reference, reference)
    assert (stream.reference.y != stream.current.y).all()
    assert np.abs(stream.current.y).mean() < np.abs(stream.reference.y).mean()


def test_support_says_whether_the_estimator_may_be_believed() -> None:
    rng = np.random.default_rng(6)
    columns = {"x": rng.normal(size=20_000), "city": rng.choice(["a", "b"], 20_000).astype(object)}
    layout = fit_layout(columns)
    whole = profile(columns, layout)

    def support(x: np.ndarray, city: str = "a") -> Support:
        found = support_of(whole, profile({"x": x, "city": np.array([city] * len(x), object)}, layout), ["x", "city"])
        assert isinstance(found, Support)
        return found

    assert support(rng.normal(0.3, 1, 500)).is_enough
    assert not support(rng.normal(6.0, 1, 500)).is_enough
    assert support(rng.normal(0, 1, 500), "somewhere").outside_share == 1.0
    assert relation_verdict(support(rng.normal(0, 1, 500))) is Verdict.CHANGED
    assert relation_verdict(NotEnoughData("no profile")) is Verdict.OUTSIDE
    assert isinstance(support_of(whole, whole, ["gone"]), NotEnoughData)


def test_what_cannot_be_learned_says_why() -> None:
    rng = np.random.default_rng(7)
    few = [day(rng) for _ in range(13)]
    assert isinstance(fit_estimator(few), NotEnoughData)
    assert isinstance(fit_estimator([tally("binary", np.full(99, 0.5), np.ones(99))] * 20), NotEnoughData)
    assert isinstance(fit_estimator([tally("regression", np.ones(99), np.ones(99))] * 20), NotEnoughData)


def test_empty_windows_have_no_estimate_and_break_nothing() -> None:
    rng = np.random.default_rng(8)
    estimator, reference = fitted(rng, days=20)
    nothing = Scores.of(np.empty(0))
    assert all(isinstance(one, NotEnoughData) for one in estimator.estimate(nothing).values())
    some = Scores.of(rng.random(200))
    alone = [estimator.estimate(one, ("auc", "brier")) for one in (nothing, some)]
    assert estimator.estimates([nothing, some], ("auc", "brier")) == alone
    assert list(alone[1]) == ["auc", "brier"] and alone[1]["auc"] == estimator.estimate(some)["auc"]
    found = track(estimator, [nothing] * 3, [NotEnoughData("no labels")] * 3)
    assert np.isnan(found.estimate).all() and isinstance(found.coverage, NotEnoughData)
    assert np.isnan(estimate_stream(estimator, reference, [nothing]).current.y).all()
