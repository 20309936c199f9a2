"""Integer arrays: their types, and the packed bytes in which frozen formats keep them.

Profiles and outcomes call this. It never looks at what the integers mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST_BYTES = 3
"""Of an integer that `pack_int` packed."""

_WIDTHS = {1: "<i1", 2: "<i2", 4: "<i4", 8: "<i8"}


def pack_ints(values: Ints) -> bytes:
    """Signed integers as little-endian bytes of the least width that holds them all.

    Parameters
    ----------
    values : int64 array, shape (n,)

    Returns
    -------
    bytes
        One byte with the width in bytes (1, 2, 4 or 8), then n values.

    Examples
    --------
    >>> pack_ints(np.array([1, -2])).hex()
    '0101fe'
    """
    largest = max(int(values.max(initial=0)), -1 - int(values.min(initial=0)))
    width = next(width for width in _WIDTHS if largest < 1 << (8 * width - 1))
    return bytes([width]) + values.astype(_WIDTHS[width]).tobytes()


def unpack_ints(packed: bytes) -> Ints:
    """The integers that `pack_ints` packed.

    Parameters
    ----------
    packed : bytes

    Returns
    -------
    int64 array, shape (n,)

    Raises
    ------
    ValueError
        When the bytes were not written by `pack_ints`.

    Examples
    --------
    >>> unpack_ints(bytes.fromhex("0101fe")).tolist()
    [1, -2]
    """
    if not packed or packed[0] not in _WIDTHS:
        raise ValueError("packed integers start with their width: 1, 2, 4 or 8")
    return np.frombuffer(packed, dtype=_WIDTHS[packed[0]], offset=1).astype(np.int64)


def pack_steps(values: Ints) -> bytes:
    """Signed integers as the steps between neighbours, the low bytes of all steps first.

    Where neighbours are alike the other bytes are zero, which cost nothing once they are compressed.

    Parameters
    ----------
    values : int64 array, shape (n,)
        Below 2**61 in size.

    Returns
    -------
    bytes
        One byte with the width in bytes (1 to 8), then that many times n bytes.

    Examples
    --------
    >>> pack_steps(np.array([300, 301, 299])).hex()
    '02580203020000'
    """
    steps = np.diff(values, prepend=0)
    folded = (steps << 1) ^ (steps >> 63)  # 0, -1, 1, -2 become 0, 1, 2, 3
    width = max(-(-int(folded.max(initial=0)).bit_length() // 8), 1)
    planes = folded.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :width]
    return bytes([width]) + planes.T.tobytes()


def unpack_steps(packed: bytes) -> Ints:
    """The integers that `pack_steps` packed.

    Parameters
    ----------
    packed : bytes

    Returns
    -------
    int64 array, shape (n,)

    Raises
    ------
    ValueError
        When the bytes were not written by `pack_steps`.

    Examples
    --------
    >>> unpack_steps(bytes.fromhex("02580203020000")).tolist()
    [300, 301, 299]
    """
    return unpack_steps_each([packed])[0]


def unpack_steps_each(packed: Sequence[bytes]) -> list[Ints]:
    """As `unpack_steps`, of many at once: those of one width and length cost little more than one of them.

    Examples
    --------
    >>> [found.tolist() for found in unpack_steps_each([bytes.fromhex("010203"), bytes.fromhex("010401")])]
    [[1, -1], [2, 1]]
    """
    alike: dict[tuple[int, int], list[int]] = {}
    for place, one in enumerate(packed):
        if not are_steps(one):
            raise ValueError("packed steps start with their width, 1 to 8, and have as many bytes for each")
        alike.setdefault((one[0], len(one)), []).append(place)
    found = [np.empty(0, np.int64)] * len(packed)
    for (width, size), places in alike.items():
        table = np.frombuffer(b"".join([packed[place] for place in places]), np.uint8).reshape(-1, size)
        planes = table[:, 1:].reshape(len(places), width, (size - 1) // width)
        folded = planes[:, 0].astype(np.int64)
        for place in range(1, width):
            folded |= planes[:, place].astype(np.int64) << 8 * place
        for place, row in zip(places, ((folded >> 1) ^ -(folded & 1)).cumsum(axis=1), strict=True):
            found[place] = row
    return found


def are_steps(packed: bytes) -> bool:
    """Whether bytes have the form of those of `pack_steps`: a width, and as many bytes for each.

    >>> are_steps(bytes.fromhex("02580203020000")), are_steps(bytes.fromhex("0258"))
    (True, False)
    """
    width = packed[0] if packed else 0
    return 1 <= width <= 8 and not (len(packed) - 1) % width


def pack_int(value: int) -> bytes:
    """One integer of any size: how many zero bytes it ends in (two bytes), then the rest in two's complement.

    A sum in units of 2**-1074 ends in about 120 zero bytes, which are not kept.

    Parameters
    ----------
    value : int
        Below 2**500000 in size.

    Returns
    -------
    bytes
        Little-endian.

    Examples
    --------
    >>> pack_int(-2).hex(), pack_int(5 << 800).hex()
    ('0000fe', '640005')
    """
    zeros = ((value & -value).bit_length() - 1) // 8 if value else 0
    rest = value >> 8 * zeros
    return zeros.to_bytes(2, "little") + rest.to_bytes(rest.bit_length() // 8 + 1, "little", signed=True)


def unpack_int(packed: bytes) -> int:
    """The integer that `pack_int` packed.

    Parameters
    ----------
    packed : bytes

    Returns
    -------
    int

    Raises
    ------
    ValueError
        When the bytes are too few.

    Examples
    --------
    >>> unpack_int(bytes.fromhex("0000fe"))
    -2
    """
    if len(packed) < LEAST_BYTES:
        raise ValueError("a packed integer takes three bytes or more")
    return int.from_bytes(packed[2:], "little", signed=True) << 8 * (packed[0] | packed[1] << 8)
