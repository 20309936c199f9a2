"""Packed integers survive the trip and take the least width."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gyroscope.stats.arrays import pack_int, pack_ints, unpack_int, unpack_ints

INT64 = st.integers(-(2**63), 2**63 - 1)


@settings(deadline=None)
@given(st.lists(INT64))
def test_integers_survive_packing(values: list[int]) -> None:
    assert unpack_ints(pack_ints(np.array(values, np.int64))).tolist() == values


@settings(deadline=None)
@given(st.integers())
def test_a_big_integer_survives_packing(value: int) -> None:
    assert unpack_int(pack_int(value)) == value


@pytest.mark.parametrize(
    ("value", "width"), [(0, 1), (127, 1), (-128, 1), (128, 2), (-32_769, 4), (2**31 - 1, 4), (2**31, 8)]
)
def test_the_width_is_the_least_that_holds_the_value(value: int, width: int) -> None:
    assert pack_ints(np.array([value]))[0] == width


@settings(deadline=None)
@given(st.integers(), st.integers(0, 2_000))
def test_zero_bytes_at_the_end_are_not_kept(value: int, shift: int) -> None:
    assert unpack_int(pack_int(value << shift)) == value << shift
    assert len(pack_int(value << shift)) <= value.bit_length() // 8 + 5


def test_a_cut_off_integer_is_refused() -> None:
    with pytest.raises(ValueError, match="three bytes"):
        unpack_int(b"\x00")


@pytest.mark.parametrize("packed", [b"", b"\x03abc", b"\x02\x01"])
def test_other_bytes_are_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        unpack_ints(packed)
