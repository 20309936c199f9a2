from __future__ import annotations

import numpy as np
import pytest

from gyroscope.stats.evidence import Streams, fit_baselines, scores, stream


def _many(y, within):
    names = tuple(f"s{row}" for row in range(len(y)))
    return Streams(names, y, within, np.zeros(len(y), np.int64), np.ones(len(y)), np.zeros(len(y)))


@pytest.mark.parametrize(("law", "least"), [("normal", 0.94), ("lognormal", 0.9), ("t2", 0.9)])
def test_scores_of_normal_windows_are_standard_normal_or_narrower_whatever_the_law(law, least):
    rng = np.random.default_rng(3)
    draw = {
        "normal": lambda shape: rng.normal(size=shape),
        "lognormal": lambda shape: rng.lognormal(size=shape),
        "t2": lambda shape: rng.standard_t(2, size=shape),
    }[law]
    within = np.full((500, 60), 1e-3)
    z = scores(fit_baselines(_many(draw((500, 60)), within), is_ordered=False), _many(draw((500, 60)), within))
    assert abs(z.mean()) < 0.03
    assert least < z.std() < 1.06
    assert (np.abs(z) > 3).mean() < 0.015


def test_a_stream_beside_others_with_the_same_tail_is_scored_higher_beyond_its_range_than_alone():
    rng = np.random.default_rng(7)
    y, within = rng.normal(size=(300, 50)), np.full((300, 50), 1e-3)
    together = scores(fit_baselines(_many(y, within)), _many(np.full((300, 1), 3.5), within[:, :1]))
    alone = [
        scores(fit_baselines(_many(y[[k]], within[[k]])), _many(np.full((1, 1), 3.5), within[[k], :1]))
        for k in range(60)
    ]
    assert together[:60].mean() > np.mean(alone) + 0.1


def test_equal_values_tie_with_the_reference_and_an_unseen_one_is_unusual():
    normal = fit_baselines(stream("x:new", np.zeros(50), np.full(50, 0.005)))
    z = scores(normal, stream("x:new", [0.0, 0.1, 9.0], np.full(3, 0.005)))[0]
    assert z[0] == 0
    assert 2.3 < z[1] < 4
    assert z[2] == 4


def test_what_is_absent_has_no_score_and_breaks_the_memory():
    normal = fit_baselines(stream("x", np.sin(np.arange(40.0)), np.full(40, 0.01)))
    gone = scores(normal, stream("x", [2.0, np.nan, 0.5], np.full(3, 0.01)))[0]
    alone = scores(normal, stream("x", [0.5], [0.01]))[0]
    assert np.isnan(gone[1])
    assert gone[2] == alone[0]


def test_streams_are_matched_by_name():
    normal = fit_baselines(
        stream("a", np.sin(np.arange(20.0)), np.ones(20)).join(stream("b", np.zeros(20), np.ones(20)))
    )
    one = scores(normal, stream("b", [0.0], [1.0]))
    assert np.isnan(one[0, 0])
    assert one[1, 0] == 0
