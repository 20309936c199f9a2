"""Buffers that a stranger filled: texts whose places or sizes lie."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from gyroscope.errors import InputError
from gyroscope.serving.arrow.columns import Kind, Part, looked_up, part

OFFSETS, VIEWS = Kind("BYTES", "offsets32"), Kind("BYTES", "views")
EMPTY = memoryview(b"")


@pytest.mark.parametrize("places", [[0, 3, 1, 2], [-1, 0, 1, 2], [0, 1, 2, 5]])
def test_offsets_that_do_not_fit(places):
    offsets = memoryview(np.array(places, "<i4").tobytes())
    with pytest.raises(InputError, match="the offsets of its texts do not fit"):
        part(OFFSETS, [EMPTY, offsets, memoryview(b"abcd")], 3, 0)


@pytest.mark.parametrize(("length", "buffer", "at"), [(13, 1, 0), (13, 0, 8), (13, 0, -1), (-1, 0, 0), (13, -1, 0)])
def test_views_that_point_elsewhere(length, buffer, at):
    view = memoryview(struct.pack("<i4sii", length, b"abcd", buffer, at))
    with pytest.raises(InputError, match="a view of a text points outside"):
        part(VIEWS, [EMPTY, view, memoryview(b"a" * 20)], 1, 0)


def test_views_that_are_a_megabyte_each():
    view = struct.pack("<i4sii", 1_000_000, b"aaaa", 0, 0)
    with pytest.raises(InputError, match="its texts are more than 4,194,304 bytes"):
        part(VIEWS, [EMPTY, memoryview(view * 100), memoryview(b"a" * 1_000_000)], 100, 0)


@pytest.mark.parametrize("index", [-1, 2])
def test_words_that_are_not_in_the_dictionary(index):
    with pytest.raises(InputError, match="outside of its dictionary"):
        looked_up(Part(np.array([0, index])), ["a", "b"])
