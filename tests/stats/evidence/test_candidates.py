"""What is left out of the candidates is surely little, and what is there is what the e-values say, to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.stats.evidence import fit_baselines
from gyroscope.stats.evidence.candidates import STARTS, Candidates, candidates
from gyroscope.stats.evidence.eprocess import Sums, e_values
from gyroscope.stats.evidence.streams import Streams

LEAST = 4.0


def _streams(rng, windows):
    y = rng.normal(size=(300, windows))
    sides, tolerances = np.repeat([-1, 0, 1], 100), np.tile([0.0, 0.25], 150)
    return Streams(tuple(map(str, range(300))), y, np.full(y.shape, 0.01), sides, np.ones(300), tolerances)


@pytest.mark.parametrize("windows", [5, 150])
def test_candidates_are_those_of_all_e_values(windows):
    rng = np.random.default_rng(windows)
    baselines = fit_baselines(_streams(rng, 30))
    here = rng.random((windows, 300)) < 0.9
    weight = np.where(here, rng.uniform(0.1, 2.0, here.shape), 0.0)
    score = np.where(here, rng.normal(np.where(np.arange(300) % 5, 0.0, 0.5), 1, here.shape), 0.0)
    parts = here * 1.0, weight, np.sqrt(weight) * score, score**2
    before = Sums(*(np.concatenate([np.zeros((1, 300)), part.cumsum(axis=0)]) for part in parts))
    found = Candidates(baselines, before, LEAST)
    told = 0
    for window in (*range(windows), 2):  # whoever goes back is told the same
        starts = candidates(window)
        since = Sums(*((part[window + 1] - part[starts]).T for part in before.parts))
        e = e_values(baselines.sums(), since, baselines.sides, baselines.tolerances, LEAST)
        rows, some = found.of(window)
        assert np.array_equal(rows, np.flatnonzero(e.any(axis=1)))
        assert np.array_equal(some, e[rows])
        told += some.size
    assert told > 100
    assert some.shape[1] <= STARTS


def test_a_family_without_streams_and_windows_that_say_nothing():
    nobody = fit_baselines(_streams(np.random.default_rng(0), 30).select(()))
    assert Candidates(nobody, Sums(*(np.zeros((3, 0)) for _ in range(4))), LEAST).of(1)[1].shape == (0, 2)
    baselines = fit_baselines(_streams(np.random.default_rng(0), 30))
    assert Candidates(baselines, Sums(*(np.zeros((3, 300)) for _ in range(4))), LEAST).of(1)[0].size == 0
