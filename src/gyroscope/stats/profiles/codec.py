"""The frozen bytes of a profile: msgpack arrays, integers packed to their least width.

`Profile.to_bytes` and `from_bytes` call this. A change of form gets a new number; old numbers stay readable.
"""

from __future__ import annotations

import msgspec
import numpy as np

from gyroscope.errors import StoreError
from gyroscope.stats.arrays import pack_int, pack_ints, unpack_int, unpack_ints
from gyroscope.stats.profiles.column import ColumnCounts
from gyroscope.stats.profiles.layout import Bins
from gyroscope.stats.sparse import SparseCounts

_FORM = "gyroscope.profile"
_NUMBER = 1


class _ColumnWire(msgspec.Struct, array_like=True):
    name: str
    bins: Bins
    counts: bytes
    missing: int
    nan_or_inf: int
    bucket_steps: bytes
    bucket_counts: bytes
    least: float
    greatest: float
    total: bytes
    squares: bytes


class _ProfileWire(msgspec.Struct, array_like=True):
    form: str
    number: int
    n: int
    columns: list[_ColumnWire]


_decoder = msgspec.msgpack.Decoder(_ProfileWire)


def encode(n: int, columns: dict[str, ColumnCounts]) -> bytes:
    """The bytes of a profile.

    Parameters
    ----------
    n : int
        Rows.
    columns : dict of str to ColumnCounts
        In the order of the layout; equal columns in equal order give equal bytes.

    Returns
    -------
    bytes

    Examples
    --------
    >>> msgspec.msgpack.decode(encode(3, {}))
    ['gyroscope.profile', 1, 3, []]
    """
    wires = [_to_wire(name, column) for name, column in columns.items()]
    return msgspec.msgpack.encode(_ProfileWire(_FORM, _NUMBER, n, wires))


def decode(packed: bytes) -> tuple[int, dict[str, ColumnCounts]]:
    """The rows and columns that `encode` wrote.

    Parameters
    ----------
    packed : bytes

    Returns
    -------
    (n, columns) : int, dict of str to ColumnCounts

    Raises
    ------
    StoreError
        When the bytes are damaged, or no profile, or of a number this release does not know.

    Examples
    --------
    >>> decode(encode(3, {}))
    (3, {})
    """
    try:
        wire = _decoder.decode(packed)
        if (wire.form, wire.number) != (_FORM, _NUMBER):
            raise ValueError(f"it says {wire.form!r} number {wire.number}")
        return wire.n, {column.name: _from_wire(column) for column in wire.columns}
    except (msgspec.DecodeError, ValueError) as damage:
        raise StoreError(
            f"this is no profile of form {_NUMBER}: {damage}",
            where=f"{len(packed)} bytes",
            fix="build the profile again from the rows it came from",
        ) from damage


def _to_wire(name: str, column: ColumnCounts) -> _ColumnWire:
    steps, counts = column.buckets.to_wire()
    return _ColumnWire(
        name=name,
        bins=column.bins,
        counts=pack_ints(column.counts),
        missing=column.missing,
        nan_or_inf=column.nan_or_inf,
        bucket_steps=steps,
        bucket_counts=counts,
        least=column.least,
        greatest=column.greatest,
        total=pack_int(column.total),
        squares=pack_int(column.squares),
    )


def _from_wire(wire: _ColumnWire) -> ColumnCounts:
    counts = unpack_ints(wire.counts)
    if counts.size != len(wire.bins.labels) or np.any(counts < 0):
        raise ValueError(f"column {wire.name!r} has {counts.size} counts for {len(wire.bins.labels)} bins")
    return ColumnCounts(
        bins=wire.bins,
        counts=counts,
        missing=wire.missing,
        nan_or_inf=wire.nan_or_inf,
        buckets=SparseCounts.from_wire(wire.bucket_steps, wire.bucket_counts),
        least=wire.least,
        greatest=wire.greatest,
        total=unpack_int(wire.total),
        squares=unpack_int(wire.squares),
    )
