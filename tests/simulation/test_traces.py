"""Traces are as long, as high and as random as they say."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.errors import InputError
from gyroscope.simulation.traces import NAMED, named


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("seconds", [600, 7_200])
def test_a_trace_fills_its_time_and_reaches_its_peak(name, seconds):
    trace = named(name, seconds, 40.0)
    assert trace.per_s.shape == (seconds,)
    assert trace.per_s.min() >= 0
    assert trace.per_s.max() == pytest.approx(20.0 if name == "steady" else 40.0, rel=0.05)
    assert trace.changes or name == "steady"


def test_arrivals_are_as_many_as_asked_and_in_order():
    arrivals = named("steady", 1_000, 40.0).arrivals(np.random.default_rng(0))
    assert len(arrivals) == pytest.approx(20_000, rel=0.03)
    assert (np.diff(arrivals) >= 0).all()


def test_an_unknown_trace_is_said_so():
    with pytest.raises(InputError, match="no trace is called") as refused:
        named("spikes")
    assert "spike" in refused.value.fix
