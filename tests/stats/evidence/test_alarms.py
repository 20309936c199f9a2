from __future__ import annotations

import numpy as np

from gyroscope.stats.evidence.alarms import is_calm


def test_an_alarm_is_over_after_three_normal_windows_of_every_member():
    calm, loud, gone = [0.0, 1.9, -0.5], [0.0, 2.0, 0.0], [np.nan] * 3
    assert is_calm(np.array([calm]))
    assert not is_calm(np.array([calm, loud]))
    assert not is_calm(np.array([gone]))
    assert is_calm(np.array([calm, gone]))


def test_windows_without_a_value_do_not_count():
    assert not is_calm(np.array([[0.0, np.nan, 0.0]]))
    assert is_calm(np.array([[0.0, np.nan, 0.0, 0.0]]))
