"""The shadow gate: a week of evidence promotes, one bad segment stops, noise does neither."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.stats.comparison import Paired, Shadow, interval, log_e_above, shadow


def paired(mean: float, windows: int, seed: int, sd: float = 0.02) -> Paired:
    return Paired(np.random.default_rng(seed).normal(mean, sd, windows), np.full(windows, 1_000))


def test_noise_promotes_in_one_of_twenty_at_most_however_often_it_is_looked_at():
    rng = np.random.default_rng(0)
    assert sum(log_e_above(rng.normal(0, 1, 60)).max() >= np.log(20) for _ in range(1_000)) <= 65


def test_the_interval_holds_at_every_look():
    rng = np.random.default_rng(1)
    ends = [interval(rng.standard_t(5, 60)) for _ in range(500)]
    assert sum(bool(((low < 0) & (high > 0)).all()) for low, high in ends) >= 470


def test_a_better_model_is_promoted_after_a_week_and_not_before():
    assert shadow(paired(0.03, 14, 2), 14, Shadow()).action == "promote"
    assert shadow(paired(0.03, 14, 2), 6.5, Shadow()).reason == "not enough data"
    assert shadow(paired(0.03, 6, 2), 14, Shadow()).reason == "not enough data"


def test_a_worse_model_is_stopped_and_an_equal_one_waits():
    assert shadow(paired(-0.03, 14, 3), 14, Shadow()).reason == "worse"
    assert shadow(paired(0.0, 14, 4), 14, Shadow()).reason == "undecided"


def test_one_that_cannot_reach_the_margin_is_futile():
    assert shadow(paired(0.001, 60, 5), 60, Shadow(margin=0.02)).reason == "cannot be better by the margin"


def test_a_cheaper_model_may_be_worse_by_its_margin():
    equal = paired(0.0, 40, 6)
    assert shadow(equal, 40, Shadow(margin=-0.02)).action == "promote"
    assert shadow(paired(-0.05, 40, 6), 40, Shadow(margin=-0.02)).action == "roll back"


def test_a_segment_that_suffers_has_a_veto_if_it_is_not_tiny():
    whole, hurt = paired(0.03, 14, 7), Paired(np.random.default_rng(8).normal(-0.1, 0.02, 14), np.full(14, 80))
    verdict = shadow(whole, 14, Shadow(), {"fine": paired(0.03, 14, 9), "old": hurt})
    assert (verdict.action, verdict.reason, verdict.evidence["segment"]) == (
        "keep waiting",
        "worse in a segment",
        "old",
    )
    tiny = Paired(hurt.differences, np.full(14, 10))
    assert shadow(whole, 14, Shadow(), {"old": tiny}).action == "promote"


@pytest.mark.parametrize("values", [[], [0.0], [0.0] * 20, [1e-300] * 20, [1e150, -1e150] * 10, [np.nan] * 20])
def test_bad_windows_give_something_defined(values):
    verdict = shadow(Paired(np.array(values, float), np.full(len(values), 100)), 20, Shadow())
    assert verdict.action == "keep waiting" or values == [1e-300] * 20
    assert all(isinstance(one, str) or not np.isnan(one) for one in verdict.evidence.values())
