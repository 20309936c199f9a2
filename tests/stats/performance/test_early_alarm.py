"""An alarm on the least harm that a window can still have is an alarm for certain once its labels are there."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.records import NotEnoughData
from gyroscope.stats.evidence import Family, fit_baselines, replay, stream
from gyroscope.stats.performance import as_streams, early_floor, performance_streams, tally


@pytest.mark.parametrize("metric", ["brier", "accuracy"])
def test_what_is_told_early_is_told_in_the_end(metric: str) -> None:
    rng = np.random.default_rng(1)
    told_early = told_in_the_end = 0
    for _ in range(120):
        reference = [_day(rng, 0.1) for _ in range(30)]
        worse = [_day(rng, 0.1 + 0.05 * rng.random()) for _ in range(int(rng.integers(1, 4)))]
        scores, labels = _rows(rng, 0.2 + 0.3 * rng.random())
        there = rng.random(scores.size) < rng.uniform(0.3, 0.95)
        whole, early = tally("binary", scores, labels), tally("binary", scores[there], labels[there])
        streams = performance_streams(reference, [*worse, whole], [metric])
        before, final = as_streams(streams)
        floor = early_floor(streams[metric], early, scores.size)
        assert not isinstance(floor, NotEnoughData)
        y, within = final.y[0].copy(), final.within[0].copy()
        y[-1], within[-1] = floor
        side = streams[metric].side
        family, days = Family("performance", fit_baselines(before)), np.ones(y.size)
        state = replay(family, stream(final.names[0], y[:-1], within[:-1], side=side), days[:-1]).state
        previewed = replay(family, stream(final.names[0], y, within, side=side), days, state=state)
        is_told_early = any(alarm.at == y.size - 1 for alarm in previewed.alarms)
        in_the_end = replay(family, final, days).alarms
        is_told_at_last = any(alarm.at == y.size - 1 for alarm in in_the_end)
        told_early += is_told_early
        told_in_the_end += is_told_at_last
        assert is_told_at_last or not is_told_early
    assert 0 < told_early < told_in_the_end


def _rows(rng: np.random.Generator, errors: float) -> tuple[np.ndarray, np.ndarray]:
    scores = rng.choice([0.2, 0.8], 300)
    return scores, ((scores > 0.5) ^ (rng.random(300) < errors)).astype(float)


def _day(rng: np.random.Generator, errors: float):
    return tally("binary", *_rows(rng, errors))
