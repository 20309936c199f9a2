"""The frozen bytes: a profile written by this release must be readable by every later one."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from gyroscope.errors import StoreError
from gyroscope.stats.performance import Outcomes, tally
from gyroscope.stats.profiles import Profile, fit_layout, profile

FROZEN = (
    "94b16779726f73636f70652e70726f66696c650106929ba17882a474797065a76e756d65726963a5656467657394cb3ff000"
    "0000000000cb4000000000000000cb4010000000000000cb4010000000000000c4060101010101000101c412048000ffff04"
    "40ff01004000000040000000c4050101010101cbbfe0000000000000cb4010000000000000c40386001ac404860085009ba1"
    "7383a474797065a863617465676f7279aa63617465676f7269657392a161a162a47261726590c40501030100010100c40201"
    "01c40101cb7ff0000000000000cbfff0000000000000c403000000c403000000"
)


def example() -> Profile:
    columns = {
        "x": np.array([1.0, 2.0, 4.0, np.nan, np.inf, -0.5]),
        "s": np.array(["a", "b", None, "a", "a", "é"], dtype=object),
    }
    return profile(columns, fit_layout({name: values[:4] for name, values in columns.items()}))


def test_version_one_never_changes() -> None:
    assert example().to_bytes().hex() == FROZEN
    assert Profile.from_bytes(bytes.fromhex(FROZEN)) == example()


@pytest.mark.parametrize("read", [Profile.from_bytes, Outcomes.from_bytes])
def test_other_bytes_are_refused_with_a_way_out(read: object) -> None:
    other = tally("binary", np.empty(0), np.empty(0)).to_bytes() if read == Profile.from_bytes else example().to_bytes()
    for damaged in (
        b"",
        b"nonsense",
        other,
        example().to_bytes()[:-3],
        msgspec.msgpack.encode(["gyroscope.profile", 9]),
    ):
        with pytest.raises(StoreError) as refused:
            read(damaged)  # type: ignore[operator]
        assert refused.value.fix


def test_a_later_version_is_named() -> None:
    wire = msgspec.msgpack.decode(example().to_bytes())
    wire[1] = 2
    with pytest.raises(StoreError, match="number 2"):
        Profile.from_bytes(msgspec.msgpack.encode(wire))


def test_counts_that_do_not_fit_the_bins_are_refused() -> None:
    wire = msgspec.msgpack.decode(example().to_bytes())
    wire[3][0][2] = b"\x01\x05"
    with pytest.raises(StoreError, match="1 counts for 5 bins"):
        Profile.from_bytes(msgspec.msgpack.encode(wire))
