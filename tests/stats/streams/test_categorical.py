from __future__ import annotations

import numpy as np
import pytest

from gyroscope.stats.streams.categorical import FREQUENT, SIDES, WEIGHTS, CategoricalScale
from gyroscope.stats.streams.cells import Cells


def test_each_stream_has_a_weight_and_a_side():
    assert len(WEIGHTS) == len(SIDES) == 4 + FREQUENT
    assert sum(WEIGHTS) == pytest.approx(1)


@pytest.mark.parametrize(("kinds", "rows"), [(20, 400), (100, 1_000), (100, 50)])
def test_the_omnibus_is_one_with_its_stated_variance_for_normal_windows(kinds, rows):
    rng = np.random.default_rng(0)
    shares = np.r_[rng.dirichlet(np.full(kinds, 5.0)), 0, 0]
    counts = rng.multinomial(rows, shares, (1, 400)).astype(float)
    reference = Cells(counts[:, :60], np.zeros((1, 60)))
    scale = CategoricalScale.fit(reference, np.array([False]))
    for y, within in (scale.streams(reference, is_reference=True), scale.streams(Cells(counts, np.zeros((1, 400))))):
        assert y[0, 0].mean() == pytest.approx(1, abs=0.1)
        assert y[0, 0].std() == pytest.approx(np.sqrt(within[0, 0].mean()), rel=0.25)
