"""Texts are laid out in the room that they take, however often each stands in a column."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from gyroscope.errors import StoreError
from gyroscope.predictions.tables.arrow import WIDE, Texts, text_array, texts_of, word_array

MIB = 1 << 20


@pytest.mark.parametrize("longest", [3, WIDE, WIDE + 1, 4_096])
@pytest.mark.parametrize("index", [[], [0], [2, 0, 1], [0, 0, 0, 2, 2, 1], [1, 1, 0, 1], [2] * 9])
def test_texts_are_taken_in_any_order(longest, index):
    words = ["ü" * (longest // 2), "", "a" * longest]
    taken = text_array(texts_of(words).take(np.array(index, dtype=np.intp)))
    assert taken.to_pylist() == [words[place] for place in index]


def test_long_texts_take_no_more_room_than_their_bytes_twice():
    texts, rows = texts_of(["e" * 4_096, "k" * 256]), 4_096
    tracemalloc.start()
    taken = texts.take(np.repeat([0, 1], rows))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(taken.data) == rows * (4_096 + 256)
    assert most < 2 * len(taken.data) + MIB


def test_more_bytes_than_a_column_holds_are_refused():
    texts = Texts(np.empty(0, np.uint8), np.array([2**30, 2**30]))
    with pytest.raises(StoreError, match="2,147,483,648 bytes"):
        text_array(texts)


def test_words_stand_where_their_codes_say_and_nowhere_else():
    codes = np.array([1, -1, 0, 2, 7], dtype=np.int32)
    found = word_array(["ü" * 20, "b", ""], codes, np.array([True, False, True, True, False]))
    assert found.to_pylist() == ["b", None, "ü" * 20, "", None]


def test_a_column_of_empty_texts_is_no_column_of_nulls():
    assert text_array(texts_of(["", "", ""])).to_pylist() == ["", "", ""]
