from __future__ import annotations

import numpy as np

from gyroscope.stats.evidence.alarms import is_calm, telling


def test_an_alarm_is_over_after_three_normal_windows_of_every_member():
    calm, loud, gone = [0.0, 1.9, -0.5], [0.0, 2.0, 0.0], [np.nan] * 3
    assert is_calm(np.array([calm]))
    assert not is_calm(np.array([calm, loud]))
    assert not is_calm(np.array([gone]))
    assert is_calm(np.array([calm, gone]))


def test_windows_without_a_value_do_not_count():
    assert not is_calm(np.array([[0.0, np.nan, 0.0]]))
    assert is_calm(np.array([[0.0, np.nan, 0.0, 0.0]]))


def test_of_many_members_a_tenth_may_be_loud():
    z = np.zeros((40, 3))
    z[:4] = 2.5
    assert is_calm(z)
    z[4, 1] = 2.5
    assert not is_calm(z)


def test_streams_without_evidence_are_never_members():
    assert telling(np.array([1.0, 0.0]), np.array([50.0, 5.0])) == [0]


def test_a_change_of_everything_a_little_names_many():
    assert len(telling(np.full(40, 1 / 40), np.full(40, 0.3))) == 36
