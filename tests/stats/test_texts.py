"""Texts in one run of bytes say the same as Python's own."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gyroscope.stats.profiles.categories import count_texts
from gyroscope.stats.profiles.counting import count_strings
from gyroscope.stats.profiles.layout import CategoryBins
from gyroscope.stats.texts import LONGEST, Texts, joined

TEXT = st.one_of(st.none(), st.text(max_size=3), st.sampled_from(["a" * 8, "a" * 9, "b" * 17, "ab\0", "ab"]))
TEXTS = st.lists(TEXT, max_size=40)


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_a_column_is_its_texts(values: list[str | None], more: list[str | None]) -> None:
    column = joined([Texts.of(values), Texts.of(more)])
    assert column.tolist() == values + more
    assert column.compact().tolist() == values + more
    assert column[1:5].tolist() == (values + more)[1:5]
    counts, missing = column.tally()
    assert counts == Counter(text for text in values + more if text is not None)
    assert missing == (values + more).count(None)


@settings(deadline=None)
@given(TEXTS, st.lists(st.text(max_size=9), max_size=12, unique=True), st.integers(0, 12))
def test_counting_bytes_is_counting_texts(values: list[str | None], names: list[str], named: int) -> None:
    bins = CategoryBins(tuple(names[:named]), tuple(names[named:]))
    assert count_strings(Texts.of(values), bins) == count_strings(np.array([*values, None], dtype=object)[:-1], bins)


@settings(deadline=None)
@given(st.integers(0, 20).flatmap(lambda size: st.lists(st.text("ab\0", min_size=size, max_size=size), max_size=20)))
def test_texts_of_one_size_have_the_words_that_they_have_beside_others(values: list[str]) -> None:
    column = Texts.of(values)
    alone, beside = column.words(3), Texts.of([*values, "one of another size"]).words(3)
    assert alone.tolist() == beside[:, :-1].tolist()
    assert column[::-1].words(3).tolist() == alone[:, ::-1].tolist()


def test_long_texts_are_counted_one_by_one():
    bins, long = CategoryBins(("x" * (LONGEST + 1), "y")), "x" * (LONGEST + 1)
    assert count_texts(Texts.of(["y"]), bins) is None
    assert count_strings(Texts.of([long, "y", None, long + "x"]), bins).counts.tolist() == [1, 1, 0, 1]
    assert Texts.of([long, long]).tally() == ({long: 2}, 0)


def test_texts_that_differ_behind_the_known_ones_are_new():
    assert count_texts(Texts.of(["ab" * 100, "ab"]), CategoryBins(("ab",))).tolist() == [1, 0, 1]


def test_a_thousand_known_texts_are_told_apart():
    names = [f"name {number}" for number in range(1_100)]
    found = count_texts(Texts.of(names * 2), CategoryBins(tuple(names[:100]), tuple(names[100:])))
    assert found.tolist() == [2] * 100 + [2_000, 0]
