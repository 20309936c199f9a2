from __future__ import annotations

import numpy as np
import pytest

from gyroscope.stats.streams.cells import arcsine


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.95])
def test_the_variance_of_a_share_does_not_depend_on_it(share):
    rng = np.random.default_rng(0)
    y, within = arcsine(rng.binomial(400, share, 20_000).astype(float), np.full(20_000, 400.0))
    assert y.var() == pytest.approx(within[0], rel=0.1)


def test_no_rows_have_no_share():
    y, within = arcsine(np.zeros(1), np.zeros(1))
    assert np.isnan(y[0])
    assert np.isnan(within[0])
