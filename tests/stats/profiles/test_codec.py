"""The frozen bytes: a profile written by this release must be readable by every later one."""

from __future__ import annotations

import zlib

import msgspec
import numpy as np
import pytest

from gyroscope.errors import StoreError
from gyroscope.stats.arrays import pack_steps
from gyroscope.stats.performance import Outcomes, tally
from gyroscope.stats.profiles import Profile, fit_layout, profile
from gyroscope.stats.profiles.profile import NOT_COUNTED

FIRST = (
    "94b16779726f73636f70652e70726f66696c650106929ba17882a474797065a76e756d65726963a5656467657394cb3ff000"
    "0000000000cb4000000000000000cb4010000000000000cb4010000000000000c4060101010101000101c412048000ffff04"
    "40ff01004000000040000000c4050101010101cbbfe0000000000000cb4010000000000000c40386001ac404860085009ba1"
    "7383a474797065a863617465676f7279aa63617465676f7269657392a161a162a47261726590c40501030100010100c40201"
    "01c40101cb7ff0000000000000cbfff0000000000000c403000000c403000000"
)

SECOND = (
    "94b16779726f73636f70652e70726f66696c650206c49c785e9b336961c5c2e2494d4b4a2a0b5297e795e6a61665262f4d"
    "4d494f2d9e72dafe0303189c7680d04086001aa319ac71457262496a7a7e51e52a282333b578d2c2c485494b8a128b5227"
    "1ce1626402ea63646366643a02c40c2082114870b01fe165fedfd0d0f0ef1f509a9981e1082b58e5a4d3fb1f402daa87ba"
    "6112c2eeff30a123cc6d0c524780da18261d61696368059a0b640300e8953d12"
)


THIRD = (
    "97b16779726f73636f70652e70726f66696c650306c451785e9b346961c5c2e2494d4b4a2a0b5297e795e6a61665262f4d4d"
    "494f2d9e72dafe0303189c7680d04086001aa319ac71457262496a7a7e51e52a282333b578d2c2c485494b8a128b52270000"
    "3ad02416c443785e9b7e848b9189818181918d9991e90810338008c649a7f73f008a02c1e9fa0f10c6a4d30e0250a1ff30a1"
    "23cc6d0c52479841b24758da185a819a816c00f2aa1294ce03cb969091c425785e9b7c84999183fd082ff3ff8686867fff18"
    "18189919188eb03232313030000087ac078a"
)


FOURTH = (
    "98b16779726f73636f70652e70726f66696c650406c451785e9b346961c5c2e2494d4b4a2a0b5297e795e6a61665262f4d4d"
    "494f2d9e72dafe0303189c7680d04086001aa319ac71457262496a7a7e51e52a282333b578d2c2c485494b8a128b52270000"
    "3ad02416c443785e9b7e848b9189818181918d9991e90810338008c649a7f73f008a02c1e9fa0f10c6a4d30e0250a1ff30a1"
    "23cc6d0c52479841b24758da185a819a816c00f2aa1294ce12d7e4fc91c425785e9b7c84999183fd082ff3ff8686867fff18"
    "18189919188eb03232313030000087ac078ac434785e012900d6ff9206c42506bec838b03e02b1bd2037fbf0e07f732d593b"
    "10d87c37ca03c5c24114512546961d0c6c577afb10fb"
)


def example() -> Profile:
    columns = {
        "x": np.array([1.0, 2.0, 4.0, np.nan, np.inf, -0.5]),
        "s": np.array(["a", "b", None, "a", "a", "é"], dtype=object),
    }
    return profile(columns, fit_layout({name: values[:4] for name, values in columns.items()}))


@pytest.mark.parametrize("frozen", [FIRST, SECOND, THIRD])
def test_what_was_written_once_is_read_for_ever(frozen: str) -> None:
    read = Profile.from_bytes(bytes.fromhex(frozen))
    assert (read.n, read.columns) == (example().n, example().columns)
    assert read.equal_rows == NOT_COUNTED == read.merge(example()).equal_rows == example().merge(read).equal_rows
    assert Profile.from_bytes(read.to_bytes()) == read
    assert Profile.from_bytes(bytes.fromhex(FOURTH)) == example()


def test_a_profile_of_fifty_columns_is_small() -> None:
    rng = np.random.default_rng(0)
    columns = {f"x{place}": rng.normal(size=50_000) for place in range(50)}
    assert len(profile(columns, fit_layout(columns)).to_bytes()) < 100_000


@pytest.mark.parametrize("frozen", [SECOND, THIRD, FOURTH])
def test_a_cut_body_is_refused(frozen: str) -> None:
    head = msgspec.msgpack.decode(bytes.fromhex(frozen))
    for place in range(3, len(head)):
        part = head[place][0] if isinstance(head[place], list) else head[place]
        for end in range(0, len(part) if isinstance(part, bytes) else 0, 7):
            cut = [part[:end]] if isinstance(head[place], list) else part[:end]
            with pytest.raises(StoreError):
                Profile.from_bytes(msgspec.msgpack.encode([*head[:place], cut, *head[place + 1 :]]))


def test_buckets_of_a_column_are_those_of_its_place() -> None:
    rng = np.random.default_rng(0)
    columns = {f"x{place}": rng.normal(place, 1, 50) for place in range(20)}
    counted = profile(columns, fit_layout(columns))
    read = Profile.from_bytes(counted.to_bytes())
    assert [read.columns[name].buckets for name in ("x19", "x0", "x8")] == [
        counted.columns[name].buckets for name in ("x19", "x0", "x8")
    ]
    assert read.columns["x1"].bins is Profile.from_bytes(counted.to_bytes()).columns["x1"].bins


def test_buckets_that_nobody_wrote_are_refused_when_they_are_read() -> None:
    head = msgspec.msgpack.decode(example().to_bytes())
    for keys, counts in ((b"\x01\x02\x02", b"\x01\x01\x00"), (b"\x01\x02", b"\x01\x02\x00")):
        forged = zlib.compress(msgspec.msgpack.encode([b"\x01\x04\x03", keys, counts]))
        read = Profile.from_bytes(msgspec.msgpack.encode([*head[:5], zlib.crc32(forged), [forged]]))
        with pytest.raises(StoreError, match="no profile of form 4"):
            _ = read.columns["x"].buckets.keys
    with pytest.raises(StoreError, match="0 pieces of buckets"):
        Profile.from_bytes(msgspec.msgpack.encode([*head[:5], 0, []]))


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
    wire[1] = 5
    with pytest.raises(StoreError, match="number 5"):
        Profile.from_bytes(msgspec.msgpack.encode(wire))


def test_counts_that_do_not_fit_the_bins_are_refused() -> None:
    wire = msgspec.msgpack.decode(bytes.fromhex(FIRST))
    wire[3][0][2] = b"\x01\x05"
    with pytest.raises(StoreError, match="1 counts for 5 bins"):
        Profile.from_bytes(msgspec.msgpack.encode(wire))
    head = msgspec.msgpack.decode(bytes.fromhex(SECOND))
    body = msgspec.msgpack.decode(zlib.decompress(head[3]))
    body[2] = b"\x01\x05"
    with pytest.raises(StoreError, match="1 counts for 9 bins"):
        Profile.from_bytes(msgspec.msgpack.encode([*head[:3], zlib.compress(msgspec.msgpack.encode(body))]))


@pytest.mark.parametrize(("rows", "marks"), [(6, [3, 3]), (6, [3, 2]), (1, [2, 3]), (9_999, list(range(1_025)))])
def test_marks_that_nobody_wrote_are_refused(rows: int, marks: list[int]) -> None:
    head = msgspec.msgpack.decode(example().to_bytes())
    forged = zlib.compress(msgspec.msgpack.encode([rows, pack_steps(np.array(marks))]))
    check = zlib.crc32(forged, zlib.crc32(head[6][0]))
    with pytest.raises(StoreError, match=r"marks of|ascend"):
        Profile.from_bytes(msgspec.msgpack.encode([*head[:5], check, head[6], forged]))


def test_many_are_read_at_once_as_one_by_one_whatever_their_forms_and_sizes() -> None:
    rng = np.random.default_rng(1)
    days = [
        {"x": rng.normal(size=rows), "s": rng.choice(["a", "b"], rows).astype(object)} for rows in (0, 3, 900, 2000)
    ]
    packed = [profile(day, fit_layout(days[-1])).to_bytes() for day in days]
    packed += [example().to_bytes(), *(bytes.fromhex(frozen) for frozen in (FIRST, SECOND, THIRD, FOURTH))]
    for found, one in zip(Profile.read_all(packed), packed, strict=True):
        assert found == Profile.from_bytes(one)
        assert found.equal_rows is NOT_COUNTED or found.to_bytes() == one


def test_of_many_the_damaged_one_is_named() -> None:
    whole = bytes.fromhex(FOURTH)
    with pytest.raises(StoreError, match=f"where: {len(whole) - 9} bytes"):
        Profile.read_all([whole, whole[:-9]])
