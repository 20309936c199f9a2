from __future__ import annotations

import numpy as np
import pytest

from gyroscope.stats.streams.cells import Cells
from gyroscope.stats.streams.numeric import KINDS, SIDES, WEIGHTS, NumericScale


def test_each_kind_has_a_weight_and_a_side():
    assert len(KINDS) == len(WEIGHTS) == len(SIDES)
    assert sum(WEIGHTS) == pytest.approx(1)


def test_variance_within_a_window_is_that_of_its_rows():
    rng = np.random.default_rng(0)
    shares = np.r_[0, np.full(20, 0.05), 0]
    reference = Cells(rng.multinomial(100, shares, (1, 4_000)).astype(float), np.zeros((1, 4_000)))
    scale = NumericScale.fit(reference)
    y, within = scale.streams(reference, np.zeros((1, 4_000)), np.zeros((1, 4_000)))
    for place in (0, 1):
        assert y[0, place].var() == pytest.approx(within[0, place].mean(), rel=0.1)
