"""A question is asked in the order of its keys, each once, and says which of its keys might be one another's."""

from __future__ import annotations

import numpy as np

from gyroscope.predictions.ids.entries import Asked

KEYS = np.array([[9, 1], [5, 2], [9, 1], [7, 3], [5, 4], [8, 8]], dtype=np.uint64)


def test_each_key_is_asked_once_and_answers_lead_back():
    asked = Asked(KEYS)
    assert (asked.keys[asked.place] == KEYS).all()
    assert len(asked.keys) == 5 == len({tuple(key) for key in asked.keys.tolist()})
    assert (np.diff(asked.keys[:, 0].astype(np.int64)) >= 0).all()
    assert (KEYS[asked.order] == asked.keys).all()


def test_all_places_come_in_the_order_of_their_keys():
    asked = Asked(KEYS)
    assert sorted(asked.ascending.tolist()) == list(range(len(KEYS)))
    assert KEYS[asked.ascending, 0].tolist() == [5, 5, 7, 8, 9, 9]


def test_twins_are_equal_in_their_high_half_whatever_the_low_one_says():
    assert sorted(Asked(KEYS).twins.tolist()) == [0, 1, 2, 4]
    assert Asked(KEYS[[3, 5]]).twins.tolist() == []


def test_nothing_can_be_asked():
    asked = Asked(np.empty((0, 2), dtype=np.uint64))
    assert len(asked.keys) == len(asked.place) == len(asked.twins) == 0
