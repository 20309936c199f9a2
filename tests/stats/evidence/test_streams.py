from __future__ import annotations

import numpy as np

from gyroscope.stats.evidence import stream


def test_what_cannot_be_squared_or_has_no_variance_is_absent():
    odd = stream("x", [1.0, np.nan, 1e308, np.inf, 1.0, 1.0], [0.1, 0.1, 0.1, 0.1, 0.0, np.nan])
    assert odd.present.tolist() == [[True, False, False, False, False, False]]


def test_selecting_keeps_each_streams_own_numbers():
    both = stream("a", [1.0], [0.1], side=1, weight=2.0).join(stream("b", [2.0], [0.2], side=-1, tolerance=0.25))
    picked = both.select(("b", "c", "a"))
    assert picked.sides.tolist() == [-1, 0, 1]
    assert picked.weights.tolist() == [1.0, 1.0, 2.0]
    assert picked.tolerances.tolist() == [0.25, 0.0, 0.0]
    assert picked.present.tolist() == [[True], [False], [True]]
