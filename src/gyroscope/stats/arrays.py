"""Integer arrays: their types, and the packed bytes in which frozen formats keep them.

Profiles and outcomes call this. It never looks at what the integers mean.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

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


def pack_int(value: int) -> bytes:
    """One integer of any size as little-endian two's complement.

    Examples
    --------
    >>> pack_int(-2).hex(), unpack_int(pack_int(1 << 100)) == 1 << 100
    ('fe', True)
    """
    return value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)


def unpack_int(packed: bytes) -> int:
    """The integer that `pack_int` packed.

    Examples
    --------
    >>> unpack_int(b"\\xfe")
    -2
    """
    return int.from_bytes(packed, "little", signed=True)
