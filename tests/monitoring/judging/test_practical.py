"""Whether a fall matters: judging and the benchmarks ask one yardstick, which counts what differs between windows."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.clock import DAY_US, EventTime
from gyroscope.monitoring.judging.causes import About, falls
from gyroscope.monitoring.judging.entered import Entry
from gyroscope.monitoring.judging.tracks import Budget, follow
from gyroscope.records import NotEnoughData, Window
from gyroscope.stats.evidence import State, fit_baselines, stream
from gyroscope.stats.performance import PerformanceStream, Series, matters_at

NAME = "performance:mae"


def followed(y, normal_y):
    normal = fit_baselines(stream(NAME, normal_y, np.full(normal_y.size, 0.04), side=1))
    entries = [Entry(Window(EventTime(day * DAY_US), EventTime((day + 1) * DAY_US)), 100) for day in range(y.size)]
    current = stream(NAME, y, np.full(y.size, 0.04), side=1)
    return follow("performance", normal, entries, current, Budget(1.0), State())


@pytest.mark.parametrize("spread", [0.0, 0.3])
@pytest.mark.parametrize("tolerance", [0.25, 1.0, 3.0])
def test_a_fall_is_an_incident_from_the_window_on_that_matters_at_names(spread, tolerance):
    rng = np.random.default_rng(1)
    track = followed(
        np.r_[rng.normal(1, 0.2, 8), rng.normal(1.6, 0.2, 12)],
        rng.normal(1, 0.2, 60) + spread * np.tile([-1, 0, 1], 20),
    )
    nothing = Series(np.empty(0), np.empty(0), np.empty(0))
    streams = {"mae": PerformanceStream("regression", "mae", 1, 0.04, nothing, nothing)}
    found = list(falls(About("m", "v"), track, streams, tolerance))
    (alarm,) = track.course.alarms
    at = matters_at(alarm, track.current, track.baselines, least_share=tolerance)
    assert [cause.seen for cause in found] == ([] if isinstance(at, NotEnoughData) else [at * DAY_US])
    assert bool(found) == (spread == 0 or tolerance < 3)
    assert list(falls(About("m", "v"), track, streams, tolerance)) == found
